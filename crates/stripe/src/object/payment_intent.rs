//! A payment intent: the wish to take one payment, over all its attempts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expandable::expands;
use super::fields::Fields;
use super::open_enum::open_enum;
use super::{AdviceCode, Charge, Expandable, ObjectError};
use crate::currency::Currency;
use crate::id::{ChargeId, CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId};
use crate::money::Money;

open_enum! {
    PaymentIntentStatus {
        RequiresPaymentMethod = "requires_payment_method",
        RequiresConfirmation = "requires_confirmation",
        RequiresAction = "requires_action",
        Processing = "processing",
        RequiresCapture = "requires_capture",
        Canceled = "canceled",
        Succeeded = "succeeded",
    }
}

/// Why the latest attempt failed. The message is Stripe's and may be shown to people of the merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentError {
    pub kind: Option<String>,
    pub code: Option<String>,
    pub decline_code: Option<String>,
    pub advice_code: Option<AdviceCode>,
    pub network_decline_code: Option<String>,
    pub network_advice_code: Option<String>,
    pub message: Option<String>,
    pub charge: Option<ChargeId>,
    pub payment_method: Option<PaymentMethodId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PaymentIntent {
    pub id: PaymentIntentId,
    pub status: PaymentIntentStatus,
    pub currency: Currency,
    pub amount: Money,
    pub amount_capturable: Option<Money>,
    pub amount_received: Option<Money>,
    pub customer: Option<CustomerId>,
    /// Only in shapes before basil.
    pub invoice: Option<InvoiceId>,
    pub payment_method: Option<PaymentMethodId>,
    pub latest_charge: Option<Expandable<Charge>>,
    pub last_payment_error: Option<PaymentError>,
    pub created_s: i64,
    pub livemode: bool,
    pub metadata: BTreeMap<String, String>,
}

expands!(PaymentIntent, PaymentIntentId);

impl PaymentIntent {
    pub fn from_value(value: &Value) -> Result<PaymentIntent, ObjectError> {
        let fields = Fields::of(value, "payment_intent")?;
        let currency = fields.currency()?;
        Ok(PaymentIntent {
            id: fields.id("id")?,
            status: fields.choice("status")?,
            currency,
            amount: fields.money("amount", currency)?,
            amount_capturable: fields.optional_money("amount_capturable", currency)?,
            amount_received: fields.optional_money("amount_received", currency)?,
            customer: fields.optional_id("customer")?,
            invoice: fields.optional_id("invoice")?,
            payment_method: fields.optional_id("payment_method")?,
            latest_charge: latest_charge(&fields)?,
            last_payment_error: fields.get("last_payment_error").map(PaymentError::from_part).transpose()?,
            created_s: fields.integer("created")?,
            livemode: fields.flag("livemode")?,
            metadata: fields.metadata()?,
        })
    }
}

/// Before 2022-11-15 the charges stood in a list, newest first.
fn latest_charge(fields: &Fields<'_>) -> Result<Option<Expandable<Charge>>, ObjectError> {
    if let Some(charge) = fields.expandable("latest_charge")? {
        return Ok(Some(charge));
    }
    let newest = fields.list("charges")?.first();
    Ok(newest.map(Charge::from_value).transpose()?.map(|charge| Expandable::Object(Box::new(charge))))
}

impl PaymentError {
    pub(super) fn from_part(value: &Value) -> Result<PaymentError, ObjectError> {
        let fields = Fields::of_part(value, "last_payment_error")?;
        Ok(PaymentError {
            kind: fields.optional_text("type")?,
            code: fields.optional_text("code")?,
            decline_code: fields.optional_text("decline_code")?,
            advice_code: fields.optional_choice("advice_code")?,
            network_decline_code: fields.optional_text("network_decline_code")?,
            network_advice_code: fields.optional_text("network_advice_code")?,
            message: fields.optional_text("message")?,
            charge: fields.optional_id("charge")?,
            payment_method: fields.optional_id("payment_method")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failed() -> Value {
        json!({
            "id": "pi_A", "object": "payment_intent", "amount": 64_000, "currency": "usd",
            "status": "requires_payment_method", "customer": "cus_A", "created": 1_790_000_000,
            "livemode": false, "latest_charge": "ch_A", "metadata": {},
            "last_payment_error": {"type": "card_error", "code": "card_declined",
                "decline_code": "insufficient_funds", "advice_code": "try_again_later",
                "network_decline_code": "51", "message": "Your card has insufficient funds.", "charge": "ch_A",
                "payment_method": {"id": "pm_A", "object": "payment_method", "type": "card"}},
        })
    }

    #[test]
    fn the_last_error_reads_with_its_expanded_method() {
        let intent = PaymentIntent::from_value(&failed()).expect("reads");
        let error = intent.last_payment_error.expect("has an error");
        assert_eq!(error.decline_code.as_deref(), Some("insufficient_funds"));
        assert_eq!(error.payment_method.as_ref().map(PaymentMethodId::as_str), Some("pm_A"));
        assert_eq!(intent.latest_charge.map(|charge| charge.id().to_string()).as_deref(), Some("ch_A"));
    }

    #[test]
    fn a_list_of_charges_is_the_old_shape() {
        let mut value = failed();
        value["latest_charge"] = json!(null);
        value["charges"] = json!({"object": "list", "data": [{"id": "ch_B", "object": "charge",
            "amount": 64_000, "amount_refunded": 0, "currency": "usd", "status": "failed", "created": 1}]});
        let intent = PaymentIntent::from_value(&value).expect("reads");
        assert_eq!(intent.latest_charge.map(|charge| charge.id().to_string()).as_deref(), Some("ch_B"));
    }
}
