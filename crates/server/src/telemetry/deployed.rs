//! What is shipped for Prometheus and Grafana names numbers that there are, and asks of each what its kind can answer.

use std::collections::BTreeSet;

use serde_json::Value;

use super::numbers::{Kind, NUMBERS};

const RULES: &str = include_str!("../../../../deploy/prometheus/bursar.rules.yml");
const DASHBOARD: &str = include_str!("../../../../deploy/grafana/bursar.json");

/// The expressions of the rules: a line each.
fn rules() -> Vec<String> {
    RULES.lines().filter_map(|line| line.trim().strip_prefix("expr: ").map(str::to_owned)).collect()
}

/// Every expression of the dashboard, and what its variables are filled from.
fn dashboard() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(text) if name == "expr" || name == "query" => found.push(text.to_owned()),
                        _ => collect(value, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(DASHBOARD).expect("the dashboard is JSON"), &mut found);
    found
}

/// Each name of ours in an expression, with what stands before it.
fn named(expression: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices("bursar_") {
        let rest = &expression[at..];
        let end =
            rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        found.push((&rest[..end], &expression[..at]));
    }
    found
}

fn kind_of(name: &str) -> Option<Kind> {
    let known = |name: &str| NUMBERS.iter().find(|(_, known, _)| *known == name).map(|(kind, _, _)| *kind);
    let of_histogram = ["_bucket", "_count", "_sum"].iter().find_map(|ending| name.strip_suffix(ending));
    match of_histogram.and_then(known) {
        Some(Kind::Histogram) => Some(Kind::Histogram),
        _ => known(name).filter(|kind| *kind != Kind::Histogram),
    }
}

#[test]
fn what_is_shipped_names_numbers_that_there_are() {
    let mut seen = BTreeSet::new();
    for expression in rules().into_iter().chain(dashboard()) {
        for (name, before) in named(&expression) {
            let kind = kind_of(name).unwrap_or_else(|| panic!("there is no {name}: {expression}"));
            let is_rate = before.ends_with("rate(") || before.ends_with("increase(");
            assert_eq!(is_rate, kind != Kind::Gauge, "{name} is a {kind:?}: {expression}");
            seen.insert(name.to_owned());
        }
    }
    assert!(seen.len() > 30, "only {seen:?}");
}

#[test]
fn every_rule_is_whole() {
    let count = |start: &str| RULES.lines().filter(|line| line.trim().starts_with(start)).count();
    let alerts = count("- alert: Bursar");
    assert!(alerts >= 15);
    for part in ["expr: ", "labels: {severity: ", "summary: ", "description: "] {
        assert_eq!(count(part), alerts, "{part}");
    }
}

#[test]
fn whatever_operators_are_told_has_its_rule() {
    let all = rules().join("\n");
    for number in [
        "bursar_ingest_last_event_age_seconds",
        "bursar_queue_oldest_due_seconds",
        "bursar_dead_letters",
        "bursar_keys_refused",
        "bursar_lanes_unreadable",
        "bursar_connections_missing",
        "bursar_audit_oldest_unsealed_seconds",
        "bursar_event_gaps_total",
        "bursar_events_quarantined",
        "bursar_executions_in_doubt",
        "bursar_kill_switches",
        "bursar_clock_wrong",
    ] {
        assert!(all.contains(number), "{number}");
    }
}
