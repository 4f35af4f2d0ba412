//! Typed, sourced values that policy may look at. The catalogue is closed: a name, its type, and what it means stand in
//! one table, from which the Cedar schema and the documentation are made. Text written by customers or agents is never
//! a fact.

use std::collections::BTreeMap;

use bursar_stripe::money::Money;
use serde::{Deserialize, Serialize};

use crate::time::BusinessTime;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum FactValue {
    /// `home` is the amount in minor units of the home currency, rounded up, where a dated rate is configured.
    Money {
        money: Money,
        home: Option<HomeAmount>,
    },
    Count(i64),
    Flag(bool),
    Text(String),
    Time(BusinessTime),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeAmount {
    pub money: Money,
    /// Where the rate came from and its date, `config 2026-11-20: 1 eur = 1.0850 usd`; `same currency` when none is needed.
    pub rate: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactKind {
    Money,
    Count,
    Flag,
    Text,
    Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Read from a Stripe object.
    Stripe,
    /// Computed by Bursar from what it holds.
    Derived,
    /// Said by whoever asks.
    Claimed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    #[serde(flatten)]
    pub value: FactValue,
    pub source: Source,
    /// When the value was read or computed.
    pub as_of: BusinessTime,
}

macro_rules! catalogue {
    ($($variant:ident, $name:literal, $kind:ident, $meaning:literal;)*) => {
        /// The closed list of fact names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FactName { $(#[serde(rename = $name)] $variant,)* }

        impl FactName {
            pub const ALL: &'static [FactName] = &[$(FactName::$variant,)*];
            pub fn as_str(self) -> &'static str { match self { $(FactName::$variant => $name,)* } }
            pub fn kind(self) -> FactKind { match self { $(FactName::$variant => FactKind::$kind,)* } }
            pub fn meaning(self) -> &'static str { match self { $(FactName::$variant => $meaning,)* } }
        }
    };
}

catalogue! {
    Amount, "amount", Money, "what the action moves";
    Refundable, "refundable", Money, "captured and not yet refunded of the charge";
    AmountRemaining, "amount_remaining", Money, "still due on the invoice";
    SpentToday, "spent_today", Money, "what refunds sent or done since midnight in the configured zone took from this lane, this one not counted: in the action's currency, and in home currency over all currencies that have a rate";
    CustomerPaid, "customer_paid", Money, "paid by the customer over all charges seen, this currency";
    Disputed, "disputed", Flag, "the charge has been disputed";
    OpenDispute, "open_dispute", Flag, "the customer has a dispute that is not decided";
    PendingCancellation, "pending_cancellation", Flag, "the subscription is set to end";
    CustomerDeleted, "customer_deleted", Flag, "the customer no longer exists at Stripe";
    HasPaymentMethod, "has_payment_method", Flag, "a payment method is on file for the invoice";
    ChargeAgeDays, "charge_age_days", Count, "whole days since the charge was made";
    RefundsTwelveMonths, "refunds_twelve_months", Count, "refunds of this customer in the last 365 days";
    AttemptCount, "attempt_count", Count, "charges tried on the invoice, ours and Stripe's";
    AttemptsThirtyDays, "attempts_thirty_days", Count, "declined charges on the customer's card in the last 30 days";
    HoursToNextAttempt, "hours_to_next_attempt", Count, "whole hours until Stripe's own next attempt; 8760 when none is scheduled";
    MessagesSevenDays, "messages_seven_days", Count, "letters Bursar sent this customer in the last 7 days";
    NextPaymentAttempt, "next_payment_attempt", Time, "Stripe's own next attempt; the epoch when none is scheduled";
    InvoiceStatus, "invoice_status", Text, "draft, open, paid, uncollectible or void";
    SubscriptionStatus, "subscription_status", Text, "Stripe's status of the subscription";
    CaseClass, "case_class", Text, "what the playbook says happened";
    DeclineClass, "decline_class", Text, "never, needs_new_details, needs_customer, retry_later or human";
    RefundReason, "refund_reason", Text, "duplicate, fraudulent or requested_by_customer, as asked";
    Template, "template", Text, "the approved template of a message";
}

/// What is known about one proposal, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts {
    entries: BTreeMap<FactName, Fact>,
}

impl Facts {
    /// Sets a fact.
    ///
    /// # Panics
    /// When the value is not of the catalogue's type: a broken invariant, never input.
    pub fn insert(&mut self, name: FactName, value: FactValue, source: Source, as_of: BusinessTime) {
        assert_eq!(value.kind(), name.kind(), "fact {} has another type", name.as_str());
        self.entries.insert(name, Fact { value, source, as_of });
    }

    pub fn get(&self, name: FactName) -> Option<&Fact> {
        self.entries.get(&name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (FactName, &Fact)> {
        self.entries.iter().map(|(name, fact)| (*name, fact))
    }

    pub fn money(&self, name: FactName) -> Option<Money> {
        match &self.get(name)?.value {
            FactValue::Money { money, .. } => Some(*money),
            _ => None,
        }
    }

    pub fn flag(&self, name: FactName) -> Option<bool> {
        match self.get(name)?.value {
            FactValue::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    pub fn count(&self, name: FactName) -> Option<i64> {
        match self.get(name)?.value {
            FactValue::Count(count) => Some(count),
            _ => None,
        }
    }

    pub fn text(&self, name: FactName) -> Option<&str> {
        match &self.get(name)?.value {
            FactValue::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FactValue {
    pub fn kind(&self) -> FactKind {
        match self {
            FactValue::Money { .. } => FactKind::Money,
            FactValue::Count(_) => FactKind::Count,
            FactValue::Flag(_) => FactKind::Flag,
            FactValue::Text(_) => FactKind::Text,
            FactValue::Time(_) => FactKind::Time,
        }
    }

    /// The part of a value that a digest binds: the value at Stripe, not what it is worth at home today.
    pub fn guarded(&self) -> serde_json::Value {
        match self {
            FactValue::Money { money, .. } => {
                serde_json::json!({"amount": money.amount, "currency": money.currency.as_str()})
            }
            FactValue::Count(count) => (*count).into(),
            FactValue::Flag(flag) => (*flag).into(),
            FactValue::Text(text) => text.as_str().into(),
            FactValue::Time(time) => time.micros().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_survive_json() {
        let mut seen = std::collections::BTreeSet::new();
        for name in FactName::ALL {
            assert!(seen.insert(name.as_str()), "{} twice", name.as_str());
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
    }

    #[test]
    #[should_panic(expected = "fact disputed has another type")]
    fn a_fact_of_the_wrong_type_is_a_broken_invariant() {
        Facts::default().insert(
            FactName::Disputed,
            FactValue::Count(1),
            Source::Stripe,
            BusinessTime::from_micros(0),
        );
    }
}
