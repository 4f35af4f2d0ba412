//! Faults on the wire: lost calls, lost answers, broken connections.

use serde_json::json;

use crate::server::start;

#[tokio::test]
async fn lost_calls_and_lost_answers_differ_in_what_happened() {
    for (kind, effects) in [("timeout_before", 0), ("drop", 0), ("timeout_after", 1)] {
        let server = start().await;
        let (charge, _) = server.charge(5_000);
        let form = [("charge", charge.as_str())];
        server.stripe.arm_fault(json!({"route": "POST /v1/refunds", "kind": kind})).unwrap();
        assert!(server.try_post("/v1/refunds", &form, Some("key-1")).await.is_err(), "{kind} answered");
        assert_eq!(server.effects("refund.create"), effects, "{kind}");
        let again = server.post_keyed("/v1/refunds", &form, "key-1").await;
        assert_eq!((again.status, again.replayed), (200, effects == 1), "{kind}");
        assert_eq!(server.effects("refund.create"), 1, "{kind}");
    }
}

#[tokio::test]
async fn faults_are_armed_and_disarmed_over_the_wire() {
    let server = start().await;
    let wish = json!({"route": "GET /v1/charges", "kind": "status", "status": 503, "times": 9});
    let armed = server.send(server.request("POST", "/_sim/faults").json(&wish)).await.unwrap();
    assert_eq!(server.get("/v1/charges").await.status, 503);
    let path = format!("/_sim/faults/{}", armed.id());
    assert_eq!(server.send(server.request("DELETE", &path)).await.unwrap().status, 200);
    assert_eq!(server.get("/v1/charges").await.status, 200);
    assert_eq!(server.send(server.request("DELETE", &path)).await.unwrap().status, 404);
}
