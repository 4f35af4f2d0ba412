//! What was tried on the invoice and on the customer's card, from charges: Stripe's `attempt_count` counts schedules.

use std::collections::BTreeSet;
use std::time::Duration;

use bursar_domain::known::Known;
use bursar_domain::time::BusinessTime;
use bursar_stripe::decline::{self, DeclineClass};
use bursar_stripe::id::{ChargeId, PaymentIntentId, PaymentMethodId};
use bursar_stripe::object::{
    AdviceCode, Card, Charge, ChargeStatus, Invoice, Outcome, OutcomeType, PaymentError, PaymentIntent,
    PaymentIntentStatus,
};

use super::method::Method;
use super::reads::{self, Charges};

/// Networks count reattempts over this long.
pub(super) const LIMIT_WINDOW: Duration = Duration::from_hours(30 * 24);

/// We stop here. Visa allows 20 reattempts in 30 days (Core Rules, table 7-2, April 2026) and 15 before; Mastercard's 35 is
/// further away. The headroom is for attempts of Stripe's own.
pub(super) const DECLINES_MAX: usize = 15;

/// Why one attempt failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Decline {
    pub(super) charge: Option<ChargeId>,
    pub(super) at: Option<BusinessTime>,
    pub(super) method: Option<PaymentMethodId>,
    pub(super) card: Option<Card>,
    /// Stripe's `decline_code`, or why Stripe blocked it.
    pub(super) reason: Option<String>,
    pub(super) code: Option<String>,
    pub(super) advice_code: Option<AdviceCode>,
    /// Stripe stopped it before the network saw it.
    pub(super) blocked: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attempts {
    /// Failed attempts on this invoice, newest first.
    pub(super) failures: Vec<Decline>,
    /// The customer must do something before the current payment can go on.
    pub(super) waits_for_customer: bool,
    /// The bank has not answered yet, as with direct debits.
    pub(super) processing: bool,
    /// Every charge that was read, newest first.
    charges: Vec<Charge>,
    complete: bool,
}

impl Attempts {
    pub(super) fn of(known: &Known, invoice: &Invoice, charges: Charges) -> Attempts {
        let intent = reads::intent(known, invoice);
        let links = Links::of(known, invoice);
        let of_invoice = || charges.items.iter().filter(|charge| links.has(charge, invoice));
        let mut failures: Vec<Decline> = of_invoice()
            .filter(|charge| charge.status == ChargeStatus::Failed)
            .map(Decline::of_charge)
            .collect();
        if let Some(error) = intent.as_ref().and_then(|intent| intent.last_payment_error.as_ref()) {
            merge(&mut failures, error);
        }
        let status = intent.as_ref().map(|intent: &PaymentIntent| &intent.status);
        Attempts {
            failures,
            waits_for_customer: matches!(
                status,
                Some(PaymentIntentStatus::RequiresAction | PaymentIntentStatus::RequiresConfirmation)
            ),
            processing: status == Some(&PaymentIntentStatus::Processing)
                || of_invoice().next().is_some_and(|newest| newest.status == ChargeStatus::Pending),
            complete: charges.complete,
            charges: charges.items,
        }
    }

    pub(super) fn explains(&self, on_file: Option<&PaymentMethodId>) -> Option<&Decline> {
        let with_it = |decline: &&Decline| on_file.is_some() && decline.method.as_ref() == on_file;
        self.failures.iter().find(with_it).or_else(|| self.failures.first())
    }

    /// When the bank last refused this invoice.
    pub(super) fn last_failure_at(&self) -> Option<BusinessTime> {
        self.failures.iter().filter_map(|decline| decline.at).max()
    }

    /// Declines of the card on file that a network saw in the last 30 days, over all invoices.
    pub(super) fn declines_in_window(&self, method: &Method, now: BusinessTime) -> usize {
        let from = now.minus(LIMIT_WINDOW);
        let counts = |charge: &&Charge| {
            charge.status == ChargeStatus::Failed
                && BusinessTime::from_unix_s(charge.created_s) >= from
                && !is_blocked(charge.outcome.as_ref())
                && method.is_of(charge)
        };
        self.charges.iter().filter(counts).count()
    }

    /// Whether every charge of the last 30 days was seen.
    pub(super) fn cover_window(&self, now: BusinessTime) -> bool {
        let from = now.minus(LIMIT_WINDOW);
        let oldest = self.charges.iter().map(|charge| charge.created_s).min();
        self.complete || oldest.is_some_and(|oldest_s| BusinessTime::from_unix_s(oldest_s) < from)
    }
}

impl Decline {
    pub(super) fn class(&self) -> DeclineClass {
        let advice = self.advice_code.as_ref().map(AdviceCode::as_str);
        decline::classify(self.reason.as_deref(), self.code.as_deref(), advice)
    }

    /// The code that says most, as far as it is one.
    pub(super) fn word(&self) -> &str {
        let said = self.reason.as_deref().or(self.code.as_deref());
        let is_code = |text: &&str| {
            text.len() <= 64
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        said.map_or("an unknown reason", |text| Some(text).filter(is_code).unwrap_or("an unreadable reason"))
    }

    fn of_charge(charge: &Charge) -> Decline {
        let outcome = charge.outcome.as_ref();
        Decline {
            charge: Some(charge.id.clone()),
            at: Some(BusinessTime::from_unix_s(charge.created_s)),
            method: charge.payment_method.clone(),
            card: charge.card.clone(),
            reason: outcome.and_then(|outcome| outcome.reason.clone()),
            code: charge.failure_code.clone(),
            advice_code: outcome.and_then(|outcome| outcome.advice_code.clone()),
            blocked: is_blocked(outcome),
        }
    }
}

/// The payment intent's error is about its latest attempt. Where that left a charge the two are one failure, of which the
/// error says more; where it did not, the error is a failure of its own and the newest.
fn merge(failures: &mut Vec<Decline>, error: &PaymentError) {
    let position =
        failures.iter().position(|failure| error.charge.is_some() && failure.charge == error.charge);
    let position = position.unwrap_or_else(|| {
        failures.insert(0, Decline { charge: error.charge.clone(), ..Decline::default() });
        0
    });
    let failure = &mut failures[position];
    failure.reason = error.decline_code.clone().or(failure.reason.take());
    failure.code = error.code.clone().or(failure.code.take());
    failure.advice_code = error.advice_code.clone().or(failure.advice_code.take());
    failure.method = error.payment_method.clone().or(failure.method.take());
}

fn is_blocked(outcome: Option<&Outcome>) -> bool {
    outcome.is_some_and(|outcome| outcome.kind == Some(OutcomeType::Blocked))
}

/// What ties a charge to the invoice, in either shape.
struct Links {
    intents: BTreeSet<PaymentIntentId>,
    charges: BTreeSet<ChargeId>,
}

impl Links {
    fn of(known: &Known, invoice: &Invoice) -> Links {
        let payments = reads::payments(known, invoice);
        let intents = payments.iter().filter_map(|payment| payment.payment_intent.as_ref());
        let charges = payments.iter().filter_map(|payment| payment.charge.as_ref());
        Links {
            intents: intents.chain(&invoice.payment_intent).map(|intent| intent.id().clone()).collect(),
            charges: charges.chain(&invoice.charge).map(|charge| charge.id().clone()).collect(),
        }
    }

    fn has(&self, charge: &Charge, invoice: &Invoice) -> bool {
        charge.invoice.as_ref() == Some(&invoice.id)
            || charge.payment_intent.as_ref().is_some_and(|id| self.intents.contains(id))
            || self.charges.contains(&charge.id)
    }
}
