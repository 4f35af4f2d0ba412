//! The spine: a signed event becomes one case; a refund is asked for, approved, made once, and leaves a receipt and an
//! audit that verifies.

use serde_json::{Value, json};

use crate::stage::{Demo, until};

#[test]
fn a_signed_event_posted_twice_makes_one_case() {
    let demo = Demo::start();
    let made = demo.trigger("invoice.payment_failed", &json!({"amount": 64_000}));
    let event = &made["event"];
    assert_eq!(demo.try_post_event(event).unwrap(), 200);
    assert_eq!(demo.try_post_event(event).unwrap(), 200);
    let invoice = event["data"]["object"]["id"].as_str().unwrap();
    let case = demo.case_about(invoice, |case| case["class"].is_string());
    assert_eq!((&case["playbook"], &case["amount"]), (&json!("recovery"), &json!(64_000)));
    demo.quiet();
    demo.case_about(invoice, |_| true);
    let kept = demo.all("operator", &format!("/events?object={invoice}"));
    assert_eq!(kept.iter().filter(|kept| kept["id"] == event["id"]).count(), 1);
}

#[test]
fn an_event_that_is_not_signed_is_not_kept() {
    let demo = Demo::start();
    let mut event = demo.trigger("customer.updated", &json!({}))["event"].clone();
    event["id"] = json!("evt_nobodysigned");
    let url = demo.program.told["ingest_url"].as_str().unwrap();
    let forged = [
        vec![],
        vec![("stripe-signature", "t=1,v1=00".to_owned())],
        vec![("stripe-signature", format!("t={},v1={}", 1_795_219_200, "ab".repeat(32)))],
    ];
    for headers in forged {
        let load =
            crate::stage::Load { headers, body: Some(event.to_string().into_bytes()), ..Default::default() };
        assert_eq!(demo.web.call(reqwest::Method::POST, url, load).unwrap().status, 400);
    }
    let missing = demo.try_call("operator", reqwest::Method::GET, "/events/evt_nobodysigned", None).unwrap();
    assert_eq!(missing.status, 404);
}

#[test]
fn a_refund_over_the_limit_asks_and_happens_once() {
    let demo = Demo::start();
    let charge = demo.charge(50_001..=i64::MAX);
    let asked = demo.ask(&charge);
    assert_eq!((&asked["status"], &asked["may_decide"]), (&json!("pending"), &json!(true)));
    assert_eq!(asked["card"]["title"]["amount"], charge.amount);
    assert!(demo.refunds_of(&charge.id).is_empty(), "nothing happens before somebody decides");

    // Whoever asked does not decide, nobody decides on what they did not see, and support decides nothing.
    assert_eq!(demo.vote("operator", &asked, "approve").code(), "own_proposal");
    let mut other = asked.clone();
    other["digest"] = json!("0".repeat(64));
    assert_eq!(demo.vote("controller", &other, "approve").code(), "digest_changed");
    assert_eq!(demo.vote("support", &asked, "approve").status, 403);
    assert!(demo.refunds_of(&charge.id).is_empty());

    assert_eq!(demo.vote("controller", &asked, "approve").status, 200);
    let done = demo.approval_once(&asked, "executed");
    assert_eq!(demo.vote("controller", &asked, "approve").status, 409, "one vote each");

    let effects = demo.refunds_of(&charge.id);
    assert_eq!(effects.len(), 1, "{effects:?}");
    let receipt = &done["receipt"];
    assert_eq!(effects[0]["amount"], charge.amount);
    assert_eq!(effects[0]["idempotency_key"], receipt["idempotency_key"]);
    assert_eq!(effects[0]["metadata"]["bursar_action"], asked["proposal"]);
    assert_eq!(effects[0]["object"], receipt["object"]);
    let changes = receipt["changes"].as_array().unwrap();
    assert!(!changes.is_empty());
    for change in changes {
        assert!(change["predicted"] == change["actual"] && change["agrees"] == true, "{change}");
    }

    let case = demo.get("operator", &format!("/cases/{}", asked["case"].as_str().unwrap()));
    let kinds: Vec<&str> =
        case["timeline"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["proposal", "vote", "execution"]);
    assert_eq!(case["state"], "closed");

    let report = until("everything to be sealed", || {
        let report = demo.bursar("audit verify --json").json(0);
        (report["unsealed"] == 0).then_some(report)
    });
    assert_eq!((&report["ok"], &report["first_bad"]), (&json!(true), &Value::Null));
    assert!(report["entries"].as_i64().unwrap() > 0);
}

#[test]
fn a_rejected_refund_never_happens() {
    let demo = Demo::start();
    let charge = demo.charge(50_001..=i64::MAX);
    let asked = demo.ask(&charge);
    assert_eq!(demo.vote("controller", &asked, "reject").status, 200);
    demo.approval_once(&asked, "rejected");
    assert_eq!(demo.vote("controller", &asked, "approve").status, 409);
    demo.quiet();
    assert!(demo.refunds_of(&charge.id).is_empty());
}

#[test]
fn a_small_refund_needs_nobody_and_too_much_is_refused() {
    let demo = Demo::start();
    let (charge, other) = (demo.charge(1_000..=10_000), demo.charge(1_000..=10_000));
    let over = json!({"charge": other.id, "amount": other.amount + 1, "reason": "duplicate"});
    let refused = demo.post("support", "/refund_requests", &over);
    assert_eq!((refused.status, refused.code()), (422, "amount_too_large"));
    for body in [
        json!({"charge": other.id, "amount": 0, "reason": "duplicate"}),
        json!({"charge": other.id, "amount": 100, "reason": "duplicate", "tenant": 1}),
        json!({"charge": "ch_none", "amount": 100, "reason": "duplicate"}),
        json!({"charge": other.id, "amount": 100, "currency": "eur", "reason": "duplicate"}),
    ] {
        let answer = demo.post("support", "/refund_requests", &body);
        assert!(matches!(answer.status, 403 | 404 | 422), "{body}: {answer:?}");
    }
    assert!(demo.refunds_of(&other.id).is_empty());

    // What is left out means all that is left.
    let body = json!({"charge": charge.id, "reason": "duplicate"});
    let asked = demo.post("support", "/refund_requests", &body).ok();
    assert_eq!((&asked["status"], &asked["amount"]), (&json!("approved"), &json!(charge.amount)));
    let case = demo.case_about(&charge.id, |case| case["state"] == "closed");
    assert_eq!(case["outcome"], "done");
    let effects = demo.refunds_of(&charge.id);
    assert_eq!((effects.len(), &effects[0]["amount"]), (1, &json!(charge.amount)));
    assert_eq!(demo.post("support", "/refund_requests", &body).status, 422, "nothing is left");
}

#[test]
fn a_disputed_charge_is_not_refunded() {
    let demo = Demo::start();
    let made = demo.trigger("charge.dispute.created", &json!({"amount": 5_000}));
    let charge = made["event"]["data"]["object"]["charge"].as_str().unwrap();
    let body = json!({"charge": charge, "amount": 1_000, "reason": "duplicate"});
    let denied = demo.post("operator", "/refund_requests", &body);
    assert_eq!((denied.status, denied.code()), (403, "blocked_by_policy"));
    demo.quiet();
    assert!(demo.refunds_of(charge).is_empty());
}
