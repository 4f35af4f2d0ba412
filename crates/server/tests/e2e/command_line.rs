//! The commands of the command line against a demo that runs: exit codes and the shape of their documents.

use serde_json::{Value, json};

use crate::stage::{Demo, until};

/// In minor units as the command line takes it: `640.00usd`.
fn typed(amount: i64) -> String {
    format!("{}.{:02}usd", amount / 100, amount % 100)
}

#[test]
fn looking_changes_nothing_and_answers_in_documents() {
    let demo = Demo::start();
    demo.quiet();
    let status = demo.bursar("status --json").json(0);
    assert_eq!(
        (&status["object"], &status["demo"], &status["queue"]["dead"]),
        (&json!("status"), &json!(true), &json!(0))
    );
    for (line, object) in [
        ("approvals list --json", "approval"),
        ("case list --json", "case"),
        ("events list --json --limit 3", "kept_event"),
        ("mode --json", "mode"),
    ] {
        let list = demo.bursar(line).json(0);
        assert_eq!(list["object"], "list", "{line}");
        let rows = list["data"].as_array().unwrap();
        assert!(!rows.is_empty() && rows.iter().all(|row| row["object"] == object), "{line}: {rows:?}");
    }
    let newest =
        demo.bursar("events list --json --limit 1").json(0)["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(demo.bursar(&format!("events get {newest} --json")).json(0)["id"], *newest);
    let case =
        demo.bursar("case list --json --limit 1").json(0)["data"][0]["id"].as_str().unwrap().to_owned();
    let shown = demo.bursar(&format!("case show {case} --json")).json(0);
    assert!(shown["timeline"].is_array() && shown["proposals"].is_array(), "{shown}");
    let tail = demo.bursar("audit tail --json -n 3").lines();
    assert!(tail.len() == 3 && tail.iter().all(|entry| entry["object"] == "audit_entry"), "{tail:?}");
    let exported = demo.bursar("audit export").lines();
    let numbers: Vec<i64> = exported.iter().map(|line| line["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=i64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
    // Tables for people, from the same answers.
    for line in ["status", "approvals list", "case list", "events list", "mode", "audit tail", "audit verify"]
    {
        let ran = demo.bursar(line);
        assert!(ran.exit == 0 && !ran.stdout.is_empty(), "{line}: {ran:?}");
    }
    for line in ["approvals show apreq_none", "case show case_none", "events get evt_none"] {
        let ran = demo.bursar(line);
        assert_eq!((ran.exit, ran.stdout.as_str()), (3, ""), "{line}: {ran:?}");
    }
}

#[test]
fn doctor_says_what_it_looked_at() {
    let demo = Demo::start();
    let ran = demo.bursar("doctor --json");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let named = |name: &str| {
        checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name}"))
    };
    assert_eq!(ran.exit, if report["ok"] == true { 0 } else { 11 });
    for name in ["data.writable", "policies.load", "audit.chain"] {
        assert_eq!(named(name)["health"], "well", "{}", named(name));
    }
    assert!(!checks.iter().any(|check| check["check"] == "data.private"), "nobody else looks in: {report}");
    assert_eq!(demo.bursar("doctor --only nothing").exit, 3);
}

#[test]
fn a_refund_from_asking_to_done() {
    let demo = Demo::start();
    let charge = demo.charge(50_001..=i64::MAX);
    let amount = typed(charge.amount);
    let ask = format!("refund request {} --amount {amount} --reason duplicate --yes --json", charge.id);
    assert_eq!(demo.bursar(&ask.replace(" --yes", "")).exit, 2, "nobody is there to say yes");
    assert_eq!(demo.bursar(&format!("{ask} --dry-run")).exit, 0);
    let asked = demo.bursar(&format!("{ask} --as operator")).json(8);
    let id = asked["approval"].as_str().unwrap();

    let shown = demo.bursar(&format!("approvals show {id} --as controller --json")).json(0);
    assert_eq!((&shown["status"], &shown["may_decide"]), (&json!("pending"), &json!(true)));
    assert_eq!(demo.bursar(&format!("approvals wait {id} --timeout 0s --json")).json(8)["status"], "pending");
    let approve = format!("approvals approve {id} --amount {amount} --yes");
    assert_eq!(demo.bursar(&format!("{approve} --as support")).exit, 4);
    assert_eq!(demo.bursar(&format!("{approve} --as operator")).exit, 4, "whoever asked does not decide");
    assert_eq!(demo.bursar(&approve.replace(&amount, "1.00usd")).exit, 2);
    assert!(demo.refunds_of(&charge.id).is_empty());

    assert_eq!(demo.bursar(&approve).exit, 0, "a demo's controller decides when nobody is named");
    let done = demo.bursar(&format!("approvals wait {id} --executed --timeout 30s --json")).json(0);
    assert_eq!(done["receipt"]["state"], "done", "{done}");
    assert_eq!(demo.refunds_of(&charge.id).len(), 1);
    assert_eq!(demo.bursar(&approve).exit, 9, "decided");
    let about = demo.bursar(&format!("case list --object {} --json", charge.id)).json(0);
    assert_eq!(about["data"][0]["state"], "closed");
}

#[test]
fn a_refund_that_is_rejected_denied_or_small() {
    let demo = Demo::start();
    let charge = demo.charge(50_001..=i64::MAX);
    let ask = |amount: i64| {
        format!("refund request {} --amount {} --reason duplicate --yes --json", charge.id, typed(amount))
    };
    let asked = demo.bursar(&ask(charge.amount)).json(8);
    let id = asked["approval"].as_str().unwrap();
    assert_eq!(demo.bursar(&format!("approvals reject {id}")).exit, 2, "a no has a reason");
    assert_eq!(
        demo.bursar_words(&["approvals", "reject", id, "--reason", "paid for what they used"]).exit,
        0
    );
    assert_eq!(demo.bursar(&format!("approvals wait {id}")).exit, 10);
    assert_eq!(demo.bursar(&ask(charge.amount + 1)).exit, 5);
    assert!(demo.refunds_of(&charge.id).is_empty());
    // One key, one refund, however often it is asked for.
    let small = format!("{} --idempotency-key k-1", ask(500));
    let first = demo.bursar(&small).json(0);
    assert_eq!(demo.bursar(&small).json(0), first);
    until("the small refund to happen", || (demo.refunds_of(&charge.id).len() == 1).then_some(()));
    demo.quiet();
    assert_eq!(demo.refunds_of(&charge.id).len(), 1);
    assert_eq!(demo.bursar(&format!("{} --idempotency-key k-1", ask(600))).exit, 9);
}

#[test]
fn modes_are_changed_by_those_who_may() {
    let demo = Demo::start();
    let observe = "mode observe --playbook recovery --json";
    assert_eq!(demo.bursar(&format!("{observe} --as support")).exit, 4);
    let changed = demo.bursar(&format!("{observe} --as platform")).json(0);
    assert_eq!(changed["data"][0]["mode"], "observe");
    // What is observed is decided and not done.
    let made = demo.trigger("invoice.payment_failed", &json!({"decline_code": "expired_card"}));
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap();
    let case = demo.case_about(invoice, |case| case["class"].is_string());
    demo.quiet();
    let case = demo.get("operator", &format!("/cases/{}", case["id"].as_str().unwrap()));
    let proposals = case["proposals"].as_array().unwrap();
    assert!(
        !proposals.is_empty() && proposals.iter().all(|proposal| proposal["state"] == "observed"),
        "{proposals:?}"
    );
    let number = made["event"]["data"]["object"]["number"].as_str().unwrap();
    let letters = demo.get("operator", "/mailbox?limit=100");
    assert!(
        letters["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|letter| !letter["text"].as_str().unwrap().contains(number))
    );
}

#[test]
fn the_strings_of_the_simulated_stripe() {
    let demo = Demo::start();
    let made = demo.bursar("sim trigger invoice.payment_failed --override amount=64000 --json").json(0);
    assert_eq!(made["event"]["data"]["object"]["amount_due"], 64_000);
    let before = demo.bursar("sim clock show --json").json(0)["now"].as_i64().unwrap();
    assert_eq!(demo.bursar("sim clock advance 1h --json").json(0)["now"], before + 3_600);
    let fault = demo.bursar("sim fault add --route /v1/payouts --kind status --status 503 --json").json(0);
    let id = fault["id"].as_str().unwrap();
    assert_eq!(demo.bursar("sim fault list --json").json(0)["data"].as_array().unwrap().len(), 1);
    assert_eq!(demo.bursar(&format!("sim fault remove {id}")).exit, 0);
    assert!(demo.bursar("sim fault list --json").json(0)["data"].as_array().unwrap().is_empty());
}

#[test]
fn nothing_that_runs_is_an_answer_of_its_own() {
    let mut demo = Demo::start();
    assert!(demo.program.terminate().success());
    for line in ["status", "approvals list", "case list"] {
        let ran = demo.bursar(line);
        assert_eq!((ran.exit, ran.stdout.as_str()), (1, ""), "{line}: {ran:?}");
    }
    // These need nobody to run.
    assert_eq!(demo.bursar("audit verify --json").json(0)["ok"], true);
    assert!(!demo.bursar("audit export").lines().is_empty());
}
