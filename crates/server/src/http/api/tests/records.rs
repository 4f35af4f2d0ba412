//! What was received can be looked at: events, what was kept apart, gaps, the audit.

use serde_json::{Value, json};

use super::Stage;
use crate::http::tests::stage::{NOW_S, bytes, event};

#[tokio::test]
async fn an_event_is_shown_as_it_came() {
    let stage = Stage::open().await;
    let mut sent = event("evt_1");
    sent["request"]["idempotency_key"] = "somebody's key".into();
    stage.deliver(&bytes(&sent)).await;
    let shown = stage.get("sam", "/api/v1/events/evt_1").await.json();
    assert_eq!(shown["body"], sent);
    assert_eq!(shown["about"], json!({"kind": "customer", "id": "cus_A"}));
    assert_eq!((&shown["source"], &shown["created"]), (&json!("webhook"), &json!("2026-11-21T00:00:00Z")));
    assert_eq!(shown["request_idempotency_key"], "somebody's key");
    let listed = stage.get("sam", "/api/v1/events").await.json()["data"][0].take();
    assert_eq!(listed["body"], Value::Null, "a list holds no bodies");
    assert_eq!(stage.get("sam", "/api/v1/events/evt_2").await.status, 404);
}

#[tokio::test]
async fn events_are_found_by_type_and_by_object() {
    let stage = Stage::open().await;
    for (id, kind, object) in [
        ("evt_1", "customer.updated", "cus_A"),
        ("evt_2", "customer.created", "cus_B"),
        ("evt_3", "customer.created", "cus_A"),
    ] {
        let mut event = event(id);
        event["type"] = kind.into();
        event["data"]["object"]["id"] = object.into();
        stage.deliver(&bytes(&event)).await;
    }
    for (filter, expected) in [
        ("type=customer.created", vec!["evt_3", "evt_2"]),
        ("object=cus_A", vec!["evt_3", "evt_1"]),
        ("type=customer.created&object=cus_A", vec!["evt_3"]),
        ("type=customer.%2A", vec![]),
        ("object=cus_A%27%20OR%20%271%27=%271", vec![]),
    ] {
        let page = stage.get("sam", &format!("/api/v1/events?{filter}")).await.json();
        let ids: Vec<&str> =
            page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{filter}");
    }
}

