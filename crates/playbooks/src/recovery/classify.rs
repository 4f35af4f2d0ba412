//! What happened to the invoice, from a closed list, with the rule that said so.

use bursar_domain::known::Known;
use bursar_stripe::decline::DeclineClass;
use bursar_stripe::object::InvoiceStatus;
use serde_json::Value;

use super::attempts::Decline;
use super::method::Method;
use super::risk;
use super::settings::Settings;
use super::situation::{End, Gap, Party, Situation};
use crate::Classified;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The same method may work another day, or a method is on file that was not tried yet.
    TemporaryFailure,
    /// The customer must give other details or another method.
    NeedsNewPaymentMethod,
    /// The customer must confirm the payment.
    NeedsAuthentication,
    /// The bank, or Stripe, refused for good.
    HardDecline,
    /// A person decides: pending cancellation, open dispute, high value.
    HighRisk,
    /// A reason that we do not know, or that is no matter of retrying. A person looks.
    Unexplained,
    Recovered,
    /// Nothing is left to recover.
    Ended,
    Incomplete {
        what: String,
    },
}

impl Class {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Class::TemporaryFailure => "temporary_failure",
            Class::NeedsNewPaymentMethod => "needs_new_payment_method",
            Class::NeedsAuthentication => "needs_authentication",
            Class::HardDecline => "hard_decline",
            Class::HighRisk => "high_risk",
            Class::Unexplained => "unexplained",
            Class::Recovered => "recovered",
            Class::Ended => "ended",
            Class::Incomplete { .. } => "incomplete",
        }
    }

    /// The class that was recorded.
    pub(super) fn of(classified: &Classified) -> Class {
        let closed = [
            Class::TemporaryFailure,
            Class::NeedsNewPaymentMethod,
            Class::NeedsAuthentication,
            Class::HardDecline,
            Class::HighRisk,
            Class::Unexplained,
            Class::Recovered,
            Class::Ended,
        ];
        let incomplete = || Class::Incomplete { what: classified.incomplete.clone().unwrap_or_default() };
        closed.into_iter().find(|class| class.as_str() == classified.class).unwrap_or_else(incomplete)
    }
}

pub(super) fn classify(known: &Known, settings: &Value) -> Classified {
    let (class, rule) = match Settings::read(settings) {
        Ok(settings) => judge(known, &settings),
        Err(error) => incomplete(error.to_string()),
    };
    let what = match &class {
        Class::Incomplete { what } => Some(what.clone()),
        _ => None,
    };
    Classified { class: class.as_str(), rule, incomplete: what }
}

fn incomplete(what: String) -> (Class, String) {
    let rule = format!("not enough is known: {what}");
    (Class::Incomplete { what }, rule)
}

fn judge(known: &Known, settings: &Settings) -> (Class, String) {
    let situation = match Situation::of(known) {
        Ok(situation) => situation,
        Err(Gap::Gone) => return (Class::Ended, End::InvoiceGone.sentence().to_owned()),
        Err(Gap::Unknown(what)) => return incomplete(what),
    };
    match situation.end() {
        Some(End::Recovered) => return (Class::Recovered, End::Recovered.sentence().to_owned()),
        Some(end) => return (Class::Ended, end.sentence().to_owned()),
        None => {}
    }
    if situation.invoice.status != InvoiceStatus::Open {
        let status =
            if situation.invoice.status == InvoiceStatus::Draft { "a draft" } else { "of an unknown status" };
        return incomplete(format!("invoice {} is {status}", situation.invoice.id));
    }
    if situation.party == Party::Deleted {
        return (Class::HardDecline, "the customer was deleted, so that nothing can be charged".to_owned());
    }
    let risks = risk::risks(&situation, settings);
    if !risks.is_empty() {
        return (Class::HighRisk, risks.join("; "));
    }
    of_failure(&situation)
}

/// The failure itself, when nothing around it is special.
fn of_failure(situation: &Situation<'_>) -> (Class, String) {
    let fresh = situation.has_fresh_method();
    if situation.attempts.waits_for_customer && !fresh {
        return (Class::NeedsAuthentication, "the payment waits for the customer to confirm it".to_owned());
    }
    if situation.method == Method::None && situation.is_charged_automatically() {
        return (Class::NeedsNewPaymentMethod, "no usable payment method is on file".to_owned());
    }
    match situation.decline() {
        Some(decline) if fresh => {
            let rule = format!(
                "a payment method is on file that this invoice was not tried with yet; the other failed with {}",
                plain(decline.word())
            );
            (Class::TemporaryFailure, rule)
        }
        Some(decline) => of_decline(decline),
        None if situation.signal == "invoice.payment_action_required" => {
            (Class::NeedsAuthentication, "Stripe says that the customer must act".to_owned())
        }
        None => incomplete(format!("why the payment of invoice {} failed", situation.invoice.id)),
    }
}

/// `insufficient_funds` -> `insufficient funds`: people read this.
pub(super) fn plain(code: &str) -> String {
    code.replace('_', " ")
}

fn of_decline(decline: &Decline) -> (Class, String) {
    let class = match decline.class() {
        // What Stripe's own checks stop is not for waiting; a rule of the merchant's is for the merchant.
        DeclineClass::RetryLater if decline.blocked => Class::HardDecline,
        DeclineClass::Human if decline.blocked && decline.reason.as_deref() != Some("rule") => {
            Class::HardDecline
        }
        DeclineClass::Never => Class::HardDecline,
        DeclineClass::NeedsNewDetails => Class::NeedsNewPaymentMethod,
        DeclineClass::NeedsCustomer => Class::NeedsAuthentication,
        DeclineClass::RetryLater => Class::TemporaryFailure,
        DeclineClass::Human => Class::Unexplained,
    };
    let verdict = match class {
        Class::TemporaryFailure => "may work another day",
        Class::NeedsNewPaymentMethod => "asks for other details",
        Class::NeedsAuthentication => "asks for the customer",
        Class::HardDecline if decline.blocked => "was stopped by Stripe before the bank saw it",
        Class::HardDecline => "rules this payment method out",
        _ => "is nothing that Bursar may judge by itself",
    };
    let advice = decline
        .advice_code
        .as_ref()
        .map(|advice| format!(" (advice: {})", plain(advice.as_str())))
        .unwrap_or_default();
    (class, format!("a decline for {}{advice} {verdict}", plain(decline.word())))
}
