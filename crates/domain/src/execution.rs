//! Making an approved action true: what state an execution is in, and what an answer from outside means.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where an execution stands. Terminal states are done, refused and no effect; in doubt waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionState {
    /// The intent is durable; a socket may or may not have been opened.
    Intent,
    /// Something was sent and no usable answer came: same key and bytes, or look it up.
    Unknown,
    /// Parked at Stripe's own approvals: waited for, never resent.
    WaitingAtStripe,
    Done,
    Refused,
    NoEffect,
    InDoubt,
}

impl ExecutionState {
    pub const ALL: [ExecutionState; 7] = [
        ExecutionState::Intent,
        ExecutionState::Unknown,
        ExecutionState::WaitingAtStripe,
        ExecutionState::Done,
        ExecutionState::Refused,
        ExecutionState::NoEffect,
        ExecutionState::InDoubt,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ExecutionState::Intent => "intent",
            ExecutionState::Unknown => "unknown",
            ExecutionState::WaitingAtStripe => "waiting_at_stripe",
            ExecutionState::Done => "done",
            ExecutionState::Refused => "refused",
            ExecutionState::NoEffect => "no_effect",
            ExecutionState::InDoubt => "in_doubt",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub fn is_final(self) -> bool {
        matches!(self, ExecutionState::Done | ExecutionState::Refused | ExecutionState::NoEffect)
    }
}

/// What really happened, beside what was predicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// `re_…`, `in_…`, a message id.
    pub object: Option<String>,
    /// Stripe's `Request-Id` where one came.
    pub request_id: Option<String>,
    /// `txn_…`, where the object names one.
    #[serde(default)]
    pub balance_transaction: Option<String>,
    /// How we know: `answer`, `replayed answer`, `answer, settled later`, `found by metadata`, `found by event`,
    /// `found by charge`, `a person`.
    pub known_by: String,
    /// One line a changed thing: what was predicted and what is.
    pub changes: Vec<Change>,
}

impl Receipt {
    /// Whether something that was predicted is known to have come out differently.
    pub fn contradicts(&self) -> bool {
        self.changes
            .iter()
            .any(|change| change.predicted.is_some() && change.actual.is_some() && !change.agrees())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub what: String,
    pub predicted: Option<Value>,
    pub actual: Option<Value>,
}

impl Change {
    /// Whether prediction and outcome agree; a side that is not known does not agree.
    pub fn agrees(&self) -> bool {
        self.predicted.is_some() && self.predicted == self.actual
    }
}

/// Outcome codes of what ended without having left this machine.
pub const WITHDRAWN: &str = "withdrawn";
pub const TOO_LATE: &str = "too_late";
/// The outcome code of what a person settled who looked at it themselves.
pub const BY_HAND: &str = "settled_by_hand";

/// How long something waits at Stripe's own approvals where Stripe does not say.
pub const STRIPE_APPROVAL: std::time::Duration = std::time::Duration::from_hours(7 * 24);

/// The oldest age at which a v1 idempotency key is still trusted to protect a resend: Stripe keeps keys at least 24 h.
pub const KEY_TRUSTED: std::time::Duration = std::time::Duration::from_hours(23);

/// How far apart two complete empty reads must lie before an effect is called absent.
pub const ABSENCE_GAP: std::time::Duration = std::time::Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_known_to_differ_contradicts_a_prediction() {
        for (predicted, actual, expected) in [
            (Some(json!("paid")), Some(json!("open")), true),
            (Some(json!("paid")), Some(json!("paid")), false),
            (Some(json!("paid")), None, false),
            (None, Some(json!("open")), false),
        ] {
            let change = Change { what: "invoice.status".to_owned(), predicted, actual };
            let receipt = Receipt {
                balance_transaction: None,
                object: None,
                request_id: None,
                known_by: "answer".to_owned(),
                changes: vec![change.clone()],
            };
            assert_eq!(receipt.contradicts(), expected, "{change:?}");
        }
    }
}
