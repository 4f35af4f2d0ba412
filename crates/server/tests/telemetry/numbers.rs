//! `/metrics` after a small flow: an invoice that was not paid, a letter that a person refused, a refund that happened.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::installation::{Installation, WEBHOOK_SECRET, until};

/// Everything that such a flow counts, and what is there from the start. Whoever renames one breaks somebody's dashboard.
const NAMES: [&str; 43] = [
    "bursar_actions_reversed_total",
    "bursar_actions_total",
    "bursar_alert_ways_failing",
    "bursar_alerts_open",
    "bursar_approval_oldest_age_seconds",
    "bursar_approvals_expired_total",
    "bursar_approvals_pending",
    "bursar_audit_entries_sealed_total",
    "bursar_audit_oldest_unsealed_seconds",
    "bursar_audit_unsealed",
    "bursar_build_info",
    "bursar_cases_decided_total",
    "bursar_clock_wrong",
    "bursar_connections_missing",
    "bursar_connections_refused_total",
    "bursar_dead_letters",
    "bursar_decisions_total",
    "bursar_disagreements_total",
    "bursar_event_gaps_total",
    "bursar_events_duplicate_total",
    "bursar_events_ingested_total",
    "bursar_events_kept",
    "bursar_events_quarantined",
    "bursar_executions_in_doubt",
    "bursar_executions_waiting",
    "bursar_ingest_last_event_age_seconds",
    "bursar_jobs_due",
    "bursar_jobs_held",
    "bursar_jobs_later",
    "bursar_jobs_leased",
    "bursar_keys_refused",
    "bursar_kill_switches",
    "bursar_lanes_unreadable",
    "bursar_nodes",
    "bursar_policy_alarms_total",
    "bursar_queue_latency_seconds",
    "bursar_queue_oldest_due_seconds",
    "bursar_restored_copy",
    "bursar_sign_ins_failed_total",
    "bursar_stripe_reads_total",
    "bursar_votes_total",
    "bursar_webhook_not_kept_total",
    "bursar_webhook_rejected_total",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_of_a_small_flow() {
    let installation = Installation::serve(None, "warn").await;
    let made = installation.stripe.trigger("invoice.payment_failed", json!({})).unwrap();
    for _ in 0..2 {
        assert_eq!(installation.post_event(&made["event"], WEBHOOK_SECRET).await, 200);
    }
    refuse_what_the_playbook_proposed(&installation).await;
    installation.refund_a_charge().await;
    assert_eq!(installation.post_event(&made["event"], "whsec_of_somebody_else").await, 400);

    let expected: BTreeSet<String> = NAMES.iter().map(ToString::to_string).collect();
    until("the refund's outcome", async || {
        installation.metrics().await.contains("bursar_actions_total").then_some(())
    })
    .await;
    let text = installation.metrics().await;
    assert_eq!(names(&text), expected, "{text}");
    for line in [
        "bursar_disagreements_total{kind=\"person\"} 1",
        "bursar_votes_total{result=\"refused\",method=\"api\"} 1",
        "bursar_actions_total{verb=\"refund.create\",result=\"done\"} 1",
        "bursar_queue_latency_seconds_count{kind=\"execute\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
    let surprise =
        text.lines().find(|line| line.starts_with("bursar_disagreements_total{kind=\"prediction\""));
    assert_eq!(surprise, None, "the refund was what was predicted");
}

async fn refuse_what_the_playbook_proposed(installation: &Installation) {
    let question = until("a question", async || {
        let asked = installation.api("operator", Method::GET, "/approvals?status=pending", None).await;
        asked["data"].get(0).cloned()
    })
    .await;
    let path = format!("/approvals/{}/reject", question["id"].as_str().unwrap());
    let vote = json!({"digest": question["digest"], "reason": "we have spoken to them"});
    installation.api("operator", Method::POST, &path, Some(vote)).await;
}

fn names(text: &str) -> BTreeSet<String> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: BTreeSet<String> =
        typed.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    for name in &names {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} says nothing about itself");
    }
    names
}
