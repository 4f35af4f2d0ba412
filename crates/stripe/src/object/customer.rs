//! A customer, or what is left of one: deletion keeps the id and nothing else.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ObjectError;
use super::expandable::expands;
use super::fields::Fields;
use crate::currency::Currency;
use crate::id::{CustomerId, PaymentMethodId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    pub id: CustomerId,
    /// Then everything below is empty.
    pub deleted: bool,
    pub email: Option<String>,
    pub name: Option<String>,
    /// For invoices without a method of their own; the subscription's own comes before it.
    pub default_payment_method: Option<PaymentMethodId>,
    pub default_source: Option<PaymentMethodId>,
    pub currency: Option<Currency>,
    /// Languages, the most wanted first: `de-AT`.
    pub preferred_locales: Vec<String>,
    /// Of the billing address, two letters.
    pub country: Option<String>,
    pub created_s: Option<i64>,
    pub livemode: Option<bool>,
    pub metadata: BTreeMap<String, String>,
}

expands!(Customer, CustomerId);

impl Customer {
    pub fn from_value(value: &Value) -> Result<Customer, ObjectError> {
        let fields = Fields::of_maybe_deleted(value, "customer")?;
        let locales = fields.list("preferred_locales")?.iter();
        Ok(Customer {
            id: fields.id("id")?,
            deleted: fields.flag("deleted")?,
            email: fields.optional_text("email")?,
            name: fields.optional_text("name")?,
            default_payment_method: fields.optional_id("invoice_settings.default_payment_method")?,
            default_source: fields.optional_id("default_source")?,
            currency: fields.optional_currency("currency")?,
            preferred_locales: locales.filter_map(Value::as_str).map(str::to_owned).collect(),
            country: fields.optional_text("address.country")?,
            created_s: fields.optional_integer("created")?,
            livemode: fields.optional_flag("livemode")?,
            metadata: fields.metadata()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_customer_reads() {
        let value = json!({
            "id": "cus_A", "object": "customer", "email": "ada@example.com", "name": "Ada", "currency": "eur",
            "invoice_settings": {"default_payment_method": "pm_A"}, "default_source": "card_A",
            "preferred_locales": ["de-AT", "en"], "address": {"country": "AT"}, "created": 1_700_000_000,
            "livemode": true, "metadata": {"crm": "77"},
        });
        let customer = Customer::from_value(&value).expect("reads");
        assert!(!customer.deleted);
        assert_eq!(customer.default_payment_method.as_ref().map(PaymentMethodId::as_str), Some("pm_A"));
        assert_eq!(customer.preferred_locales, ["de-AT", "en"]);
        assert_eq!(customer.country.as_deref(), Some("AT"));
    }

    #[test]
    fn a_deleted_one_keeps_its_id_alone() {
        let value = json!({"id": "cus_A", "object": "customer", "deleted": true});
        let customer = Customer::from_value(&value).expect("reads");
        assert!(customer.deleted);
        assert_eq!(customer.created_s, None);
    }
}
