//! What a customer pays with. Cards of older integrations (`card_…`) read as payment methods too.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expandable::expands;
use super::fields::Fields;
use super::{Card, ObjectError};
use crate::id::{CustomerId, PaymentMethodId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    pub id: PaymentMethodId,
    /// `card`, `sepa_debit`, `us_bank_account`, …
    pub kind: String,
    /// Absent once detached: then it can never be used again.
    pub customer: Option<CustomerId>,
    pub card: Option<Card>,
    /// Of the card or the bank account.
    pub fingerprint: Option<String>,
    pub created_s: Option<i64>,
    pub livemode: Option<bool>,
    pub metadata: BTreeMap<String, String>,
}

expands!(PaymentMethod, PaymentMethodId);

impl PaymentMethod {
    pub fn from_value(value: &Value) -> Result<PaymentMethod, ObjectError> {
        if value.get("object").and_then(Value::as_str) == Some("card") {
            return PaymentMethod::from_card(value);
        }
        let fields = Fields::of(value, "payment_method")?;
        let kind = fields.text("type")?;
        let card = fields.get("card").map(Card::from_part).transpose()?;
        let details = fields.get(&kind).and_then(|details| details.get("fingerprint"));
        Ok(PaymentMethod {
            id: fields.id("id")?,
            customer: fields.optional_id("customer")?,
            fingerprint: details.and_then(Value::as_str).map(str::to_owned),
            card,
            kind,
            created_s: fields.optional_integer("created")?,
            livemode: fields.optional_flag("livemode")?,
            metadata: fields.metadata()?,
        })
    }

    fn from_card(value: &Value) -> Result<PaymentMethod, ObjectError> {
        let fields = Fields::of(value, "card")?;
        let card = Card::from_part(value)?;
        Ok(PaymentMethod {
            id: fields.id("id")?,
            kind: "card".to_owned(),
            customer: fields.optional_id("customer")?,
            fingerprint: card.fingerprint.clone(),
            card: Some(card),
            created_s: None,
            livemode: None,
            metadata: fields.metadata()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn methods_of_all_ages_have_a_fingerprint() {
        let table = [
            json!({"id": "pm_A", "object": "payment_method", "type": "card", "customer": "cus_A",
                "card": {"brand": "visa", "last4": "4242", "fingerprint": "fpA", "exp_month": 1, "exp_year": 2030},
                "created": 1, "livemode": false, "metadata": {}}),
            json!({"id": "pm_B", "object": "payment_method", "type": "sepa_debit", "customer": null,
                "sepa_debit": {"last4": "3000", "fingerprint": "fpA"}, "created": 1, "livemode": false}),
            json!({"id": "card_C", "object": "card", "brand": "Visa", "last4": "4242", "fingerprint": "fpA",
                "exp_month": 1, "exp_year": 2030, "customer": "cus_A"}),
        ];
        for (value, is_card) in table.iter().zip([true, false, true]) {
            let method = PaymentMethod::from_value(value).expect("reads");
            assert_eq!(method.fingerprint.as_deref(), Some("fpA"));
            assert_eq!(method.card.is_some(), is_card);
        }
    }

    #[test]
    fn a_deleted_card_is_no_method() {
        let value = json!({"id": "card_C", "object": "card", "deleted": true});
        assert_eq!(PaymentMethod::from_value(&value), Err(ObjectError::Deleted { kind: "card" }));
    }
}
