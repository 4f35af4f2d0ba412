//! A stored 500 without an effect: only two complete looks a minute apart prove that nothing happened.

use bursar_domain::actor::Actor;
use bursar_domain::role::Role;
use bursar_engine::{NewPerson, RefundRequest};
use serde_json::{Value, json};

use crate::stage::Clockwork;

/// Asks for a small refund that needs nobody; answers its case.
async fn refund(clockwork: &Clockwork) -> Value {
    let person = NewPerson {
        email: "sam@northwind.example".to_owned(),
        name: "Sam Okafor".to_owned(),
        roles: vec![Role::Support],
        password_hash: None,
    };
    let id = clockwork.engine.save_person(&Actor::Engine, person).await.unwrap();
    let charges = clockwork.stripe.charges();
    let fits = |charge: &&Value| {
        charge["paid"] == true
            && charge["currency"] == "usd"
            && charge["disputed"] == false
            && charge["amount_refunded"] == 0
    };
    let charge = charges.iter().find(fits).unwrap()["id"].as_str().unwrap().to_owned();
    let request = RefundRequest {
        charge,
        amount: Some(500),
        currency: None,
        reason: "duplicate".to_owned(),
        lane: None,
    };
    let actor = Actor::Person { id, name: "Sam Okafor".to_owned() };
    clockwork.engine.request_refund(actor, vec![Role::Support], request).await.unwrap().to_json()["case"]
        .clone()
}

/// The case's execution once it is in this state, and how many seconds of machine time that took.
async fn execution_once(clockwork: &Clockwork, case: &Value, state: &str) -> (Value, i64) {
    let now = async || {
        let execution = clockwork.case(case).await["proposals"][0]["execution"].clone();
        (execution["state"] == state).then_some(execution)
    };
    clockwork.until(&format!("{state} of {case}"), now).await
}

fn refunds(clockwork: &Clockwork) -> usize {
    clockwork.stripe.ledger().iter().filter(|entry| entry["kind"] == "refund.create").count()
}

#[tokio::test]
async fn two_looks_a_minute_apart_end_it_as_no_effect() {
    let folder = tempfile::tempdir().unwrap();
    let clockwork = Clockwork::start(folder.path(), None).await;
    let fault = json!({"route": "POST /v1/refunds", "kind": "status", "status": 500, "effect": false});
    clockwork.stripe.arm_fault(fault).unwrap();
    let case = refund(&clockwork).await;
    execution_once(&clockwork, &case, "unknown").await;
    let (execution, took_s) = execution_once(&clockwork, &case, "no_effect").await;
    assert!((60..120).contains(&took_s), "two looks at least a minute apart: {took_s} s");
    assert_eq!(execution["sends"], 1, "never sent again: Stripe would replay the 500");
    assert_eq!(refunds(&clockwork), 0);
    let case = clockwork.case(&case).await;
    assert_eq!((&case["state"], &case["proposals"][0]["state"]), (&json!("closed"), &json!("no_effect")));
    assert!(clockwork.engine.verify_audit().await.unwrap().ok);
    clockwork.engine.stop().await;
}

#[tokio::test]
async fn a_look_that_finds_it_ends_it_as_done() {
    let folder = tempfile::tempdir().unwrap();
    let clockwork = Clockwork::start(folder.path(), None).await;
    clockwork
        .stripe
        .arm_fault(json!({"route": "POST /v1/refunds", "kind": "status", "status": 500}))
        .unwrap();
    let case = refund(&clockwork).await;
    let (execution, took_s) = execution_once(&clockwork, &case, "done").await;
    assert!(took_s < 60, "the first look is enough: {took_s} s");
    assert_eq!((refunds(&clockwork), &execution["sends"]), (1, &json!(1)));
    clockwork.engine.stop().await;
}
