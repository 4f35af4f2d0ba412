//! The numbers that `/metrics` renders: each by name, with what it means. A number that is counted anywhere stands here
//! and in the guide; a test compares the three.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// What was measured is folded into the histograms this often, also while nobody scrapes.
const FOLD_EVERY: Duration = Duration::from_secs(5);

/// Seconds. Work waits for milliseconds when all is well and for hours when Stripe is away.
const LATENCY_BUCKETS: [f64; 12] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0, 3_600.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};

/// Every number, in the order of an event's way.
pub const NUMBERS: &[(Kind, &str, &str)] = &[
    (Gauge, "bursar_build_info", "Always 1; the label says which version runs"),
    (Counter, "bursar_events_ingested_total", "Events kept, by way in and family of type: the receipt rate"),
    (Counter, "bursar_events_duplicate_total", "Events that were already held and suppressed, by way in"),
    (
        Counter,
        "bursar_events_quarantined_total",
        "Events of Stripe's that cannot be read, placed, or that contradict what is held: set aside, by reason",
    ),
    (Counter, "bursar_event_gaps_total", "Holes in the events that polling found and filled"),
    (Counter, "bursar_webhook_rejected_total", "Webhooks whose signature does not verify, by reason"),
    (
        Counter,
        "bursar_webhook_not_kept_total",
        "Webhooks answered 503 because nothing could be kept; Stripe sends them again",
    ),
    (
        Counter,
        "bursar_requests_refused_total",
        "Requests to console and API answered 503 because too many came at once",
    ),
    (
        Counter,
        "bursar_connections_displaced_total",
        "Connections closed for others because they kept us waiting longest",
    ),
    (Counter, "bursar_connections_refused_total", "Connections that found every place taken"),
    (Gauge, "bursar_ingest_last_event_age_seconds", "Since the last event was received"),
    (Gauge, "bursar_events_kept", "Events held"),
    (Gauge, "bursar_events_quarantined", "Events that were set aside and that nobody has looked at"),
    (Gauge, "bursar_jobs_due", "Work that is due and waits"),
    (Gauge, "bursar_jobs_leased", "Work in hand"),
    (Gauge, "bursar_jobs_later", "Timers and repeats in the future"),
    (Gauge, "bursar_jobs_held", "Work of lanes that a kill switch stops"),
    (Gauge, "bursar_queue_oldest_due_seconds", "Age of the oldest work that is due"),
    (Histogram, "bursar_queue_latency_seconds", "From when work was due to when it began, by kind of work"),
    (Gauge, "bursar_dead_letters", "Work that gave up and waits for a person"),
    (Counter, "bursar_dead_letters_total", "Work that gave up, by kind of work"),
    (
        Counter,
        "bursar_stripe_reads_total",
        "Reads from Stripe by class; ok=\"false\" with class=\"enrichment\" are enrichment failures",
    ),
    (Counter, "bursar_cases_decided_total", "Looks at a case by its playbook, by class found"),
    (Counter, "bursar_decisions_total", "Verdicts of the gate, by first effect and verdict"),
    (
        Counter,
        "bursar_policy_alarms_total",
        "Verdicts where policy could not be evaluated: nothing was allowed",
    ),
    (Gauge, "bursar_approvals_pending", "Questions that wait for people"),
    (Gauge, "bursar_approval_oldest_age_seconds", "Age of the oldest question that waits"),
    (Counter, "bursar_votes_total", "Votes by what they led to: met / (met + refused) is the approval rate"),
    (Counter, "bursar_approvals_expired_total", "Questions that nobody decided in time"),
    (Counter, "bursar_actions_total", "What came of executions, by verb and result"),
    (Counter, "bursar_actions_reversed_total", "Actions that were done and failed afterwards at Stripe"),
    (
        Counter,
        "bursar_disagreements_total",
        "kind=\"prediction\": a receipt differs from what was predicted; kind=\"person\": a person refused what a playbook proposed",
    ),
    (Counter, "bursar_audit_entries_sealed_total", "Audit entries sealed into the chain"),
    (Gauge, "bursar_audit_unsealed", "Audit entries not yet sealed"),
    (Gauge, "bursar_audit_oldest_unsealed_seconds", "Age of the oldest of them; sealing takes a second"),
    (Gauge, "bursar_executions_waiting", "Sent, and Stripe has not said how it ended"),
    (Gauge, "bursar_executions_in_doubt", "Sent, and nobody can tell what became of it: waits for a person"),
    (Gauge, "bursar_lanes_unreadable", "Lanes whose events could not be read when last tried"),
    (
        Gauge,
        "bursar_connections_missing",
        "Configured Stripe accounts that have not answered since the start",
    ),
    (Gauge, "bursar_keys_refused", "Configured Stripe accounts whose key Stripe refuses"),
    (Gauge, "bursar_clock_wrong", "1 while the clock cannot be right and nothing is sent"),
    (Gauge, "bursar_restored_copy", "1 while the database is a copy that was put back and nothing leaves"),
    (Gauge, "bursar_nodes", "Processes that work on this installation"),
    (Gauge, "bursar_alerts_open", "Alerts that operators were told and that are not over"),
    (Gauge, "bursar_alert_ways_failing", "Ways by which notices do not get through"),
    (Counter, "bursar_alert_notices_total", "Notices to operators, by way and result of the attempt"),
    (Gauge, "bursar_kill_switches", "Kill switches that are set"),
    (Counter, "bursar_sign_ins_failed_total", "Sign-ins with a wrong address or password"),
    (Counter, "bursar_span_batches_total", "Batches of spans to the collector, sent or failed"),
];

