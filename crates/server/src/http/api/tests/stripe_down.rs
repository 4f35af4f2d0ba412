//! Rows 125 to 141 as far as a caller meets them: Stripe's bad days, when something is asked for and when it is done.

use serde_json::{Value, json};

use super::{Answer, Stage};
use crate::http::tests::stage::Setup;

const PATH: &str = "/api/v1/refund_requests";

async fn ask(stage: &Stage, charge: &str) -> Answer {
    stage.post("sam", PATH, &json!({"charge": charge, "amount": 5_000, "reason": "duplicate"})).await
}

fn arm(stage: &Stage, route: &str, kind: &str, status: u16) {
    let wish = json!({"route": route, "kind": kind, "status": status, "effect": false, "times": 1});
    stage.stripe.arm_fault(wish).unwrap();
}

#[tokio::test]
async fn a_read_that_fails_changes_nothing_and_says_so() {
    let stage = Stage::open().await;
    let charge = stage.charge(5_000, "usd");
    for (row, kind, fault, status, code) in [
        ("130", "status", 401, 502, "stripe_key_refused"),
        ("131", "status", 403, 502, "stripe_permission_missing"),
        ("132", "status", 404, 404, "resource_missing"),
        ("137", "status", 429, 503, "stripe_unavailable"),
        ("139", "status", 500, 503, "stripe_unavailable"),
        ("a bad gateway", "status", 502, 503, "stripe_unavailable"),
        ("no service", "status", 503, 503, "stripe_unavailable"),
        ("no answer", "timeout_before", 500, 503, "stripe_unavailable"),
        ("a broken line", "drop", 500, 503, "stripe_unavailable"),
    ] {
        arm(&stage, "GET /v1/charges/{id}", kind, fault);
        let answer = ask(&stage, &charge).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{row}: {}", answer.text);
        if status >= 500 {
            assert!(answer.text.contains("nothing was changed"), "{row}: {}", answer.text);
        }
        assert_eq!(answer.header("retry-after").is_empty(), status != 503, "{row}");
        assert_eq!(stage.count("SELECT COUNT(*) FROM proposals").await, 0, "{row}");
    }
    assert_eq!(ask(&stage, &charge).await.status, 201, "and then it works");
    stage.settle().await;
    assert_eq!(stage.refunds(), 1);
}

#[tokio::test]
async fn a_seller_who_left_is_in_nobodys_way() {
    let stage = Stage::open_as(Setup { lost_seller: true, ..Setup::default() }).await;
    let charge = stage.charge(5_000, "usd");
    assert_eq!(ask(&stage, &charge).await.status, 201);
    stage.settle().await;
    assert_eq!(stage.refunds(), 1);
    // Where the charge is not found, nobody can say whether it is theirs.
    let answer = ask(&stage, "ch_nobodys").await;
    assert_eq!(answer.refusal(), (502, "stripe_key_refused".to_owned()));
    assert!(!answer.text.contains("sk_test"), "{}", answer.text);
}

/// The refund of a charge when the write meets a fault.
async fn refund_meeting(stage: &Stage, kind: &str, status: u16) -> Value {
    let charge = stage.charge(5_000, "usd");
    arm(stage, "POST /v1/refunds", kind, status);
    let asked = ask(stage, &charge).await;
    assert_eq!(asked.status, 201, "{}", asked.text);
    stage.settle().await;
    let case =
        stage.get("sam", &format!("/api/v1/cases/{}", asked.json()["case"].as_str().unwrap())).await.json();
    case["proposals"][0].clone()
}

#[tokio::test]
async fn a_write_that_is_refused_moves_no_money() {
    let stage = Stage::open().await;
    for (row, status) in [("133", 402), ("131", 403), ("132", 404), ("a plain no", 400)] {
        let proposal = refund_meeting(&stage, "status", status).await;
        assert_eq!(proposal["state"], "refused", "{row}: {proposal}");
        assert_eq!(stage.refunds(), 0, "{row}");
    }
}

#[tokio::test]
async fn a_key_that_is_refused_stops_the_lane() {
    let stage = Stage::open().await;
    refund_meeting(&stage, "status", 401).await;
    assert_eq!(stage.refunds(), 0, "130");
    let status = stage.get("priya", "/api/v1/status").await.json();
    assert_eq!(status["status"], "degraded", "130: {status}");
    assert_eq!(status["kill_switches"].as_array().unwrap().len(), 1, "130: {status}");
    let charge = stage.charge(5_000, "usd");
    let asked = ask(&stage, &charge).await;
    stage.settle().await;
    assert_eq!(stage.refunds(), 0, "130: no storm: {}", asked.text);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_happens_once() {
    let stage = Stage::open().await;
    for (number, (row, kind, status)) in [
        ("141", "timeout_after", 500),
        ("137", "status", 429),
        ("129", "status", 409),
        ("503", "status", 503),
    ]
    .into_iter()
    .enumerate()
    {
        let proposal = refund_meeting(&stage, kind, status).await;
        let mut state = proposal["state"].clone();
        for _ in 0..3 {
            if state == "done" {
                break;
            }
            // It waits by the machine's clock, and is woken by it.
            let now_s = stage.engine.clocks().machine().unix_s();
            stage.set_machine_s(now_s + 120);
            stage.settle().await;
            let cases = stage.get("sam", "/api/v1/cases?limit=1").await.json();
            let path = format!("/api/v1/cases/{}", cases["data"][0]["id"].as_str().unwrap());
            state = stage.get("sam", &path).await.json()["proposals"][0]["state"].clone();
        }
        assert_eq!((&state, stage.refunds()), (&json!("done"), number + 1), "{row}");
    }
}
