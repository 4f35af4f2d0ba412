//! Rows 63, 65 and 104: who a token stands for, and until when.

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::stage::NOW_S;
use super::{Answer, Stage};

async fn status_with(stage: &Stage, authorization: &str) -> Answer {
    let request = Request::get("/api/v1/status").header("authorization", authorization);
    stage.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_token_ends() {
    let stage = Stage::open().await;
    let ends_at = (NOW_S + 60) * 1_000_000;
    let token = format!("Bearer {}", stage.token("sam", "user", Some(ends_at)).await);
    for (second, status) in [(NOW_S, 200), (NOW_S + 59, 200), (NOW_S + 60, 401), (NOW_S + 86_400, 401)] {
        stage.set_machine_s(second);
        assert_eq!(status_with(&stage, &token).await.status, status, "63: at {second}");
    }
    stage.set_machine_s(NOW_S);
    // Business time runs ahead in a simulation; tokens are people's, and end by the machine's.
    stage.stripe.advance(86_400).unwrap();
    assert_eq!(status_with(&stage, &token).await.status, 200);
}

#[tokio::test]
async fn a_token_is_taken_away() {
    let stage = Stage::open().await;
    let token = stage.bearer("sam");
    assert_eq!(status_with(&stage, &token).await.status, 200);
    stage.sql("UPDATE tokens SET revoked_at = 1 WHERE name = 'sam''s user'").await;
    assert_eq!(status_with(&stage, &token).await.refusal(), (401, "unauthorized".to_owned()), "63");
}

#[tokio::test]
async fn a_token_goes_with_its_owner() {
    let stage = Stage::open().await;
    let (token, agent) = (stage.bearer("sam"), format!("Bearer {}", stage.token("sam", "agent", None).await));
    stage.sql("UPDATE people SET disabled_at = 1 WHERE name = 'sam'").await;
    for token in [token, agent] {
        assert_eq!(status_with(&stage, &token).await.status, 401, "63");
    }
    assert_eq!(status_with(&stage, &stage.bearer("carl")).await.status, 200);
}

#[tokio::test]
async fn a_token_is_spelled_exactly() {
    let stage = Stage::open().await;
    let right = stage.bearer("sam");
    let token = right.strip_prefix("Bearer ").unwrap();
    let long = format!("Bearer {token}{}", "a".repeat(100_000));
    for wrong in [
        right.to_uppercase(),
        format!("{right}x"),
        right[..right.len() - 1].to_owned(),
        format!("Basic {token}"),
        token.to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer bursar_".to_owned(),
        long,
    ] {
        let shown: String = wrong.chars().take(60).collect();
        assert_eq!(status_with(&stage, &wrong).await.status, 401, "{shown}");
    }
    let twice =
        Request::get("/api/v1/status").header("authorization", &right).header("authorization", "Bearer x");
    assert_eq!(stage.send(twice.body(Body::empty()).unwrap()).await.status, 401, "two of them");
}

#[tokio::test]
async fn a_role_is_missing_by_name() {
    let stage = Stage::open().await;
    let lane = format!("{}/test", stage.stripe.account_id());
    let mode = json!({"playbook": "recovery", "lane": lane, "mode": "observe"});
    let kill = json!({"scope": "all", "reason": "drill"});
    for (name, path, body, needed) in [
        ("sam", "/api/v1/modes", &mode, "controller"),
        ("olivia", "/api/v1/modes", &mode, "platform"),
        ("sam", "/api/v1/kill_switches", &kill, "operator"),
        ("carl", "/api/v1/events/backfill", &json!({"since_s": 0}), "platform"),
        ("sam", "/api/v1/dead_letters/job_1/retry", &json!({}), "operator"),
    ] {
        let answer = stage.post(name, path, body).await;
        assert_eq!(answer.refusal(), (403, "forbidden".to_owned()), "65: {name} {path}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(needed) && message.contains("nothing was changed"), "65: {message}");
        for secret in [&lane, name, "northwind"] {
            assert!(!message.contains(secret), "65: {message}");
        }
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM kill_switches").await, 0);
    assert_eq!(stage.count("SELECT COUNT(*) FROM modes").await, 0);
}

#[tokio::test]
async fn a_token_holds_no_more_than_its_owner() {
    let stage = Stage::open().await;
    let kill = json!({"scope": "playbook:recovery", "reason": "drill"});
    assert_eq!(stage.post("olivia", "/api/v1/kill_switches", &kill).await.status, 200);
    stage.sql("UPDATE people SET roles = 'support' WHERE name = 'olivia'").await;
    assert_eq!(stage.post("olivia", "/api/v1/kill_switches", &kill).await.status, 403, "65");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Log;
    fn make_writer(&'w self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn a_key_of_stripes_is_refused_and_told_to_nobody() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(log.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let stage = Stage::open().await;
    let canary = "51CanaryOfOursThatMustNotBeSeen";
    for (kind, path) in [
        ("sk_live", "/api/v1/status"),
        ("rk_live", "/api/v1/cases"),
        ("sk_test", "/inbox"),
        ("sk_live", "/metrics"),
    ] {
        let key = format!("{kind}_{canary}");
        let bearer = Request::get(path).header("authorization", format!("Bearer {key}"));
        let answer = stage.send(bearer.body(Body::empty()).unwrap()).await;
        if path.starts_with("/api") {
            assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()), "104: {key}");
        }
        assert!(!answer.text.contains(canary), "104: {path}");
        let basic =
            Request::get(format!("{path}?key={key}")).header("authorization", format!("Basic {key}:"));
        assert!(!stage.send(basic.body(Body::empty()).unwrap()).await.text.contains(canary), "104: {path}");
    }
    let body = json!({"charge": format!("sk_live_{canary}"), "reason": "x"});
    assert!(
        !stage.post("sam", "/api/v1/refund_requests", &body).await.text.contains(canary),
        "104: in a body"
    );
    stage.settle().await;
    let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(written.contains("request"), "something is logged at all");
    assert!(!written.contains(canary), "104: {written}");
    for name in ["sam", "carl"] {
        let token = stage.bearer(name).split_off("Bearer bursar_user_".len());
        assert!(!written.contains(&token), "104: a token of ours");
    }
    assert!(!written.contains(&stage.stripe.secret_key()), "104: the key we act with");
}
