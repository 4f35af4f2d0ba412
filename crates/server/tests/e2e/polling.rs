//! `bursar serve` beside a separately started `bursar sim serve`, hearing by polling only: the same as the demo, with no
//! way in. Here the engine or its Stripe is killed alone.

use serde_json::{Value, json};

use crate::stage::{Charge, Pair, until};

#[test]
fn polling_alone_is_enough() {
    let pair = Pair::start("");
    let site = &pair.site;
    let made = site.trigger("invoice.payment_failed", &json!({"amount": 64_000}));
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap();
    let case = site.case_about(invoice, |case| case["class"].is_string());
    assert_eq!((&case["playbook"], &case["amount"]), (&json!("recovery"), &json!(64_000)));
    let kept = site.get("operator", &format!("/events/{}", made["event"]["id"].as_str().unwrap()));
    assert_eq!(kept["source"], "poll");

    let charge = site.charge(50_001..=i64::MAX);
    let asked = site.ask(&charge);
    assert_eq!(site.vote("controller", &asked, "approve").status, 200);
    let done = site.approval_once(&asked, "executed");
    let refunds = site.refunds_of(&charge.id);
    assert_eq!(refunds.len(), 1);
    assert_eq!(refunds[0]["idempotency_key"], done["receipt"]["idempotency_key"]);
    until("our own effect to be heard of", || {
        let events = site.all("operator", "/events?type=refund.created");
        let ours = |event: &Value| event["request_idempotency_key"] == done["receipt"]["idempotency_key"];
        events.iter().any(ours).then_some(())
    });
    let report = pair.bursar("audit verify --json").json(0);
    assert_eq!(report["ok"], true);
}

#[test]
fn what_happened_while_it_was_away_is_found() {
    let mut pair = Pair::start("");
    pair.serve.kill();
    let made = pair.site.trigger("invoice.payment_failed", &json!({}));
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap();
    let pair = pair.serve_again();
    pair.site.case_about(invoice, |case| case["class"].is_string());
}

/// The engine dies with a call under way; its Stripe lives and has carried the call out, or never will.
#[test]
fn only_the_engine_is_killed() {
    let mut pair = Pair::start("");
    let faults = [
        (json!({"kind": "timeout_after"}), 1),
        (json!({"kind": "status", "status": 500}), 1),
        (json!({"kind": "hang"}), 0),
    ];
    for (mut fault, effects) in faults {
        let charge = pair.site.charge(50_001..=i64::MAX);
        // Half of it: a second refund would find money to take.
        let charge = Charge { amount: charge.amount / 2, ..charge };
        let asked = pair.site.ask(&charge);
        fault["route"] = json!("POST /v1/refunds");
        pair.site.arm(&fault);
        assert_eq!(pair.site.vote("controller", &asked, "approve").status, 200);
        let look = pair.site.arm(&json!({"route": "GET /v1/refunds", "kind": "hang", "times": 1_000}));
        until("the call to be made", || (!pair.site.is_armed("POST /v1/refunds")).then_some(()));
        assert_eq!(pair.site.refunds_of(&charge.id).len(), effects, "{fault}");
        pair.serve.kill();
        pair.site.disarm(&look);
        pair = pair.serve_again();
        let done = pair.site.approval_once(&asked, "executed");
        let refunds = pair.site.refunds_of(&charge.id);
        assert_eq!(refunds.len(), 1, "{fault}: {refunds:?}");
        assert_eq!(refunds[0]["idempotency_key"], done["receipt"]["idempotency_key"]);
    }
    assert_eq!(pair.bursar("audit verify --json").json(0)["ok"], true);
}

/// An approved refund waits for a Stripe that is down, says so, and happens once when Stripe is back.
#[test]
fn a_stripe_that_is_down() {
    let mut pair = Pair::start("");
    let charge = pair.site.charge(50_001..=i64::MAX);
    let asked = pair.site.ask(&charge);
    pair.sim.kill();
    assert_eq!(pair.site.vote("controller", &asked, "approve").status, 200, "a vote needs no Stripe");
    until("the installation to say so", || {
        let status = pair.site.get("operator", "/status");
        (status["status"] == "degraded" && status["lanes"][0]["last_error"].is_string()).then_some(())
    });
    assert_eq!(pair.site.approval(asked["id"].as_str().unwrap())["status"], "approved");
    pair.sim_again();
    let done = pair.site.approval_once(&asked, "executed");
    let refunds = pair.site.refunds_of(&charge.id);
    assert_eq!(refunds.len(), 1);
    assert_eq!(refunds[0]["idempotency_key"], done["receipt"]["idempotency_key"]);
    pair.connected();
}

/// Until Stripe has said whose account it is, its webhooks are to come again, and other people's are refused as ever.
#[test]
fn webhooks_before_the_account_is_known() {
    let mut pair = Pair::start_without_stripe();
    let event = json!({"id": "evt_early", "object": "event", "type": "customer.updated", "livemode": false,
        "created": 1_795_219_200, "api_version": "2026-10-28.endive", "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null}, "data": {"object": {"id": "cus_1", "object": "customer"}}});
    assert_eq!(pair.site.try_post_event(&event).unwrap(), 503);
    assert_eq!(pair.site.try_post_signed(&event, "whsec_of_somebody_else").unwrap(), 400);
    pair.sim_again();
    pair.connected();
    assert_eq!(pair.site.try_post_event(&event).unwrap(), 200);
    assert_eq!(pair.site.try_post_signed(&event, "whsec_of_somebody_else").unwrap(), 400);
    assert_eq!(pair.site.get("operator", "/events/evt_early")["source"], "webhook");
}
