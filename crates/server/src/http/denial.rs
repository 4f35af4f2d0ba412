//! Why the gate said no to a request: the kill switch that stopped it, else the policies with the limit where it is known.

use bursar_domain::verdict::Verdict;

/// One clause without a full stop: `denied by refunds.automatic; automatic at or below 50.00 USD`.
pub fn why(verdict: &Verdict) -> String {
    if let Some(told) = verdict.notes.iter().find_map(|note| note.strip_prefix(KILL_SWITCH)) {
        // Policy may have allowed it: naming policies or limits here would send people looking in the wrong place.
        return match told.split_once(": ") {
            Some((scope, reason)) => format!("stopped by the kill switch of {scope} ({reason})"),
            None => format!("stopped by a kill switch ({told})"),
        };
    }
    let ids: Vec<&str> = verdict.policies.iter().map(|policy| policy.id.as_str()).collect();
    let by = match ids.as_slice() {
        [] => "no policy permits it".to_owned(),
        ids => format!("denied by {}", ids.join(", ")),
    };
    let comparisons = verdict.policies.iter().flat_map(|policy| &policy.comparisons);
    let hint = comparisons
        .filter_map(|comparison| comparison.counterfactual.as_deref())
        .chain(verdict.notes.iter().map(String::as_str))
        .next();
    match hint {
        Some(hint) => format!("{by}; {hint}"),
        None => by,
    }
}

/// Whether a kill switch stopped it, whatever policy said.
pub fn by_kill_switch(verdict: &Verdict) -> bool {
    verdict.notes.iter().any(|note| note.starts_with(KILL_SWITCH))
}

/// How the gate's note of a kill switch begins.
const KILL_SWITCH: &str = "kill switch: ";
