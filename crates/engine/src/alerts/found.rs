//! What is worth telling somebody, found in how the installation stands. Facts are counts, codes and our own names for
//! things: no reason that a person gave, no words of Stripe's, nothing of a customer's.

use std::time::Duration;

use bursar_store::alerts::Found;
use bursar_store::pollers::Gap;
use serde_json::{Value, json};

use super::AlertSettings;
use crate::health::Health;

/// What health does not say.
pub(super) struct Beside {
    /// The newest holes that polling found and filled.
    pub(super) gaps: Vec<Gap>,
    pub(super) machine_now: i64,
    /// How old the installation is: before its first event, that is how long it has had none.
    pub(super) installed_for_s: u64,
}

/// A hole in the events is told for so long after it was found.
const GAP_FRESH: Duration = Duration::from_hours(1);
/// The audit is sealed within a second.
pub(crate) const UNSEALED_MAX: Duration = Duration::from_mins(1);
/// Names of lanes in one notice.
const LANES_NAMED: usize = 5;

/// How long a trouble must have lasted before it is told: what comes and goes by itself is nobody's business.
pub(super) fn patience(code: &str) -> Duration {
    match code {
        "stripe_unreadable" | "stripe_unconnected" => Duration::from_mins(2),
        _ => Duration::ZERO,
    }
}

/// How long a trouble must have been gone before it is over.
pub(super) fn doubt(code: &str) -> Duration {
    match code {
        // These know by themselves how long they last.
        "event_gap" | "kill_switch" | "dead_letters" | "quarantined" | "in_doubt" => Duration::ZERO,
        _ => Duration::from_mins(1),
    }
}

/// Everything that is wrong now, each by what and about what.
pub(super) fn troubles(health: &Health, beside: &Beside, settings: &AlertSettings) -> Vec<Found> {
    let mut all = about_stripe(health);
    let mut add = |code, about: &str, facts: Value| all.push(Found { code, about: about.to_owned(), facts });
    let silent_s = health.last_event_age_s.unwrap_or(beside.installed_for_s);
    if silent_s >= settings.no_events_for.as_secs() {
        add("no_events", "", json!({"for_s": silent_s}));
    }
    if let Some(age_s) = health.oldest_due_age_s.filter(|age_s| *age_s >= settings.queue_age.as_secs()) {
        add("queue_late", "", json!({"oldest_s": age_s, "due": health.queue.due}));
    }
    for (code, count) in [
        ("dead_letters", health.queue.dead),
        ("quarantined", health.quarantined),
        ("in_doubt", health.executions_in_doubt),
    ] {
        if count > 0 {
            add(code, "", json!({"count": count}));
        }
    }
    if let Some(age_s) = health.audit_unsealed_age_s.filter(|age_s| *age_s >= UNSEALED_MAX.as_secs()) {
        add("sealing_stopped", "", json!({"for_s": age_s, "count": health.audit_unsealed}));
    }
    for (scope, _) in &health.kill_switches {
        add("kill_switch", scope, json!({}));
    }
    if health.clock.is_some() {
        add("clock", "", json!({}));
    }
    if health.restored.is_some() {
        add("restored_copy", "", json!({}));
    }
    all.extend(gaps(beside));
    all
}

/// Connections whose key is refused, that never answered, or of which lanes cannot be read. A refused key says all.
fn about_stripe(health: &Health) -> Vec<Found> {
    let found = |code, about: &str, facts| Found { code, about: about.to_owned(), facts };
    let mut all: Vec<Found> =
        health.keys_refused.iter().map(|name| found("key_refused", name, json!({}))).collect();
    let refused = |name: &str| health.keys_refused.iter().any(|refused| refused == name);
    let unconnected = health.unconnected.iter().filter(|name| !refused(name));
    all.extend(unconnected.map(|name| found("stripe_unconnected", name, json!({}))));
    let mut unreadable: Vec<(&str, Vec<&str>)> = Vec::new();
    for lane in health.lanes.iter().filter(|lane| lane.last_error.is_some() && !refused(&lane.connection)) {
        match unreadable.iter_mut().find(|(name, _)| *name == lane.connection) {
            Some((_, lanes)) => lanes.push(&lane.lane),
            None => unreadable.push((&lane.connection, vec![&lane.lane])),
        }
    }
    all.extend(unreadable.into_iter().map(|(name, lanes)| {
        let facts = json!({"count": lanes.len(), "lanes": &lanes[..lanes.len().min(LANES_NAMED)]});
        found("stripe_unreadable", name, facts)
    }));
    all
}