/// Counted without a label, and there from the start: of a series that begins with its first one, a rule that asks by how much
/// it grew would never see that one.
const FROM_ZERO: [&str; 8] = [
    "bursar_event_gaps_total",
    "bursar_webhook_not_kept_total",
    "bursar_connections_refused_total",
    "bursar_policy_alarms_total",
    "bursar_approvals_expired_total",
    "bursar_actions_reversed_total",
    "bursar_audit_entries_sealed_total",
    "bursar_sign_ins_failed_total",
];

/// Counting of a process; ends when dropped.
pub struct Numbers {
    handle: PrometheusHandle,
    /// Its other end notices when this goes.
    _alive: mpsc::Sender<()>,
}

impl Numbers {
    /// Nothing when somebody counts already.
    pub fn start() -> Option<Self> {
        let handle = builder().install_recorder().ok()?;
        describe();
        for name in FROM_ZERO {
            metrics::counter!(name).increment(0);
        }
        metrics::gauge!("bursar_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        let (alive, ended) = mpsc::channel();
        let folding = handle.clone();
        let fold = move || {
            while ended.recv_timeout(FOLD_EVERY) == Err(RecvTimeoutError::Timeout) {
                folding.run_upkeep();
            }
        };
        if let Err(error) = std::thread::Builder::new().name("metrics".to_owned()).spawn(fold) {
            tracing::warn!(%error, "histograms grow until somebody scrapes");
        }
        Some(Self { handle, _alive: alive })
    }

    pub fn handle(&self) -> PrometheusHandle {
        self.handle.clone()
    }
}

fn builder() -> PrometheusBuilder {
    let latency = Matcher::Full("bursar_queue_latency_seconds".to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(latency, &LATENCY_BUCKETS)
        .expect("buckets are refused only when there are none")
}

fn describe() {
    for &(kind, name, help) in NUMBERS {
        match kind {
            Counter => metrics::describe_counter!(name, help),
            Gauge => metrics::describe_gauge!(name, help),
            Histogram => metrics::describe_histogram!(name, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    const GUIDE: &str = include_str!("../../../../docs/guide/telemetry.md");

    #[test]
    fn what_is_counted_stands_in_the_table_and_nothing_else() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut counted = BTreeSet::new();
        for place in ["engine/src", "server/src"] {
            collect(&crates.join(place), &mut counted);
        }
        let listed: BTreeSet<String> = NUMBERS.iter().map(|(_, name, _)| (*name).to_owned()).collect();
        assert_eq!(counted, listed, "counted in the code, and listed in NUMBERS");
        assert_eq!(listed.len(), NUMBERS.len(), "each once");
    }

    #[test]
    fn the_guide_knows_every_number_by_its_kind() {
        for (kind, name, _) in NUMBERS {
            let kind = format!("{kind:?}").to_lowercase();
            let row = GUIDE.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("docs/guide/telemetry.md has no row for {name}"));
            assert!(row.contains(&format!("| {kind} |")), "{row}: it is a {kind}");
        }
        let rows = GUIDE.lines().filter(|line| line.starts_with("| `bursar_")).count();
        assert_eq!(rows, NUMBERS.len(), "the guide tells of a number that is not counted");
    }

    /// Names that a macro of `metrics` or a helper of the probes is given.
    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let pieces: Vec<&str> = text.split("\"bursar_").collect();
                for pair in pieces.windows(2) {
                    let callers = ["counter!(", "gauge!(", "histogram!(", "set(", "age(", "many("];
                    if callers.iter().any(|caller| pair[0].trim_end().ends_with(caller)) {
                        found.insert(format!("bursar_{}", pair[1].split('"').next().unwrap()));
                    }
                }
            }
        }
    }
}
