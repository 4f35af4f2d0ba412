//! What a charge or a payment method says about its card. Never a number, at most its last four digits.

use serde_json::Value;

use super::ObjectError;
use super::fields::Fields;
use super::open_enum::open_enum;

open_enum! {
    CardFunding { Credit = "credit", Debit = "debit", Prepaid = "prepaid" }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub brand: Option<String>,
    pub last4: Option<String>,
    /// The same for the same card number within one account: what network limits count by.
    pub fingerprint: Option<String>,
    /// Of the issuer, two letters.
    pub country: Option<String>,
    pub funding: Option<CardFunding>,
    pub exp_month: Option<i64>,
    pub exp_year: Option<i64>,
}

impl Card {
    pub(super) fn from_part(value: &Value) -> Result<Card, ObjectError> {
        let fields = Fields::of_part(value, "card")?;
        Ok(Card {
            brand: fields.optional_text("brand")?,
            last4: fields.optional_text("last4")?,
            fingerprint: fields.optional_text("fingerprint")?,
            country: fields.optional_text("country")?,
            funding: fields.optional_choice("funding")?,
            exp_month: fields.optional_integer("exp_month")?,
            exp_year: fields.optional_integer("exp_year")?,
        })
    }
}
