//! How much is at stake, by rules that anybody can check: each that holds gives a tier and says why. No score, no model, no
//! confidence; the tier of a card is its highest, and the two largest reasons are shown.

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::facts::{FactName, FactValue};
use bursar_store::proposals::Proposal;
use bursar_stripe::money::Money;
use serde_json::{Value, json};

use super::words;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Low,
    Medium,
    High,
}

impl Tier {
    fn as_str(self) -> &'static str {
        match self {
            Tier::Low => "low",
            Tier::Medium => "medium",
            Tier::High => "high",
        }
    }
}

/// As many reasons as a card shows.
const REASONS: usize = 2;
/// A limit that is passed tenfold is another matter than one that is just passed.
const FAR: i64 = 10;
const REFUNDS_MANY: i64 = 3;
/// Two thirds of what the card networks allow in thirty days.
const ATTEMPTS_MANY: i64 = 10;

/// `{"tier": "medium", "reasons": ["cannot be taken back", …]}`.
pub(super) fn document(proposal: &Proposal) -> Value {
    let mut found = rules(proposal);
    // Stable: of two in one tier the one that stands first weighs more.
    found.sort_by_key(|(tier, _)| std::cmp::Reverse(*tier));
    let tier = found.first().map_or(Tier::Low, |(tier, _)| *tier);
    let reasons: Vec<String> = found.into_iter().take(REASONS).map(|(_, why)| why).collect();
    json!({"tier": tier.as_str(), "reasons": reasons})
}

/// In the order in which they weigh within a tier.
fn rules(proposal: &Proposal) -> Vec<(Tier, String)> {
    let facts = &proposal.content.facts;
    let mut found = Vec::new();
    let mut when = |holds: bool, tier: Tier, why: &str| {
        if holds {
            found.push((tier, why.to_owned()));
        }
    };
    let moves = matches!(proposal.content.action, Action::RefundCharge { .. } | Action::PayInvoice { .. });
    let refunds = matches!(proposal.content.action, Action::RefundCharge { .. });
    when(facts.flag(FactName::Disputed) == Some(true), Tier::High, "the charge is disputed");
    when(
        moves && facts.flag(FactName::OpenDispute) == Some(true),
        Tier::High,
        "the customer has an open dispute",
    );
    let passed = |times: i64| fired(proposal).any(|(actual, limit)| limit > 0 && actual / times > limit);
    when(passed(FAR), Tier::High, "more than ten times the limit");
    when(passed(1) && !passed(FAR), Tier::Medium, "over the limit");
    let rate_missing = matches!(
        facts.get(FactName::Amount).map(|fact| &fact.value),
        Some(FactValue::Money { home: None, .. })
    );
    when(moves && rate_missing, Tier::Medium, "no exchange rate: its worth at home is not known");
    let many = |name, least| facts.count(name).is_some_and(|count| count >= least);
    when(
        refunds && many(FactName::RefundsTwelveMonths, REFUNDS_MANY),
        Tier::Medium,
        "several refunds of this customer in a year",
    );
    when(
        moves && !refunds && many(FactName::AttemptsThirtyDays, ATTEMPTS_MANY),
        Tier::Medium,
        "many declined tries of this card already",
    );
    when(
        facts.flag(FactName::PendingCancellation) == Some(true) && !refunds,
        Tier::Medium,
        "the customer is leaving",
    );
    let machine = matches!(proposal.actor, Actor::ApiKey { .. } | Actor::Agent { .. });
    when(moves && machine, Tier::Medium, "a program asks, not a person");
    when(refunds, Tier::Medium, "cannot be taken back");
    when(matches!(proposal.content.action, Action::SendMail(_)), Tier::Low, "a letter cannot be called back");
    when(moves && !refunds, Tier::Low, "can be refunded");
    found
}

/// Values and limits of the comparisons that fired on money.
fn fired(proposal: &Proposal) -> impl Iterator<Item = (i64, i64)> {
    let policies = proposal.verdict.policies.iter().flat_map(|policy| &policy.comparisons);
    let upward = policies.filter(|fired| fired.operator.starts_with('>') && fired.fact.contains("amount"));
    upward.map(|fired| (fired.actual, fired.limit))
}

/// What the day's budget holds before and after, for what takes from it.
pub(super) fn budget(proposal: &Proposal) -> Option<Value> {
    let Action::RefundCharge { amount, .. } = &proposal.content.action else { return None };
    let facts = &proposal.content.facts;
    let FactValue::Money { money: spent, home: spent_home } = &facts.get(FactName::SpentToday)?.value else {
        return None;
    };
    let line = |scope: String, before: Money, cost| {
        let after = before.checked_add(cost).ok()?;
        Some(json!({"scope": scope, "before": words::money(before), "after": words::money(after)}))
    };
    let worth = match &facts.get(FactName::Amount)?.value {
        FactValue::Money { home, .. } => home.as_ref().map(|home| home.money),
        _ => None,
    };
    let at_home = spent_home.as_ref().zip(worth);
    let home = at_home.and_then(|(spent, worth)| line("all currencies".to_owned(), spent.money, worth));
    let one = (spent.currency == amount.currency)
        .then(|| line(spent.currency.as_str().to_uppercase(), *spent, *amount))
        .flatten();
    // One line says it where only the home currency was used.
    let same = spent_home.as_ref().is_some_and(|home| home.money == *spent);
    let lines: Vec<Value> = one.into_iter().chain(home.filter(|_| !same)).collect();
    Some(json!({"label": "Refunded today, this lane", "lines": lines}))
}