#[tokio::test]
async fn what_was_kept_apart_says_why_and_not_what() {
    let stage = Stage::open().await;
    stage.deliver(b"a body with a secret").await;
    let page = stage.get("priya", "/api/v1/quarantine").await;
    let row = page.json()["data"][0].take();
    assert_eq!((&row["object"], &row["reason"]), (&json!("quarantined_event"), &json!("not_json")));
    assert_eq!((&row["source"], &row["lane"]), (&json!("webhook"), &Value::Null));
    assert!(!page.text.contains("secret"));
    let path = format!("/api/v1/quarantine/{}", row["id"].as_str().unwrap());
    let whole = stage.get("olivia", &path).await.json();
    assert_eq!(whole["text"], "a body with a secret");
    assert_eq!(stage.get("sam", &path).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(stage.get("priya", "/api/v1/quarantine/quar_x").await.status, 404);
}

#[tokio::test]
async fn what_was_kept_apart_is_an_alarm_until_somebody_tries_it_again() {
    let stage = Stage::open().await;
    assert_eq!(stage.get("sam", "/api/v1/status").await.json()["status"], "ok");
    stage.deliver(b"not JSON").await;
    let status = stage.get("sam", "/api/v1/status").await.json();
    assert_eq!((&status["status"], &status["quarantined"]), (&json!("degraded"), &json!(1)));
    let words = status["troubles"][0].as_str().unwrap();
    assert!(words.starts_with("one event of Stripe's cannot be used"), "{words}");
    let id = stage.get("priya", "/api/v1/quarantine").await.json()["data"][0]["id"].clone();
    let path = format!("/api/v1/quarantine/{}/retry", id.as_str().unwrap());
    for name in ["sam", "carl", "olivia"] {
        assert_eq!(stage.post(name, &path, &json!({})).await.refusal(), (403, "forbidden".to_owned()));
    }
    let tried = stage.post("priya", &path, &json!({})).await;
    assert_eq!((tried.status, &tried.json()["state"]), (200, &json!("refused")), "{}", tried.text);
    assert!(tried.json()["why"].as_str().unwrap().contains("not JSON"), "{}", tried.text);
    assert_eq!(stage.audited("quarantine.retried").await.len(), 1);
    assert_eq!(stage.get("sam", "/api/v1/status").await.json()["status"], "ok", "somebody looked");
    let unknown = stage.post("priya", "/api/v1/quarantine/quar_x/retry", &json!({})).await;
    assert_eq!(unknown.refusal(), (404, "resource_missing".to_owned()));
    assert_eq!(stage.audited("quarantine.retried").await.len(), 1);
}

#[tokio::test]
async fn a_backfill_reads_what_no_webhook_brought() {
    let stage = Stage::open().await;
    stage.charge(5_000, "usd");
    let body = json!({"since_s": NOW_S - 3_600});
    let first = stage.post("priya", "/api/v1/events/backfill", &body).await.json();
    let found = first["new_events"].as_i64().unwrap();
    assert!(found > 0, "{first}");
    assert_eq!(stage.count("SELECT COUNT(*) FROM events WHERE source = 'backfill'").await, found);
    let again = stage.post("priya", "/api/v1/events/backfill", &body).await.json();
    assert_eq!(again["new_events"], 0, "{again}");
    assert_eq!(first["as_of_s"], NOW_S + 1, "what the next part counts from");
    for since_s in [i64::MAX, i64::MIN, 0, -1] {
        let answer = stage.post("priya", "/api/v1/events/backfill", &json!({"since_s": since_s})).await;
        assert_eq!(answer.status, 200, "{since_s}: {}", answer.text);
    }
    let part = json!({"since_s": 90, "until_s": 30, "as_of_s": NOW_S});
    let answer = stage.post("priya", "/api/v1/events/backfill", &part).await.json();
    assert_eq!((&answer["as_of_s"], &answer["until_s"]), (&json!(NOW_S), &json!(30)));
    for body in [
        json!({}),
        json!({"since_s": 60, "until_s": "now"}),
        json!({"since_s": "yesterday"}),
        json!({"since_s": 1.5}),
        json!({"since_s": 1, "lane": "x"}),
    ] {
        assert_eq!(stage.post("priya", "/api/v1/events/backfill", &body).await.status, 422, "{body}");
    }
}

#[tokio::test]
async fn the_same_event_by_webhook_and_by_poll_is_one() {
    let stage = Stage::open().await;
    let made = stage.stripe.trigger("charge.succeeded", json!({"amount": 5_000})).unwrap();
    let mut sent = made["event"].clone();
    sent["pending_webhooks"] = 7.into();
    assert_eq!(stage.deliver(&bytes(&sent)).await.status, 200);
    stage.post("priya", "/api/v1/events/backfill", &json!({"since_s": NOW_S - 3_600})).await;
    let id = sent["id"].as_str().unwrap();
    assert_eq!(stage.count(&format!("SELECT COUNT(*) FROM events WHERE id = '{id}'")).await, 1);
    assert_eq!(stage.count("SELECT COUNT(*) FROM quarantine").await, 0);
}

#[tokio::test]
async fn the_audit_is_read_and_checked() {
    let stage = Stage::open().await;
    stage.deliver(&bytes(&event("evt_1"))).await;
    stage.asked().await;
    let refused = stage.get("sam", "/api/v1/audit/verify").await.refusal();
    assert_eq!(refused, (403, "forbidden".to_owned()), "the whole audit is not read for everybody");
    assert_eq!(stage.get("olivia", "/api/v1/audit/verify").await.status, 200);
    let report = stage.get("carl", "/api/v1/audit/verify").await.json();
    assert_eq!(report["ok"], true, "{report}");
    assert!(report["entries"].as_i64().unwrap() + report["unsealed"].as_i64().unwrap() > 5, "{report}");
    let page = stage.get("carl", "/api/v1/audit?limit=100").await.json();
    let kinds: Vec<&str> =
        page["data"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"events.accepted") && kinds.contains(&"token.made"), "{kinds:?}");
    let text = page.to_string();
    for private in ["a@example.com", "ordered twice", "bursar_user_"] {
        assert!(!text.contains(private), "the audit holds ids and amounts only: {private}");
    }
}
