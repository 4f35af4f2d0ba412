//! Ends and beginnings: a restart goes on where the last run ended, one process owns a data directory, business time moves
//! only when somebody moves it.

use std::time::Duration;

use bursar_domain::time::MachineTime;
use bursar_engine::Clocks;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Demo, until};

#[test]
fn a_restart_resumes_addresses_tokens_secrets_and_cases() {
    let mut demo = Demo::start();
    let asked = demo.ask(&demo.charge(50_001..=i64::MAX));
    let invoice = {
        let made = demo.trigger("invoice.payment_failed", &json!({}));
        made["event"]["data"]["object"]["id"].as_str().unwrap().to_owned()
    };
    demo.case_about(&invoice, |case| case["class"].is_string());
    demo.quiet();
    let cases = demo.all("operator", "/cases");
    let (told, now) = (demo.program.told.clone(), demo.sim(Method::GET, "/clock", None));

    assert!(demo.program.terminate().success(), "SIGTERM is a request, and not a failure");
    let mut demo = demo.again();
    assert_eq!(demo.program.told, told);
    assert_eq!(demo.sim(Method::GET, "/clock", None), now);
    demo.quiet();
    assert_eq!(demo.all("operator", "/cases"), cases);
    assert_eq!(demo.vote("controller", &asked, "approve").status, 200, "the question is still open");
    demo.approval_once(&asked, "executed");

    // The same after a kill.
    demo.program.kill();
    let demo = demo.again();
    assert_eq!(demo.program.told, told);
    assert_eq!(demo.approval(asked["id"].as_str().unwrap())["status"], "executed");
    assert_eq!(demo.bursar("audit verify --json").json(0)["ok"], true);
}

/// Somebody watches, a call to Stripe is under way, events come in: none of it holds up the end.
#[test]
fn a_stop_takes_seconds_in_the_middle_of_things() {
    let mut demo = Demo::start();
    demo.quiet();
    let charge = demo.charge(50_001..=i64::MAX);
    let asked = demo.ask(&charge);
    demo.arm(&json!({"route": "POST /v1/refunds", "kind": "hang"}));
    let _watching = demo.watch();
    assert_eq!(demo.vote("controller", &asked, "approve").status, 200);
    until("the call to be made", || (!demo.is_armed("POST /v1/refunds")).then_some(()));
    let began = machine_now();
    assert!(demo.program.terminate().success());
    let took = machine_now().since(began);
    assert!(took < Duration::from_secs(10), "{took:?}");
    let demo = demo.again();
    demo.approval_once(&asked, "executed");
    assert_eq!(demo.refunds_of(&charge.id).len(), 1);
}

fn machine_now() -> MachineTime {
    Clocks::system().machine()
}

#[test]
fn one_process_owns_a_data_directory() {
    let demo = Demo::start();
    let twin = demo.twin();
    assert!(!matches!(twin.exit, 0 | 101), "{twin:?}");
    assert_eq!(twin.stdout, "");
    assert!(twin.stderr.contains("already runs"), "{}", twin.stderr);
    assert_eq!(demo.get("operator", "/status")["object"], "status", "the first one goes on");
    // The one that was refused has not taken the address of the one that runs from the command line.
    assert_eq!(demo.bursar("status --json").exit, 0);
}

#[test]
fn business_time_stands_until_it_is_moved() {
    let demo = Demo::start();
    let now = || demo.get("operator", "/status")["business_time"].clone();
    let before = now();
    demo.quiet();
    assert_eq!(
        (now(), demo.sim(Method::GET, "/clock", None)["now"].clone()),
        (before.clone(), {
            let at: jiff::Timestamp = before.as_str().unwrap().parse().unwrap();
            json!(at.as_second())
        })
    );
    demo.advance(3_600);
    let at: jiff::Timestamp = now().as_str().unwrap().parse().unwrap();
    let then: jiff::Timestamp = before.as_str().unwrap().parse().unwrap();
    assert_eq!(at.as_second() - then.as_second(), 3_600, "engine and Stripe move together");
}

#[test]
fn what_nobody_decides_in_time_is_refused() {
    let demo = Demo::start();
    let charge = demo.charge(50_001..=i64::MAX);
    let asked = demo.ask(&charge);
    demo.advance(23 * 3_600);
    demo.quiet();
    assert_eq!(demo.approval(asked["id"].as_str().unwrap())["status"], "pending");
    demo.advance(2 * 3_600);
    let expired = demo.approval_once(&asked, "expired");
    assert_eq!(expired["may_decide"], false);
    let late = demo.vote("controller", &asked, "approve");
    assert_eq!((late.status, late.code()), (410, "approval_expired"));
    demo.quiet();
    assert!(demo.refunds_of(&charge.id).is_empty());
    assert_eq!(
        demo.bursar_words(&["approvals", "wait", asked["id"].as_str().unwrap(), "--timeout", "0s"]).exit,
        10
    );
}

/// Between the end of its time and the job that says so, an approval takes no vote either.
#[test]
fn a_vote_after_the_end_is_gone() {
    let demo = Demo::start();
    let asked = demo.ask(&demo.charge(50_001..=i64::MAX));
    demo.advance(25 * 3_600);
    let late = demo.vote("controller", &asked, "approve");
    assert_eq!((late.status, late.code()), (410, "approval_expired"));
    assert_eq!(demo.approval_once(&asked, "expired")["receipt"], Value::Null);
}

/// A recovery case waits for a time; when that has come it looks again, and it closes when the money is there.
#[test]
fn timers_fire_when_time_is_moved() {
    let demo = Demo::start();
    let made = demo.trigger("invoice.payment_failed", &json!({"decline_code": "insufficient_funds"}));
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap();
    let case = demo.case_about(invoice, |case| case["state"] == "waiting");
    demo.quiet();
    let decisions = |case: &Value| {
        demo.get("operator", &format!("/cases/{}", case["id"].as_str().unwrap()))["decisions"]
            .as_array()
            .unwrap()
            .len()
    };
    let before = decisions(&case);
    let seconds = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    let now = demo.sim(Method::GET, "/clock", None)["now"].as_i64().unwrap();
    demo.advance(u32::try_from(seconds(&case["waiting_until"]) - now + 60).unwrap());
    until("the case to be looked at again", || (decisions(&case) > before).then_some(()));
    demo.quiet();
    assert_eq!(demo.bursar("audit verify --json").json(0)["ok"], true);
}