/// Of each lane the newest hole, where it is fresh.
fn gaps(beside: &Beside) -> Vec<Found> {
    let since = beside.machine_now - i64::try_from(GAP_FRESH.as_micros()).unwrap_or(i64::MAX);
    let mut all: Vec<Found> = Vec::new();
    for gap in beside.gaps.iter().filter(|gap| gap.found_at > since) {
        if !all.iter().any(|known| known.about == gap.lane) {
            let facts = json!({"length_s": gap.to_s - gap.from_s, "events": gap.events});
            all.push(Found { code: "event_gap", about: gap.lane.clone(), facts });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use bursar_store::jobs::Depth;

    use super::*;
    use crate::health::LaneHealth;
    use crate::restored::Restored;

    fn health() -> Health {
        Health { events: 1, last_event_age_s: Some(1), audit_head: 1, mail: true, ..Health::default() }
    }

    fn lane(name: &str, error: Option<&str>) -> LaneHealth {
        LaneHealth {
            lane: name.to_owned(),
            connection: "main".to_owned(),
            mode: "observe".to_owned(),
            sources: vec!["poll"],
            complete_to: None,
            polled_age_s: None,
            last_error: error.map(str::to_owned),
            stopped: None,
        }
    }

    fn settings() -> AlertSettings {
        AlertSettings {
            mail_to: Vec::new(),
            webhook: None,
            repeat_every: Duration::from_hours(4),
            no_events_for: Duration::from_hours(24),
            queue_age: Duration::from_mins(5),
            console: None,
            look_every: Duration::from_secs(15),
        }
    }

    fn told(health: &Health, gaps: Vec<Gap>) -> Vec<(&'static str, String)> {
        let beside = Beside { gaps, machine_now: 10_000_000_000, installed_for_s: 60 };
        troubles(health, &beside, &settings()).into_iter().map(|found| (found.code, found.about)).collect()
    }

    #[test]
    fn each_trouble_is_found_at_its_limit_and_not_before() {
        assert_eq!(told(&health(), Vec::new()), []);
        let depth = |dead| Depth { dead, ..Depth::default() };
        for (code, about, sick, well) in [
            (
                "no_events",
                "",
                Health { last_event_age_s: Some(86_400), ..health() },
                Health { last_event_age_s: Some(86_399), ..health() },
            ),
            (
                "queue_late",
                "",
                Health { oldest_due_age_s: Some(300), ..health() },
                Health { oldest_due_age_s: Some(299), ..health() },
            ),
            (
                "dead_letters",
                "",
                Health { queue: depth(1), ..health() },
                Health { queue: depth(0), ..health() },
            ),
            ("quarantined", "", Health { quarantined: 1, ..health() }, health()),
            (
                "in_doubt",
                "",
                Health { executions_in_doubt: 1, ..health() },
                Health { executions_waiting: 1, ..health() },
            ),
            (
                "sealing_stopped",
                "",
                Health { audit_unsealed_age_s: Some(60), ..health() },
                Health { audit_unsealed_age_s: Some(59), ..health() },
            ),
            (
                "kill_switch",
                "all",
                Health { kill_switches: vec![("all".into(), "drill".into())], ..health() },
                health(),
            ),
            ("clock", "", Health { clock: Some("it says 1970".into()), ..health() }, health()),
            ("restored_copy", "", Health { restored: Some(Restored::default()), ..health() }, health()),
            ("key_refused", "main", Health { keys_refused: vec!["main".into()], ..health() }, health()),
            ("stripe_unconnected", "main", Health { unconnected: vec!["main".into()], ..health() }, health()),
            (
                "stripe_unreadable",
                "main",
                Health {
                    lanes: vec![lane("acct_1/test", Some("x")), lane("acct_2/test", Some("x"))],
                    ..health()
                },
                Health { lanes: vec![lane("acct_1/test", None)], ..health() },
            ),
        ] {
            assert_eq!(told(&sick, Vec::new()), [(code, about.to_owned())]);
            assert_eq!(told(&well, Vec::new()), [], "{code}");
        }
    }

    #[test]
    fn a_refused_key_says_all_about_its_connection() {
        let sick = Health {
            keys_refused: vec!["main".into()],
            unconnected: vec!["main".into()],
            lanes: vec![lane("acct_1/test", Some("Stripe refused a read with 401"))],
            ..health()
        };
        assert_eq!(told(&sick, Vec::new()), [("key_refused", "main".to_owned())]);
    }

    #[test]
    fn a_new_installation_has_had_no_events_for_as_long_as_it_is_there() {
        let beside = Beside { gaps: Vec::new(), machine_now: 0, installed_for_s: 86_400 };
        let found = troubles(&Health { last_event_age_s: None, ..health() }, &beside, &settings());
        assert_eq!(found[0].code, "no_events");
    }

    #[test]
    fn a_fresh_hole_is_told_once_a_lane() {
        let gap = |lane: &str, found_at| Gap {
            id: String::new(),
            lane: lane.to_owned(),
            from_s: 0,
            to_s: 60,
            found_at,
            events: 3,
            held: std::collections::BTreeMap::new(),
        };
        let (fresh, old) = (9_000_000_000, 6_400_000_000);
        let gaps = vec![gap("a", fresh), gap("a", fresh), gap("b", fresh), gap("c", old)];
        assert_eq!(told(&health(), gaps), [("event_gap", "a".to_owned()), ("event_gap", "b".to_owned())]);
    }
}
