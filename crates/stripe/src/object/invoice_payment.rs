//! What was asked for or paid on an invoice: since basil there can be several.

use serde_json::Value;

use super::expandable::expands;
use super::fields::Fields;
use super::open_enum::open_enum;
use super::{Charge, Expandable, ObjectError, PaymentIntent};
use crate::currency::Currency;
use crate::id::{InvoiceId, InvoicePaymentId};
use crate::money::Money;

open_enum! {
    InvoicePaymentStatus { Open = "open", Paid = "paid", Canceled = "canceled" }
}

#[derive(Debug, Clone, PartialEq)]
pub struct InvoicePayment {
    pub id: InvoicePaymentId,
    pub invoice: InvoiceId,
    pub status: InvoicePaymentStatus,
    pub currency: Currency,
    pub amount_requested: Money,
    /// Absent until paid, and then possibly less than was requested.
    pub amount_paid: Option<Money>,
    /// Follows what remains due; its payment intent cannot be edited directly.
    pub is_default: bool,
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    /// Only where there is no payment intent.
    pub charge: Option<Expandable<Charge>>,
    pub created_s: i64,
}

expands!(InvoicePayment, InvoicePaymentId);

impl InvoicePayment {
    pub fn from_value(value: &Value) -> Result<InvoicePayment, ObjectError> {
        let fields = Fields::of(value, "invoice_payment")?;
        let currency = fields.currency()?;
        Ok(InvoicePayment {
            id: fields.id("id")?,
            invoice: fields.id("invoice")?,
            status: fields.choice("status")?,
            currency,
            amount_requested: fields.money("amount_requested", currency)?,
            amount_paid: fields.optional_money("amount_paid", currency)?,
            is_default: fields.flag("is_default")?,
            payment_intent: fields.expandable("payment.payment_intent")?,
            charge: fields.expandable("payment.charge")?,
            created_s: fields.integer("created")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_open_payment_has_no_amount_paid() {
        let value = json!({
            "id": "inpay_A", "object": "invoice_payment", "invoice": "in_A", "status": "open",
            "currency": "usd", "amount_requested": 64_000, "amount_paid": null, "is_default": true,
            "payment": {"type": "payment_intent", "payment_intent": "pi_A"}, "created": 1_790_000_000,
        });
        let payment = InvoicePayment::from_value(&value).expect("reads");
        assert_eq!(payment.amount_paid, None);
        assert_eq!(payment.charge, None);
        assert_eq!(payment.payment_intent.map(|intent| intent.id().to_string()).as_deref(), Some("pi_A"));
    }
}
