//! Idempotency keys, with Stripe's semantics.

use serde_json::json;

use crate::server::start;

const DAY_S: u32 = 86_400;

#[tokio::test]
async fn a_repeated_call_answers_the_same_and_does_nothing() {
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    let form = [("charge", charge.as_str()), ("amount", "1000")];
    let first = server.post_keyed("/v1/refunds", &form, "key-1").await;
    let again = server.post_keyed("/v1/refunds", &form, "key-1").await;
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.body, again.body);
    assert_eq!(server.effects("refund.create"), 1);
    let entry = server.stripe.ledger().pop().unwrap();
    assert_eq!((entry["idempotency_key"].as_str(), entry["amount"].as_i64()), (Some("key-1"), Some(1000)));
}

#[tokio::test]
async fn other_parameters_under_the_same_key_are_an_error() {
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    server.post_keyed("/v1/refunds", &[("charge", &charge), ("amount", "1000")], "key-1").await;
    let other = server.post_keyed("/v1/refunds", &[("charge", &charge), ("amount", "2000")], "key-1").await;
    assert_eq!((other.status, other.body["error"]["type"].as_str()), (400, Some("idempotency_error")));
    assert_eq!(server.effects("refund.create"), 1);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_of_business_time() {
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    let form = [("charge", charge.as_str()), ("amount", "1000")];
    server.post_keyed("/v1/refunds", &form, "key-1").await;
    server.stripe.advance(DAY_S - 60).unwrap();
    assert!(server.post_keyed("/v1/refunds", &form, "key-1").await.replayed);
    server.stripe.advance(120).unwrap();
    assert!(!server.post_keyed("/v1/refunds", &form, "key-1").await.replayed);
    assert_eq!(server.effects("refund.create"), 2, "an old key protects nothing");
}

#[tokio::test]
async fn a_decline_is_stored_and_a_validation_error_is_not() {
    let server = start().await;
    let failed = server.stripe.trigger("invoice.payment_failed", json!({})).unwrap();
    let pay = format!("/v1/invoices/{}/pay", failed["event"]["data"]["object"]["id"].as_str().unwrap());
    let attempts = server.effects("charge.fail");
    let first = server.post_keyed(&pay, &[], "key-1").await;
    let again = server.post_keyed(&pay, &[], "key-1").await;
    assert_eq!((first.status, again.status, again.replayed), (402, 402, true));
    assert_eq!(server.effects("charge.fail"), attempts + 1);
    let (charge, _) = server.charge(5_000);
    let invalid = server.post_keyed("/v1/refunds", &[("charge", &charge), ("amount", "x")], "key-2").await;
    let valid = server.post_keyed("/v1/refunds", &[("charge", &charge), ("amount", "5")], "key-2").await;
    assert_eq!((invalid.status, valid.status, valid.replayed), (400, 200, false));
}

#[tokio::test]
async fn a_stored_failure_comes_back_without_an_effect() {
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    let form = [("charge", charge.as_str())];
    let wish = json!({"route": "POST /v1/refunds", "kind": "status", "status": 500, "effect": false});
    server.stripe.arm_fault(wish).unwrap();
    let first = server.post_keyed("/v1/refunds", &form, "key-1").await;
    let again = server.post_keyed("/v1/refunds", &form, "key-1").await;
    assert_eq!((first.status, first.replayed), (500, false));
    assert_eq!((again.status, again.replayed), (500, true));
    assert_eq!(server.effects("refund.create"), 0);
    assert_eq!(server.post_keyed("/v1/refunds", &form, "key-2").await.status, 200);
}

#[tokio::test]
async fn a_failure_can_lie_about_what_happened() {
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    let form = [("charge", charge.as_str())];
    server.stripe.arm_fault(json!({"route": "POST /v1/refunds", "kind": "status", "status": 500})).unwrap();
    assert_eq!(server.post_keyed("/v1/refunds", &form, "key-1").await.status, 500);
    assert_eq!(server.post_keyed("/v1/refunds", &form, "key-1").await.status, 500);
    assert_eq!(server.effects("refund.create"), 1);
    let refunds = server.get(&format!("/v1/refunds?charge={charge}")).await;
    assert_eq!(refunds.ids().len(), 1);
}

#[tokio::test]
async fn a_key_that_is_still_in_use_is_a_conflict() {
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    let form = [("charge", charge.as_str())];
    server.stripe.arm_fault(json!({"route": "POST /v1/refunds", "kind": "hang"})).unwrap();
    let hanging = server.try_post("/v1/refunds", &form, Some("key-1"));
    let conflict = async {
        // The hanging call is under way once its fault is spent.
        while server.get("/_sim/faults").await.body["data"].as_array().is_some_and(|left| !left.is_empty()) {
            tokio::task::yield_now().await;
        }
        server.post_keyed("/v1/refunds", &form, "key-1").await
    };
    let conflict = tokio::select! {
        answer = hanging => panic!("a hanging call was answered: {answer:?}"),
        answer = conflict => answer,
    };
    assert_eq!((conflict.status, conflict.code()), (409, "idempotency_key_in_use"));
    assert_eq!(server.effects("refund.create"), 0);
}

#[tokio::test]
async fn keys_have_at_most_255_characters() {
    let server = start().await;
    let (charge, _) = server.charge(5_000);
    let key = "k".repeat(256);
    assert_eq!(server.post_keyed("/v1/refunds", &[("charge", &charge)], &key).await.status, 400);
}
