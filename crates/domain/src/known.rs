//! What a decision may look at: reads that were asked for, and their recorded answers. A decision is a function of this
//! and of nothing else, so that it can be replayed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::case::CaseKey;
use crate::id::ProposalId;
use crate::proposal::ProposalState;
use crate::time::BusinessTime;

/// Something that must be known before a playbook can go on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "read", rename_all = "snake_case")]
pub enum Read {
    /// One Stripe object: kind as in its `object` field, and id.
    Object { kind: String, id: String },
    /// All objects of a kind under a filter, as Stripe's list endpoint takes it (`{"customer": "cus_…"}`).
    List { kind: String, filter: BTreeMap<String, String> },
    /// What was proposed in this case so far.
    CaseHistory,
    /// Letters sent to a customer over all cases.
    Messages { customer: String },
}

impl Read {
    pub fn object(kind: &str, id: impl Into<String>) -> Self {
        Read::Object { kind: kind.to_owned(), id: id.into() }
    }

    pub fn list(kind: &str, filter: &[(&str, &str)]) -> Self {
        let filter = filter.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Read::List { kind: kind.to_owned(), filter }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Object {
        value: Value,
        as_of: BusinessTime,
    },
    /// Deleted, or never there.
    Gone {
        as_of: BusinessTime,
    },
    /// Newest first. `complete` is false when the list was longer than we read.
    List {
        items: Vec<Value>,
        complete: bool,
        as_of: BusinessTime,
    },
    CaseHistory {
        proposals: Vec<PastProposal>,
    },
    Messages {
        sent: Vec<PastMessage>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastProposal {
    pub id: ProposalId,
    pub verb: String,
    /// Template of a letter, target id of anything else.
    pub subject: String,
    pub state: ProposalState,
    pub proposed_at: BusinessTime,
    pub settled_at: Option<BusinessTime>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastMessage {
    pub template: String,
    pub sent_at: BusinessTime,
}

/// Everything a playbook is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub key: CaseKey,
    /// Business time of the decision.
    pub now: BusinessTime,
    /// The event type that woke it, or `timer`, `outcome`, `request`.
    pub signal: String,
    #[serde(with = "answer_pairs")]
    pub answers: BTreeMap<Read, Answer>,
}

impl Known {
    pub fn new(key: CaseKey, now: BusinessTime, signal: &str) -> Self {
        Self { key, now, signal: signal.to_owned(), answers: BTreeMap::new() }
    }

    pub fn answer(&self, read: &Read) -> Option<&Answer> {
        self.answers.get(read)
    }

    /// The object, if it was read and exists.
    pub fn object(&self, kind: &str, id: &str) -> Option<&Value> {
        match self.answers.get(&Read::object(kind, id))? {
            Answer::Object { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Whether the object was looked for and is not there.
    pub fn is_gone(&self, kind: &str, id: &str) -> bool {
        matches!(self.answers.get(&Read::object(kind, id)), Some(Answer::Gone { .. }))
    }

    /// The list, if it was read.
    pub fn list(&self, kind: &str, filter: &[(&str, &str)]) -> Option<&[Value]> {
        match self.answers.get(&Read::list(kind, filter))? {
            Answer::List { items, .. } => Some(items),
            _ => None,
        }
    }

    pub fn history(&self) -> Option<&[PastProposal]> {
        match self.answers.get(&Read::CaseHistory)? {
            Answer::CaseHistory { proposals } => Some(proposals),
            _ => None,
        }
    }

    pub fn messages(&self, customer: &str) -> Option<&[PastMessage]> {
        match self.answers.get(&Read::Messages { customer: customer.to_owned() })? {
            Answer::Messages { sent } => Some(sent),
            _ => None,
        }
    }

    /// The reads of `wanted` that have no answer yet.
    pub fn missing(&self, wanted: Vec<Read>) -> Vec<Read> {
        wanted.into_iter().filter(|read| !self.answers.contains_key(read)).collect()
    }
}

/// A map with structured keys travels as a list of pairs.
mod answer_pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Answer, Read};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Read, Answer>, to: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Read, Answer>, D::Error> {
        Ok(Vec::<(Read, Answer)>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn known_survives_json_and_says_what_is_missing() {
        let key =
            CaseKey { playbook: "recovery".into(), object_kind: "invoice".into(), object_id: "in_1".into() };
        let mut known = Known::new(key, BusinessTime::from_unix_s(5), "invoice.payment_failed");
        let wanted = vec![Read::object("invoice", "in_1"), Read::list("charge", &[("customer", "cus_1")])];
        assert_eq!(known.missing(wanted.clone()), wanted);
        let as_of = BusinessTime::from_unix_s(4);
        known.answers.insert(wanted[0].clone(), Answer::Object { value: json!({"id": "in_1"}), as_of });
        assert_eq!(known.missing(wanted.clone()), wanted[1..]);
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<Known>(&text).unwrap(), known);
        assert_eq!(known.object("invoice", "in_1").unwrap()["id"], "in_1");
    }
}
