//! An action somebody wants, with reason and evidence; and the digest people vote on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Action;
use crate::canonical::{self, CanonicalError};
use crate::facts::Facts;
use crate::lane::Lane;
use crate::time::BusinessTime;

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Mode observe: recorded, not done.
    Observed,
    Denied,
    /// An approval is open.
    Asking,
    /// Allowed, by policy or by votes; an execution is on its way.
    Approved,
    Done,
    /// Stripe or the outside said a definite no.
    Refused,
    /// Looked up completely and proved not to have happened.
    NoEffect,
    /// Nobody can tell yet whether it happened: a person must look.
    InDoubt,
    /// People said no.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The world, the policy or a kill switch changed under it.
    Void,
    /// It was done, and Stripe took it back afterwards: a refund can fail as late as 30 days on.
    Reversed,
}

impl ProposalState {
    pub const ALL: [ProposalState; 12] = [
        ProposalState::Observed,
        ProposalState::Denied,
        ProposalState::Asking,
        ProposalState::Approved,
        ProposalState::Done,
        ProposalState::Refused,
        ProposalState::NoEffect,
        ProposalState::InDoubt,
        ProposalState::Rejected,
        ProposalState::Expired,
        ProposalState::Void,
        ProposalState::Reversed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ProposalState::Observed => "observed",
            ProposalState::Denied => "denied",
            ProposalState::Asking => "asking",
            ProposalState::Approved => "approved",
            ProposalState::Done => "done",
            ProposalState::Refused => "refused",
            ProposalState::NoEffect => "no_effect",
            ProposalState::InDoubt => "in_doubt",
            ProposalState::Rejected => "rejected",
            ProposalState::Expired => "expired",
            ProposalState::Void => "void",
            ProposalState::Reversed => "reversed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether anything may still come of it.
    pub fn is_open(self) -> bool {
        matches!(self, ProposalState::Asking | ProposalState::Approved)
    }

    /// Whether it may still come, or may have come without anybody knowing: until that is settled the same is not done
    /// again.
    pub fn is_unsettled(self) -> bool {
        self.is_open() || self == ProposalState::InDoubt
    }
}

/// Why somebody wants it, in words for people, and what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rationale {
    /// One sentence of ours.
    pub reason: String,
    /// Facts and rules it rests on, one line each.
    pub evidence: Vec<String>,
    /// Words of whoever asked: shown quoted and untrusted, never interpreted.
    pub claimed: Option<String>,
}

#[derive(Serialize)]
struct Digestible<'a> {
    lane: String,
    verb: &'a str,
    params: Value,
    guards: BTreeMap<&'a str, Option<Value>>,
    expires_at: Option<i64>,
}

/// SHA-256 over canonical JSON of lane, verb, exact parameters, guard facts and expiry.
pub fn digest(
    lane: &Lane,
    action: &Action,
    facts: &Facts,
    expires_at: Option<BusinessTime>,
) -> Result<String, CanonicalError> {
    canonical::digest(&Digestible {
        lane: lane.to_string(),
        verb: action.verb(),
        params: action.params(),
        guards: guards(action, facts),
        expires_at: expires_at.map(BusinessTime::micros),
    })
}

/// The guard facts of an action as they stand; a fact that is not known is bound as unknown.
pub fn guards<'a>(action: &Action, facts: &Facts) -> BTreeMap<&'a str, Option<Value>> {
    action
        .guard_facts()
        .iter()
        .map(|name| (name.as_str(), facts.get(*name).map(|fact| fact.value.guarded())))
        .collect()
}

#[cfg(test)]
mod tests {
    use bursar_stripe::currency::Currency;
    use bursar_stripe::money::Money;

    use super::*;
    use crate::action::RefundReason;
    use crate::facts::{FactName, FactValue, Source};

    fn lane() -> Lane {
        "acct_1/test".parse().unwrap()
    }

    fn refund(amount: i64) -> Action {
        Action::RefundCharge {
            charge: "ch_1".parse().unwrap(),
            amount: Money::new(amount, Currency::USD),
            reason: RefundReason::Duplicate,
        }
    }

    fn facts(refundable: i64, age_days: i64) -> Facts {
        let mut facts = Facts::default();
        let at = BusinessTime::from_unix_s(0);
        let money = FactValue::Money { money: Money::new(refundable, Currency::USD), home: None };
        facts.insert(FactName::Refundable, money, Source::Stripe, at);
        facts.insert(FactName::ChargeAgeDays, FactValue::Count(age_days), Source::Derived, at);
        facts
    }

    #[test]
    fn what_the_digest_binds_and_what_it_lets_tick() {
        let base = digest(&lane(), &refund(500), &facts(500, 1), None).unwrap();
        assert_eq!(base, digest(&lane(), &refund(500), &facts(500, 9), None).unwrap(), "age only ticks");
        assert_ne!(base, digest(&lane(), &refund(501), &facts(500, 1), None).unwrap(), "amount");
        assert_ne!(base, digest(&lane(), &refund(500), &facts(400, 1), None).unwrap(), "guard fact");
        let live: Lane = "acct_1/live".parse().unwrap();
        assert_ne!(base, digest(&live, &refund(500), &facts(500, 1), None).unwrap(), "lane");
        let later = Some(BusinessTime::from_unix_s(1));
        assert_ne!(base, digest(&lane(), &refund(500), &facts(500, 1), later).unwrap(), "expiry");
    }

    #[test]
    fn every_state_parses_back() {
        for state in ProposalState::ALL {
            assert_eq!(ProposalState::parse(state.as_str()), Some(state));
        }
    }
}
