//! A case: one problem on one object that people can follow.

use serde::{Deserialize, Serialize};

use crate::time::BusinessTime;

/// Which case a signal belongs to: at most one open case a key and lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CaseKey {
    pub playbook: String,
    /// Stripe's kind, `invoice`.
    pub object_kind: String,
    pub object_id: String,
}

/// What the case waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CaseState {
    /// Nothing is decided yet, or something is being worked on.
    Open,
    /// A person must decide or do something.
    NeedsPerson,
    /// The playbook sleeps until a time.
    Waiting {
        until: BusinessTime,
    },
    /// What was wanted is not known: Stripe or another outside thing does not answer.
    Blocked {
        on: String,
    },
    Closed {
        outcome: String,
        at: BusinessTime,
    },
}

impl CaseState {
    /// Every word there is.
    pub const WORDS: [&str; 5] = ["open", "needs_person", "waiting", "blocked", "closed"];

    pub fn word(&self) -> &'static str {
        match self {
            CaseState::Open => "open",
            CaseState::NeedsPerson => "needs_person",
            CaseState::Waiting { .. } => "waiting",
            CaseState::Blocked { .. } => "blocked",
            CaseState::Closed { .. } => "closed",
        }
    }

    pub fn is_closed(&self) -> bool {
        matches!(self, CaseState::Closed { .. })
    }
}
