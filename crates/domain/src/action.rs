//! Typed things Bursar can do. An action carries its exact parameters: omitted amounts are resolved before one is made.

use bursar_stripe::id::{ChargeId, CustomerId, InvoiceId, PaymentMethodId};
use bursar_stripe::money::Money;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::effect::Effect;
use crate::facts::FactName;
use crate::role::Role;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb")]
pub enum Action {
    /// `POST /v1/refunds` with an explicit amount.
    #[serde(rename = "refund.create")]
    RefundCharge { charge: ChargeId, amount: Money, reason: RefundReason },
    /// `POST /v1/invoices/:id/pay`, off session. `amount` is what remains due when proposed.
    #[serde(rename = "invoice.pay")]
    PayInvoice { invoice: InvoiceId, amount: Money, payment_method: Option<PaymentMethodId> },
    /// `POST /v1/billing_portal/sessions`. The answer's URL signs its holder in: it is handed over once, never stored.
    #[serde(rename = "billing_portal.session.create")]
    CreatePortalSession { customer: CustomerId },
    /// One e-mail, rendered from an approved template before it is proposed.
    #[serde(rename = "mail.send")]
    SendMail(Mail),
    /// Something a person should do. Stays inside Bursar.
    #[serde(rename = "task.create")]
    CreateTask { title: String, body: String, role: Role },
}

/// The exact letter that people approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub to: String,
    pub customer: CustomerId,
    /// The invoice the letter is about, where it is about one.
    pub invoice: Option<InvoiceId>,
    /// Template name and version, `payment_failed@1`.
    pub template: String,
    pub locale: String,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
}

/// Stripe's settable reasons. `fraudulent` also puts card and e-mail on Stripe's block list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    Duplicate,
    Fraudulent,
    RequestedByCustomer,
}

impl RefundReason {
    pub fn as_str(self) -> &'static str {
        match self {
            RefundReason::Duplicate => "duplicate",
            RefundReason::Fraudulent => "fraudulent",
            RefundReason::RequestedByCustomer => "requested_by_customer",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [RefundReason::Duplicate, RefundReason::Fraudulent, RefundReason::RequestedByCustomer]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

/// Every verb there is, in the order the documentation lists them.
pub const VERBS: [&str; 5] =
    ["refund.create", "invoice.pay", "billing_portal.session.create", "mail.send", "task.create"];

impl Action {
    pub fn verb(&self) -> &'static str {
        match self {
            Action::RefundCharge { .. } => "refund.create",
            Action::PayInvoice { .. } => "invoice.pay",
            Action::CreatePortalSession { .. } => "billing_portal.session.create",
            Action::SendMail(_) => "mail.send",
            Action::CreateTask { .. } => "task.create",
        }
    }

    pub fn effects(&self) -> &'static [Effect] {
        effects_of(self.verb())
    }

    /// What the action is done to: Stripe's kind and id.
    pub fn target(&self) -> Option<(&'static str, &str)> {
        match self {
            Action::RefundCharge { charge, .. } => Some(("charge", charge.as_str())),
            Action::PayInvoice { invoice, .. } => Some(("invoice", invoice.as_str())),
            Action::CreatePortalSession { customer } => Some(("customer", customer.as_str())),
            Action::SendMail(mail) => Some(match &mail.invoice {
                Some(invoice) => ("invoice", invoice.as_str()),
                None => ("customer", mail.customer.as_str()),
            }),
            Action::CreateTask { .. } => None,
        }
    }

    /// The money it moves, where it moves any.
    pub fn amount(&self) -> Option<Money> {
        match self {
            Action::RefundCharge { amount, .. } | Action::PayInvoice { amount, .. } => Some(*amount),
            Action::CreatePortalSession { .. } | Action::SendMail(_) | Action::CreateTask { .. } => None,
        }
    }

    /// Facts that must still be true at execution. None of them merely ticks.
    pub fn guard_facts(&self) -> &'static [FactName] {
        match self {
            Action::RefundCharge { .. } => &[FactName::Refundable, FactName::Disputed],
            Action::PayInvoice { .. } => {
                &[FactName::InvoiceStatus, FactName::AmountRemaining, FactName::NextPaymentAttempt]
            }
            Action::SendMail(mail) if mail.invoice.is_some() => {
                &[FactName::InvoiceStatus, FactName::AmountRemaining]
            }
            Action::SendMail(_) | Action::CreatePortalSession { .. } | Action::CreateTask { .. } => &[],
        }
    }

    /// The exact parameters, as they stand in the digest and on the card.
    pub fn params(&self) -> Value {
        let mut whole = serde_json::to_value(self).unwrap_or_else(|_| json!({}));
        if let Some(map) = whole.as_object_mut() {
            map.remove("verb");
        }
        whole
    }
}

/// The effects of a verb; nothing for a verb that does not exist.
pub fn effects_of(verb: &str) -> &'static [Effect] {
    match verb {
        "refund.create" => &[Effect::MoneyOut],
        "invoice.pay" => &[Effect::MoneyIn],
        "billing_portal.session.create" => &[Effect::Access],
        "mail.send" => &[Effect::Message],
        "task.create" => &[Effect::Internal],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use bursar_stripe::currency::Currency;

    use super::*;

    fn refund() -> Action {
        Action::RefundCharge {
            charge: "ch_1".parse().unwrap(),
            amount: Money::new(64_000, Currency::USD),
            reason: RefundReason::RequestedByCustomer,
        }
    }

    #[test]
    fn an_action_survives_json_and_unknown_verbs_do_not() {
        let text = serde_json::to_string(&refund()).unwrap();
        assert_eq!(serde_json::from_str::<Action>(&text).unwrap(), refund());
        assert!(serde_json::from_str::<Action>(r#"{"verb":"charge.delete"}"#).is_err());
    }

    #[test]
    fn every_verb_has_an_effect() {
        for verb in VERBS {
            assert!(!effects_of(verb).is_empty(), "{verb}");
        }
        assert!(effects_of("charge.delete").is_empty());
    }

    #[test]
    fn parameters_leave_the_verb_out() {
        assert_eq!(
            refund().params(),
            json!({"charge": "ch_1", "amount": {"amount": 64000, "currency": "usd"}, "reason": "requested_by_customer"})
        );
    }
}
