//! Facts as a card lists them: a label, the value in words, where it comes from and when it was read.

use bursar_domain::action::Action;
use bursar_domain::facts::{Fact, FactName, FactValue, Facts, HomeAmount, Source};
use bursar_domain::time::BusinessTime;
use bursar_store::proposals::Proposal;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Sources, words};

/// Those that execution checks again come first: they are what the vote rests on.
pub(crate) fn lines(proposal: &Proposal, zone: &TimeZone) -> Vec<Value> {
    let guards = proposal.content.action.guard_facts();
    let mut facts: Vec<(FactName, &Fact)> =
        proposal.content.facts.iter().filter(|(name, fact)| tells_more(proposal, *name, fact)).collect();
    facts.sort_by_key(|(name, fact)| (!guards.contains(name), fact.source == Source::Claimed));
    facts.into_iter().map(|(name, fact)| line(name, fact, guards.contains(&name), zone)).collect()
}

/// The amount is the title's, and a fact worth showing only where it was converted; what refunds took today matters to
/// refunds.
fn tells_more(proposal: &Proposal, name: FactName, fact: &Fact) -> bool {
    match &fact.value {
        _ if name == FactName::SpentToday => matches!(proposal.content.action, Action::RefundCharge { .. }),
        FactValue::Money { money, home } if name == FactName::Amount => {
            home.as_ref().is_some_and(|home| home.money.currency != money.currency)
        }
        _ => true,
    }
}

fn line(name: FactName, fact: &Fact, guard: bool, zone: &TimeZone) -> Value {
    json!({
        "name": name.as_str(),
        "label": label(name),
        "meaning": name.meaning(),
        "value": text(name, &fact.value, zone),
        "about": abroad(name, &fact.value).map(|home| words::money(home.money)),
        "rate": abroad(name, &fact.value).map(|home| home.rate.as_str()),
        "source": match fact.source {
            Source::Stripe => "stripe",
            Source::Derived => "derived",
            Source::Claimed => "claimed",
        },
        "as_of": fact.as_of.micros(),
        "guard": guard,
    })
}

/// What money of another currency is worth at home, and by which rate.
fn abroad(name: FactName, value: &FactValue) -> Option<&HomeAmount> {
    match value {
        FactValue::Money { money, home: Some(home) } if name != FactName::SpentToday => {
            (home.money.currency != money.currency).then_some(home)
        }
        _ => None,
    }
}

/// A fact's value in words.
pub(crate) fn words_of(facts: &Facts, name: FactName, zone: &TimeZone) -> String {
    facts.get(name).map_or_else(|| "not known".to_owned(), |fact| text(name, &fact.value, zone))
}

fn text(name: FactName, value: &FactValue, zone: &TimeZone) -> String {
    match value {
        FactValue::Money { money, home: Some(home) }
            if name == FactName::SpentToday && home.money != *money =>
        {
            format!("{}; {} over all currencies", words::money(*money), words::money(home.money))
        }
        FactValue::Money { money, .. } => words::money(*money),
        FactValue::Count(count) if name == FactName::HoursToNextAttempt && *count >= 8_760 => {
            "none scheduled".to_owned()
        }
        FactValue::Count(count) if name == FactName::HoursToNextAttempt => format!("{count} h"),
        FactValue::Count(0) if name == FactName::ChargeAgeDays => "under a day".to_owned(),
        FactValue::Count(count) if name == FactName::ChargeAgeDays => format!("{count} d"),
        FactValue::Count(count) => count.to_string(),
        FactValue::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        FactValue::Text(text) if name == FactName::Template => words::template(text),
        FactValue::Text(text) => text.replace('_', " "),
        FactValue::Time(time) if time.micros() == 0 => "none scheduled".to_owned(),
        FactValue::Time(time) => words::moment(*time, zone),
    }
}

/// A few words; `FactName::meaning` says the rest.
pub(super) fn label(name: FactName) -> &'static str {
    match name {
        FactName::Amount => "Amount",
        FactName::Refundable => "Refundable now",
        FactName::AmountRemaining => "Still due",
        FactName::SpentToday => "Refunded today, this lane",
        FactName::CustomerPaid => "Paid so far",
        FactName::Disputed => "Charge disputed",
        FactName::OpenDispute => "Customer has an open dispute",
        FactName::PendingCancellation => "Subscription is set to end",
        FactName::CustomerDeleted => "Customer deleted at Stripe",
        FactName::HasPaymentMethod => "Payment method on file",
        FactName::ChargeAgeDays => "Age of the charge",
        FactName::RefundsTwelveMonths => "Refunds, 12 months",
        FactName::AttemptCount => "Attempts on the invoice",
        FactName::AttemptsThirtyDays => "Declined charges, 30 days",
        FactName::HoursToNextAttempt => "Until Stripe's next attempt",
        FactName::MessagesSevenDays => "Letters sent, 7 days",
        FactName::NextPaymentAttempt => "Stripe's next attempt",
        FactName::InvoiceStatus => "Invoice",
        FactName::SubscriptionStatus => "Subscription",
        FactName::CaseClass => "Class of the case",
        FactName::DeclineClass => "Last decline",
        FactName::RefundReason => "Reason given",
        FactName::Template => "Template",
    }
}

/// What the refunded charge is: `of 640.00 USD paid 3 Nov 2026 · Visa ••4242 · ch_…`; where the charge itself is not at
/// hand, from the facts: `of 640.00 USD refundable · paid 3 days ago · ch_…`.
pub(super) fn charge_line(from: &Sources<'_>) -> Option<String> {
    let proposal = from.proposal;
    if let (Action::RefundCharge { charge, .. }, Some((amount, at_s))) =
        (&proposal.content.action, from.paid.charge)
    {
        let day = words::day(BusinessTime::from_unix_s(at_s), from.zone);
        let paid = format!("of {} paid {day}", words::money(amount));
        let parts = [Some(paid), from.paid.card_words(), Some(charge.as_str().to_owned())];
        return Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" · "));
    }
    let Action::RefundCharge { charge, .. } = &proposal.content.action else { return None };
    let facts = &proposal.content.facts;
    let left = facts.money(FactName::Refundable).map(|left| format!("of {} refundable", words::money(left)));
    let age = facts.count(FactName::ChargeAgeDays).map(|days| match days {
        0 => "paid today".to_owned(),
        1 => "paid yesterday".to_owned(),
        days => format!("paid {days} days ago"),
    });
    let parts = [left, age, Some(charge.as_str().to_owned())];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" · "))
}
