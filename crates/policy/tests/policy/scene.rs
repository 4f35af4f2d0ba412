//! Actors and facts for the tables of decisions.

use bursar_domain::action::effects_of;
use bursar_domain::actor::Actor;
use bursar_domain::facts::{FactName, FactValue, Facts, HomeAmount, Source};
use bursar_domain::id::{PersonId, TokenId};
use bursar_domain::lane::Lane;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::Verdict;
use bursar_policy::{PolicyFile, PolicySet, Question, default_set};
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;

pub fn defaults() -> PolicySet {
    PolicySet::load(&default_set()).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

pub fn loaded(text: &str) -> PolicySet {
    PolicySet::load(&[PolicyFile::new("p.cedar", text)]).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// Facts under construction; every step gives changed facts.
#[derive(Clone, Default)]
pub struct Known(pub Facts);

impl Known {
    fn with(mut self, name: FactName, value: FactValue) -> Self {
        self.0.insert(name, value, Source::Stripe, BusinessTime::from_unix_s(0));
        self
    }

    pub fn without(self, name: FactName) -> Self {
        let mut facts = Facts::default();
        for (known, fact) in self.0.iter().filter(|(known, _)| *known != name) {
            facts.insert(known, fact.value.clone(), fact.source, fact.as_of);
        }
        Self(facts)
    }

    /// Money of the home currency, dollars.
    pub fn usd(self, name: FactName, amount: i64) -> Self {
        self.money(name, Money::new(amount, Currency::USD), Some(amount))
    }

    pub fn money(self, name: FactName, money: Money, home: Option<i64>) -> Self {
        let at_home =
            |amount| HomeAmount { money: Money::new(amount, Currency::USD), rate: "a dated rate".to_owned() };
        self.with(name, FactValue::Money { money, home: home.map(at_home) })
    }

    pub fn flag(self, name: FactName, flag: bool) -> Self {
        self.with(name, FactValue::Flag(flag))
    }

    pub fn count(self, name: FactName, count: i64) -> Self {
        self.with(name, FactValue::Count(count))
    }

    pub fn text(self, name: FactName, text: &str) -> Self {
        self.with(name, FactValue::Text(text.to_owned()))
    }
}

/// A refund of a charge with 900.00 USD left, on a day without refunds.
pub fn refund(amount: i64) -> Known {
    Known::default()
        .usd(FactName::Amount, amount)
        .usd(FactName::Refundable, 90_000)
        .usd(FactName::SpentToday, 0)
        .flag(FactName::Disputed, false)
        .text(FactName::RefundReason, "requested_by_customer")
}

/// A payment of an open invoice after a temporary decline.
pub fn payment(amount: i64) -> Known {
    Known::default()
        .usd(FactName::Amount, amount)
        .text(FactName::InvoiceStatus, "open")
        .text(FactName::DeclineClass, "retry_later")
        .count(FactName::AttemptsThirtyDays, 2)
        .count(FactName::HoursToNextAttempt, 8760)
        .flag(FactName::OpenDispute, false)
        .flag(FactName::PendingCancellation, false)
}

/// A letter to a customer who exists and has had so many this week.
pub fn letter(sent: i64) -> Known {
    Known::default().count(FactName::MessagesSevenDays, sent).flag(FactName::CustomerDeleted, false)
}

pub fn playbook() -> Actor {
    Actor::Playbook { name: "recovery".to_owned(), author: None }
}

pub fn person() -> Actor {
    Actor::Person { id: PersonId::from_entropy([1; 16]), name: "Olivia".to_owned() }
}

pub fn agent() -> Actor {
    Actor::Agent {
        id: TokenId::from_entropy([2; 16]),
        name: "support-bot".to_owned(),
        owner: PersonId::from_entropy([1; 16]),
    }
}

pub fn judge(set: &PolicySet, verb: &str, actor: &Actor, roles: &[Role], known: &Known) -> Verdict {
    let lane: Lane = "acct_1/live".parse().expect("a lane");
    let target = Some(("charge", "ch_1"));
    let effects = effects_of(verb);
    let judgement =
        set.judge(&Question { actor, roles, verb, effects, lane: &lane, target, facts: &known.0 });
    assert_eq!(judgement.alarm, None, "an alarm is for broken policies");
    judgement.verdict
}

/// `ask controller: refunds.over_limit, refunds.fraudulent`.
pub fn short(verdict: &Verdict) -> String {
    let seats: Vec<&str> = verdict.requirements.iter().map(|seat| seat.role.as_str()).collect();
    let policies: Vec<&str> = verdict.policies.iter().map(|policy| policy.id.as_str()).collect();
    let seats = if seats.is_empty() { String::new() } else { format!(" {}", seats.join("+")) };
    format!("{}{seats}: {}", verdict.ruling.as_str(), policies.join(", ")).trim_end_matches(": ").to_owned()
}
