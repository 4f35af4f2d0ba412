//! Commands that talk to a running installation, against one that answers from a table and keeps what it was asked.

#[cfg(test)]
mod cli_bench;

use serde_json::{Value, json};

use cli_bench::Bench;
use cli_bench::installation::Installation;

fn refusal(code: &str, message: &str) -> Value {
    json!({"error": {"type": "invalid_request_error", "code": code, "message": message}})
}

fn approval(status: &str) -> Value {
    json!({"id": "apreq_1", "object": "approval", "status": status, "digest": "7c1e", "may_decide": true,
        "expires_at": "2026-11-21T17:00:00Z",
        "card": {"title": {"verb": "Refund", "amount": 64000, "currency": "usd", "counterparty": "Lumen Labs"}}})
}

#[test]
fn a_program_approves_what_it_names_and_sends_the_digest_it_saw() {
    let installation = Installation::answering(vec![
        ("GET /approvals/apreq_1", 200, approval("pending")),
        ("POST /approvals/apreq_1/approve", 200, approval("approved")),
    ]);
    let bench = installation.bench();
    let ran = bench.run("approvals approve apreq_1 --amount 640.00usd --yes");
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "approved apreq_1\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("Refund 640.00 USD to Lumen Labs"), "the card is shown: {}", ran.stderr);
    let asked = installation.asked();
    let vote = asked.last().unwrap();
    assert_eq!(vote.line, "POST /api/v1/approvals/apreq_1/approve");
    assert_eq!((vote.authorization.as_str(), vote.has_key), ("Bearer tok-test", true));
    assert_eq!(vote.body, json!({"digest": "7c1e"}));
}

#[test]
fn no_vote_is_sent_without_a_clear_and_matching_yes() {
    let installation = Installation::answering(vec![
        ("GET /approvals/apreq_1", 200, approval("pending")),
        ("POST /approvals/apreq_1/approve", 200, approval("approved")),
    ]);
    let bench = installation.bench();
    for line in [
        "approvals approve apreq_1",
        "approvals approve apreq_1 --yes",
        "approvals approve apreq_1 --amount 640.00usd",
        "approvals approve apreq_1 --amount 64.00usd --yes",
        "approvals approve apreq_1 --amount 640.00eur --yes",
    ] {
        assert_eq!(bench.run(line).exit, 2, "{line}");
    }
    assert_eq!(bench.run("approvals approve apreq_1 --amount 640.00usd --yes --dry-run").exit, 0);
    assert!(
        installation.asked().iter().all(|asked| asked.line.starts_with("GET ")),
        "{:?}",
        installation.asked()
    );
}

#[test]
fn a_rejection_carries_its_reason() {
    let installation = Installation::answering(vec![
        ("GET /approvals/apreq_1", 200, approval("pending")),
        ("POST /approvals/apreq_1/reject", 200, approval("rejected")),
    ]);
    let ran =
        installation.bench().run_words(&["approvals", "reject", "apreq_1", "--reason", "paid twice? no"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "rejected apreq_1\n"), "{}", ran.stderr);
    let body = installation.asked().last().unwrap().body.clone();
    assert_eq!(body, json!({"digest": "7c1e", "reason": "paid twice? no"}));
}

#[test]
fn refusals_of_the_api_become_exit_codes() {
    let table = [
        (401, "token_invalid", 4),
        (403, "role_missing", 4),
        (403, "blocked_by_policy", 5),
        (404, "resource_missing", 3),
        (409, "digest_changed", 9),
        (410, "approval_expired", 10),
        (503, "stripe_unavailable", 12),
        (503, "database_busy", 1),
    ];
    for (status, code, exit) in table {
        let installation = Installation::answering(vec![
            ("GET /approvals/apreq_1", 200, approval("pending")),
            ("POST /approvals/apreq_1/approve", status, refusal(code, "Said why.")),
        ]);
        let ran = installation.bench().run("approvals approve apreq_1 --amount 640.00usd --yes");
        assert_eq!((ran.exit, ran.stdout.as_str()), (exit, ""), "{status} {code}");
        assert!(ran.stderr.contains("Said why"), "{}", ran.stderr);
    }
}

#[test]
fn waiting_ends_with_the_decision_or_with_patience() {
    for (status, exit) in [("approved", 0), ("executed", 0), ("rejected", 10), ("expired", 10)] {
        let installation = Installation::answering(vec![("GET /approvals/apreq_1", 200, approval(status))]);
        assert_eq!(installation.bench().run("approvals wait apreq_1").exit, exit, "{status}");
    }
    let installation = Installation::answering(vec![("GET /approvals/apreq_1", 200, approval("pending"))]);
    let ran = installation.bench().run("approvals wait apreq_1 --timeout 0s --json");
    assert_eq!((ran.exit, &ran.json()["status"]), (8, &json!("pending")));
}

#[test]
fn a_refund_is_asked_for_in_minor_units_of_its_currency() {
    for (status, exit) in [("asking", 8), ("approved", 0), ("done", 0), ("denied", 5)] {
        let answer = json!({"id": "prop_1", "object": "refund_request", "status": status});
        let installation = Installation::answering(vec![("POST /refund_requests", 200, answer)]);
        let ran =
            installation.bench().run("refund request ch_1 --amount 64.00usd --reason duplicate --yes --json");
        assert_eq!(ran.exit, exit, "{status} {}", ran.stderr);
        let asked = installation.asked();
        assert_eq!(
            asked[0].body,
            json!({"charge": "ch_1", "amount": 6400, "currency": "usd", "reason": "duplicate"})
        );
        assert!(asked[0].has_key);
    }
}

