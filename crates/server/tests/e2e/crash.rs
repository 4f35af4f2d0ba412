//! Killed between intent and outcome, in every way that an answer can fail to arrive: started again, the refund has
//! happened exactly once, and the program knows it.

use serde_json::{Value, json};

use crate::oracle::Oracle;
use crate::stage::{Charge, Demo, until};

const REFUND: &str = "POST /v1/refunds";
/// Looking whether it happened. Kept from an answer until the kill, so that the kill is always before the outcome.
const LOOK: &str = "GET /v1/refunds";
const VERIFY: &str = "audit verify --json";

/// A demo that makes no refund of its own any more: none takes a fault that is meant for ours.
fn quiet() -> Demo {
    let demo = Demo::start();
    demo.quiet();
    demo
}

/// Kills the program once the call has suffered `fault` and `effects` of it stand in the ledger; gives the approval and
/// the demo that came after.
#[track_caller]
fn killed_after(fault: &Value, effects: usize) -> (Demo, Value) {
    let demo = quiet();
    let charge = demo.charge(50_001..=i64::MAX);
    // Half of it: a second refund would find money to take, and Stripe would not say no.
    let charge = Charge { amount: charge.amount / 2, ..charge };
    let asked = demo.ask(&charge);
    let mut fault = fault.clone();
    fault["route"] = json!(REFUND);
    demo.arm(&fault);
    assert_eq!(demo.vote("controller", &asked, "approve").status, 200);
    demo.arm(&json!({"route": LOOK, "kind": "hang", "times": 1_000}));
    until("the call to be made", || (!demo.is_armed(REFUND)).then_some(()));
    assert_eq!(demo.refunds_of(&charge.id).len(), effects, "{fault}");
    let execution = |demo: &Demo| {
        let case = demo.get("operator", &format!("/cases/{}", asked["case"].as_str().unwrap()));
        case["proposals"][0]["execution"].clone()
    };
    let before = execution(&demo);
    assert!(before["finished_at"].is_null(), "killed too late: {before}");

    let demo = demo.killed_and_again();
    let done = demo.approval_once(&asked, "executed");
    demo.quiet();
    let refunds = demo.refunds_of(&charge.id);
    assert_eq!(refunds.len(), 1, "{fault}: {refunds:?}");
    assert_eq!(refunds[0]["amount"], charge.amount);
    assert_eq!(refunds[0]["idempotency_key"], done["receipt"]["idempotency_key"]);
    assert_eq!(refunds[0]["object"], done["receipt"]["object"]);
    assert_eq!(execution(&demo)["idempotency_key"], before["idempotency_key"], "one key for good");
    Oracle::of(&demo, demo.bursar(VERIFY)).check();
    (demo, done)
}

#[test]
fn a_lost_answer() {
    let (_demo, done) = killed_after(&json!({"kind": "timeout_after"}), 1);
    assert_eq!(done["receipt"]["known_by"], "found by metadata", "it was looked up, not sent again");
}

#[test]
fn a_lost_call() {
    killed_after(&json!({"kind": "timeout_before"}), 0);
}

#[test]
fn a_call_that_is_under_way() {
    killed_after(&json!({"kind": "hang"}), 0);
}

#[test]
fn a_reset_connection() {
    killed_after(&json!({"kind": "drop"}), 0);
}

/// Stripe keeps a 500 and replays it for as long as it keeps the key: sending again would never tell.
#[test]
fn a_stored_500_that_had_its_effect() {
    let (_demo, done) = killed_after(&json!({"kind": "status", "status": 500}), 1);
    assert_eq!(done["receipt"]["known_by"], "found by metadata");
}

/// Without a kill the same holds: the answer is lost, several times over, and the refund happens once.
#[test]
fn answers_lost_again_and_again() {
    let demo = quiet();
    let charge = demo.charge(50_001..=i64::MAX);
    let asked = demo.ask(&charge);
    demo.arm(&json!({"route": REFUND, "kind": "timeout_before", "times": 2}));
    assert_eq!(demo.vote("controller", &asked, "approve").status, 200);
    let done = demo.approval_once(&asked, "executed");
    assert_eq!(demo.refunds_of(&charge.id).len(), 1);
    assert_eq!(done["receipt"]["sends"], 3);
    Oracle::of(&demo, demo.bursar(VERIFY)).check();
}

/// 429, 503 and 409 say that nothing was done: the same key again, later.
#[test]
fn not_now() {
    for status in [429, 503] {
        let demo = quiet();
        let charge = demo.charge(50_001..=i64::MAX);
        let asked = demo.ask(&charge);
        demo.arm(&json!({"route": REFUND, "kind": "status", "status": status, "times": 2}));
        assert_eq!(demo.vote("controller", &asked, "approve").status, 200);
        demo.approval_once(&asked, "executed");
        assert_eq!(demo.refunds_of(&charge.id).len(), 1, "{status}");
    }
}
