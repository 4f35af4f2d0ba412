//! What is wrong with the installation, in words: the same on the health page and for `bursar status`.

use bursar_engine::Health;

/// Each thing that somebody must look at, as the middle of a sentence. Nothing when all is well.
pub fn troubles(health: &Health) -> Vec<String> {
    let mut troubles: Vec<String> = Vec::new();
    if let Some(restored) = &health.restored {
        troubles
            .push(format!("{}: nothing leaves until it is cleared (bursar db reconcile)", restored.words));
    }
    if let Some(why) = &health.clock {
        troubles.push(format!("{why}: nothing is sent until it is right"));
    }
    if let Some((scope, reason)) = health.kill_switches.first() {
        troubles.push(format!("the kill switch of {scope} is thrown ({reason})"));
    }
    match health.queue.held {
        0 => {}
        1 => troubles.push("one piece of work waits for a kill switch to be reset".to_owned()),
        many => troubles.push(format!("{many} pieces of work wait for a kill switch to be reset")),
    }
    if !health.keys_refused.is_empty() {
        troubles.push(format!("Stripe refuses the key of {}", health.keys_refused.join(", ")));
    }
    if !health.unconnected.is_empty() {
        troubles.push(format!("{} has not answered yet", health.unconnected.join(", ")));
    }
    troubles.extend(
        health
            .lanes
            .iter()
            .filter(|lane| lane.last_error.is_some())
            .map(|lane| format!("{} cannot be read", lane.lane)),
    );
    match health.queue.dead {
        0 => {}
        1 => troubles.push("one job gave up".to_owned()),
        many => troubles.push(format!("{many} jobs gave up")),
    }
    match health.quarantined {
        0 => {}
        1 => troubles.push(
            "one event of Stripe's cannot be used and was set aside (bursar events quarantine list)"
                .to_owned(),
        ),
        many => troubles.push(format!(
            "{many} events of Stripe's cannot be used and were set aside (bursar events quarantine list)"
        )),
    }
    if is_unsealed(health) {
        troubles.push("the audit is not being sealed".to_owned());
    }
    troubles.extend(
        health
            .alerts
            .failing
            .iter()
            .map(|failing| format!("notices by {} do not get through ({})", failing.way, failing.why)),
    );
    troubles
}

/// Sealing takes a second: entries do not wait a minute, nor so many of them, unless it has stopped.
pub fn is_unsealed(health: &Health) -> bool {
    health.audit_unsealed >= 1_000 || health.audit_unsealed_age_s.is_some_and(|age_s| age_s >= 60)
}
