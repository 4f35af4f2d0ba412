//! The payment method that the next attempt would use, and whether it deserves one.

use bursar_domain::known::Known;
use bursar_domain::time::BusinessTime;
use bursar_stripe::decline::DeclineClass;
use bursar_stripe::id::PaymentMethodId;
use bursar_stripe::object::{Card, Charge, Invoice, PaymentMethod};

use super::attempts::{Attempts, Decline};
use super::reads;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Nothing on file, or what is on file is gone or detached.
    None,
    /// On file, of a kind whose details cannot be read.
    Opaque(PaymentMethodId),
    Known(Box<PaymentMethod>),
}

/// Sources and bank accounts of older integrations have no payment-method endpoint.
pub(super) fn can_be_read(id: &PaymentMethodId) -> bool {
    id.as_str().starts_with("pm_") || id.as_str().starts_with("card_")
}

/// Whose turn it is in the order Stripe documents; nothing until customer and subscription were asked for.
pub(super) fn on_file(known: &Known, invoice: &Invoice) -> Option<PaymentMethodId> {
    let subscription = reads::subscription(known, invoice).and_then(Result::ok);
    let customer = reads::customer(known, invoice).and_then(Result::ok);
    let asked = |kind: &str, id: Option<&str>| {
        id.is_none_or(|id| known.object(kind, id).is_some() || known.is_gone(kind, id))
    };
    let all_asked = asked("customer", invoice.customer.as_ref().map(AsRef::as_ref))
        && asked("subscription", invoice.subscription.as_ref().map(AsRef::as_ref));
    all_asked.then(|| reads::method_order(invoice, subscription.as_ref(), customer.as_ref())).flatten()
}

impl Method {
    pub(super) fn on_file(known: &Known, invoice: &Invoice) -> Method {
        let Some(id) = on_file(known, invoice) else {
            return Method::None;
        };
        if known.is_gone("payment_method", id.as_str()) {
            return Method::None;
        }
        let read = known
            .object("payment_method", id.as_str())
            .and_then(|value| PaymentMethod::from_value(value).ok());
        match read {
            // Once detached a method can never be used again.
            Some(method) if method.customer.is_none() => Method::None,
            Some(method) => Method::Known(Box::new(method)),
            None => Method::Opaque(id),
        }
    }

    pub(super) fn id(&self) -> Option<&PaymentMethodId> {
        match self {
            Method::None => None,
            Method::Opaque(id) => Some(id),
            Method::Known(method) => Some(&method.id),
        }
    }

    pub(super) fn since(&self) -> Option<BusinessTime> {
        match self {
            Method::Known(method) => method.created_s.map(BusinessTime::from_unix_s),
            Method::None | Method::Opaque(_) => None,
        }
    }

    /// Whether the charge was tried with the same card or account: by fingerprint, else by id.
    pub(super) fn is_of(&self, charge: &Charge) -> bool {
        let theirs = charge.card.as_ref().and_then(|card| card.fingerprint.as_deref());
        match (self.fingerprint(), theirs) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => self.id().is_some() && charge.payment_method.as_ref() == self.id(),
        }
    }

    fn fingerprint(&self) -> Option<&str> {
        match self {
            Method::Known(method) => method.fingerprint.as_deref(),
            Method::None | Method::Opaque(_) => None,
        }
    }

    fn card(&self) -> Option<&Card> {
        match self {
            Method::Known(method) => method.card.as_ref(),
            Method::None | Method::Opaque(_) => None,
        }
    }
}

/// Whether the method on file is worth a try that the refused one is not. A card refused for good must be another card, not
/// the same one entered again; for anything else new details suffice.
pub(super) fn is_fresh(method: &Method, decline: &Decline, attempts: &Attempts) -> bool {
    let (Some(id), Some(refused)) = (method.id(), &decline.method) else {
        return false;
    };
    let tried_as_it_is = attempts.failures.iter().any(|failure| {
        failure.method.as_ref() == Some(id) && !details_changed(failure.card.as_ref(), method.card())
    });
    if tried_as_it_is {
        return false;
    }
    match decline.class() {
        DeclineClass::Never => {
            let theirs = decline.card.as_ref().and_then(|card| card.fingerprint.as_deref());
            method.fingerprint().zip(theirs).is_some_and(|(ours, theirs)| ours != theirs)
        }
        DeclineClass::Human => false,
        DeclineClass::NeedsNewDetails | DeclineClass::NeedsCustomer | DeclineClass::RetryLater => {
            id != refused || details_changed(decline.card.as_ref(), method.card())
        }
    }
}

/// A card keeps its id when its issuer sends a new expiry date or number.
fn details_changed(then: Option<&Card>, now: Option<&Card>) -> bool {
    let details = |card: &Card| (card.exp_month, card.exp_year, card.fingerprint.clone());
    then.zip(now).is_some_and(|(then, now)| details(then) != details(now))
}
