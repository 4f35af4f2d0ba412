//! T8: what every answer carries, whatever the route and whatever the answer.

use axum::body::Body;
use axum::http::Request;

use super::stage::{SECRET, Stage, bytes, event, signed};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'";

fn check(answer: &super::stage::Answer, what: &str) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("x-robots-tag", "noindex"),
    ] {
        assert_eq!(answer.header(name), value, "{what}: {name}");
    }
    assert!(answer.header("request-id").starts_with("req_"), "{what}");
    assert!(!answer.header("cache-control").is_empty(), "{what}");
    assert!(
        answer.headers.get("server").is_none() && answer.headers.get("access-control-allow-origin").is_none()
    );
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let stage = Stage::open().await;
    for path in
        ["/healthz", "/livez", "/readyz", "/metrics", "/", "/login", "/inbox", "/nothing", "/assets/nothing"]
    {
        let answer = stage.send(Request::get(path).body(Body::empty()).unwrap()).await;
        check(&answer, path);
    }
    check(&stage.deliver(&bytes(&event("evt_1"))).await, "a delivery");
    check(&stage.deliver(b"").await, "a delivery refused");
    check(&stage.send(signed("/ingest/nowhere", SECRET, b"{}")).await, "no endpoint");
    let put = Request::put("/ingest/stripe").body(Body::empty()).unwrap();
    check(&stage.send(put).await, "another method");
    let elsewhere = Request::get("/inbox").header("host", "evil.example").body(Body::empty()).unwrap();
    check(&stage.send(elsewhere).await, "another host");
}

#[tokio::test]
async fn no_two_answers_share_an_id() {
    let stage = Stage::open().await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..50 {
        let answer = stage.send(Request::get("/healthz").body(Body::empty()).unwrap()).await;
        assert!(ids.insert(answer.header("request-id").to_owned()));
    }
}

#[tokio::test]
async fn readiness_ends_when_the_engine_stops() {
    let stage = Stage::open().await;
    let ready = || Request::get("/readyz").body(Body::empty()).unwrap();
    assert_eq!(stage.send(ready()).await.status, 200);
    stage.engine.stop().await;
    assert_eq!(stage.send(ready()).await.status, 503);
    let alive = Request::get("/livez").body(Body::empty()).unwrap();
    assert_eq!(stage.send(alive).await.status, 200);
}

#[tokio::test]
async fn readiness_ends_when_the_store_does() {
    let stage = Stage::open().await;
    stage.sql("ALTER TABLE cases RENAME TO lost").await;
    let ready = || Request::get("/readyz").body(Body::empty()).unwrap();
    let answer = stage.send(ready()).await;
    assert_eq!((answer.status, answer.text.as_str()), (503, "the store does not answer"));
    stage.sql("ALTER TABLE lost RENAME TO cases").await;
    assert_eq!(stage.send(ready()).await.status, 200);
}