#[test]
fn lists_are_tabs_for_programs_and_documents_with_json() {
    let list = json!({"object": "list", "data": [approval("pending")], "has_more": false, "url": "/api/v1/approvals"});
    let installation = Installation::answering(vec![("GET /approvals", 200, list.clone())]);
    let bench = installation.bench();
    let ran = bench.run("approvals list");
    assert_eq!(
        ran.stdout,
        "apreq_1\tpending\t640.00 USD\tRefund 640.00 USD to Lumen Labs\t2026-11-21T17:00:00Z\n"
    );
    assert_eq!(bench.run("approvals list --status all --json").json(), list);
    let lines: Vec<String> = installation.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /api/v1/approvals?status=pending&limit=25", "GET /api/v1/approvals?limit=25"]);
}

#[test]
fn an_id_cannot_lead_to_another_path() {
    let installation = Installation::answering(Vec::new());
    assert_eq!(installation.bench().run("case show ../approvals/apreq_1?x=").exit, 3);
    assert_eq!(installation.asked()[0].line, "GET /api/v1/cases/%2E%2E%2Fapprovals%2Fapreq_1%3Fx%3D");
}

#[test]
fn status_is_a_health_check() {
    for (word, exit) in [("ok", 0), ("degraded", 1)] {
        let installation =
            Installation::answering(vec![("GET /status", 200, json!({"object": "status", "status": word}))]);
        let ran = installation.bench().run("status --quiet");
        assert_eq!((ran.exit, ran.stdout.as_str()), (exit, ""), "{word}");
    }
}

#[test]
fn a_demo_is_found_by_its_data_directory_and_speaks_for_its_people() {
    let modes =
        json!({"object": "list", "data": [{"playbook": "recovery", "lane": null, "mode": "observe"}]});
    let installation = Installation::answering(vec![
        ("GET /modes", 200, modes),
        ("POST /modes", 200, json!({"playbook": "recovery", "mode": "assist"})),
    ]);
    let bench = Bench::new();
    let told = json!({"api_url": format!("{}/api/v1", installation.url), "tokens": {"operator": "tok-o", "platform": "tok-p"}});
    bench.write("demo/demo.json", &told.to_string());
    assert_eq!(bench.run("mode --data-dir demo").stdout, "recovery\t\tobserve\n");
    assert_eq!(bench.run("mode assist --playbook recovery --data-dir demo --as platform").exit, 0);
    assert_eq!(bench.run("mode --data-dir demo --as support").exit, 4, "no such person here");
    let asked = installation.asked();
    let spoke: Vec<&str> = asked.iter().map(|asked| asked.authorization.as_str()).collect();
    assert_eq!(spoke, ["Bearer tok-o", "Bearer tok-p"]);
    assert_eq!(asked[1].body, json!({"playbook": "recovery", "mode": "assist"}));
}

#[test]
fn what_is_no_api_is_said_to_be_none() {
    let installation = Installation::answering(vec![("GET /status", 200, json!("hello"))]);
    assert_eq!(installation.bench().run("status").exit, 0, "any document is shown");
    let closed = Bench::new().with("BURSAR_API_URL", "http://127.0.0.1:9").with("BURSAR_TOKEN", "t");
    let ran = closed.run("status");
    assert_eq!(ran.exit, 1);
    assert!(ran.stderr.contains("is `bursar serve` running?"), "{}", ran.stderr);
}

#[test]
fn the_strings_of_a_fake_stripe_are_pulled_where_it_is() {
    let made =
        json!({"event": {"id": "evt_1", "type": "invoice.payment_failed"}, "objects": [{"id": "in_1"}]});
    let installation = Installation::answering(vec![
        ("POST /_sim/trigger", 200, made),
        ("POST /_sim/clock", 200, json!({"now": 1_795_219_200})),
        ("POST /_sim/faults", 200, json!({"id": "fault_1"})),
        ("DELETE /_sim/faults/fault_1", 200, json!({"deleted": true})),
    ]);
    let bench = Bench::new().with("BURSAR_SIM_URL", &installation.url);
    let ran = bench.run("sim trigger invoice.payment_failed --override amount=64000");
    assert_eq!(ran.stdout, "invoice.payment_failed evt_1 in_1\n", "{}", ran.stderr);
    assert_eq!(bench.run("sim clock advance 3d").stdout, "2026-11-21T00:00:00Z\n");
    assert_eq!(bench.run("sim fault add --route /v1/refunds --kind status --status 500").stdout, "fault_1\n");
    let harmless = "sim fault add --route /v1/refunds --kind status --status 500 --effect false";
    assert_eq!(bench.run(harmless).exit, 0);
    assert_eq!(bench.run("sim fault remove fault_1").exit, 0);
    let asked = installation.asked();
    assert_eq!(asked[0].body, json!({"type": "invoice.payment_failed", "overrides": {"amount": 64000}}));
    assert_eq!(asked[1].body, json!({"advance_s": 259_200}));
    assert_eq!(asked[2].body, json!({"route": "/v1/refunds", "nth": 1, "kind": "status", "status": 500}));
    assert_eq!(asked[3].body["effect"], false);
    assert!(asked.iter().all(|asked| asked.authorization.is_empty()), "our token is not for Stripe");
}
