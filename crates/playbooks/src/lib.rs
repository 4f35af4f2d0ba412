//! One folder a playbook: pure logic from a signal to proposals. A playbook is five functions without `async`:
//! `trigger`, `reads`, `classify`, `propose` and its settings; the engine performs the reads and asks the gate.

pub mod recovery;

use bursar_domain::action::Action;
use bursar_domain::case::CaseKey;
use bursar_domain::known::{Known, Read};
use bursar_domain::proposal::Rationale;
use bursar_domain::time::BusinessTime;
use bursar_stripe::money::Money;
use serde_json::Value;

/// What can wake a playbook.
#[derive(Clone, Debug)]
pub enum Signal<'a> {
    Event {
        kind: &'a str,
        object: &'a Value,
    },
    Timer {
        key: &'a CaseKey,
    },
    /// An execution of this case ended, or a vote closed an approval.
    Outcome {
        key: &'a CaseKey,
    },
}

/// Whom a signal wakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wakes {
    Nothing,
    /// This case, opened if there is none. `opens` is false for signals that only matter to a case already open.
    Case {
        key: CaseKey,
        opens: bool,
    },
    /// Every open case of a customer.
    OpenCasesOf {
        customer: String,
    },
}

/// What a playbook says happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// From the playbook's closed list.
    pub class: &'static str,
    /// The rule that said so, in words.
    pub rule: String,
    /// What could not be known, when the class is incomplete.
    pub incomplete: Option<String>,
}

/// What a playbook wants to happen next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One line for the inbox.
    pub title: String,
    /// Money at stake.
    pub amount: Option<Money>,
    pub customer: Option<String>,
    pub customer_name: Option<String>,
    pub wanted: Vec<Wanted>,
    /// Open proposals of this case that no longer make sense: their verbs.
    pub withdraw: Vec<&'static str>,
    pub wake_at: Option<BusinessTime>,
    /// Closes the case with this outcome.
    pub close: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub action: Action,
    pub rationale: Rationale,
}

/// A setting that cannot be used; the old settings stay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("settings of playbook {playbook}: {problem}")]
pub struct InvalidSettings {
    pub playbook: &'static str,
    pub problem: String,
}

/// A playbook as the engine sees it. Settings arrive as the parsed file; `check_settings` refuses what cannot be used.
pub struct Playbook {
    pub name: &'static str,
    /// Event types it wants to hear.
    pub events: &'static [&'static str],
    pub check_settings: fn(&Value) -> Result<(), InvalidSettings>,
    pub trigger: fn(&Signal<'_>) -> Wakes,
    /// What else must be known; asked again until nothing is missing.
    pub reads: fn(&Known) -> Vec<Read>,
    pub classify: fn(&Known, &Value) -> Classified,
    pub propose: fn(&Known, &Classified, &Value) -> Plan,
}

/// Every playbook, sorted by name.
pub const ALL: &[&Playbook] = &[&recovery::PLAYBOOK];

/// The playbook of this name.
pub fn by_name(name: &str) -> Option<&'static Playbook> {
    ALL.iter().copied().find(|playbook| playbook.name == name)
}
