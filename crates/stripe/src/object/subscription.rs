//! A subscription; its period stands at the top before basil and on each item since.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expandable::expands;
use super::fields::Fields;
use super::open_enum::open_enum;
use super::{CollectionMethod, Expandable, Invoice, ObjectError};
use crate::currency::Currency;
use crate::id::{CustomerId, PaymentMethodId, PriceId, ProductId, SubscriptionId};
use crate::money::Money;

open_enum! {
    SubscriptionStatus {
        Incomplete = "incomplete",
        IncompleteExpired = "incomplete_expired",
        Trialing = "trialing",
        Active = "active",
        PastDue = "past_due",
        Canceled = "canceled",
        Unpaid = "unpaid",
        Paused = "paused",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionItem {
    /// `si_…`
    pub id: String,
    pub price: Option<PriceId>,
    pub product: Option<ProductId>,
    /// Absent where the price is metered or tiered.
    pub unit_amount: Option<Money>,
    pub quantity: Option<i64>,
    pub current_period_start_s: Option<i64>,
    pub current_period_end_s: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub status: SubscriptionStatus,
    pub customer: CustomerId,
    pub currency: Option<Currency>,
    pub cancel_at_period_end: bool,
    pub cancel_at_s: Option<i64>,
    pub canceled_at_s: Option<i64>,
    pub ended_at_s: Option<i64>,
    /// The earliest start and end over the items where they differ.
    pub current_period_start_s: Option<i64>,
    pub current_period_end_s: Option<i64>,
    pub collection_method: Option<CollectionMethod>,
    pub default_payment_method: Option<PaymentMethodId>,
    pub default_source: Option<PaymentMethodId>,
    pub latest_invoice: Option<Expandable<Invoice>>,
    /// At most the ten first, as Stripe nests them.
    pub items: Vec<SubscriptionItem>,
    pub created_s: i64,
    pub livemode: bool,
    pub metadata: BTreeMap<String, String>,
}

expands!(Subscription, SubscriptionId);

impl Subscription {
    pub fn from_value(value: &Value) -> Result<Subscription, ObjectError> {
        let fields = Fields::of(value, "subscription")?;
        let items = fields.list("items")?.iter().map(SubscriptionItem::from_value);
        let items: Vec<SubscriptionItem> = items.collect::<Result<_, _>>()?;
        let start_s = fields.optional_integer("current_period_start")?;
        let end_s = fields.optional_integer("current_period_end")?;
        Ok(Subscription {
            id: fields.id("id")?,
            status: fields.choice("status")?,
            customer: fields.id("customer")?,
            currency: fields.optional_currency("currency")?,
            cancel_at_period_end: fields.flag("cancel_at_period_end")?,
            cancel_at_s: fields.optional_integer("cancel_at")?,
            canceled_at_s: fields.optional_integer("canceled_at")?,
            ended_at_s: fields.optional_integer("ended_at")?,
            current_period_start_s: start_s
                .or_else(|| items.iter().filter_map(|item| item.current_period_start_s).min()),
            current_period_end_s: end_s
                .or_else(|| items.iter().filter_map(|item| item.current_period_end_s).min()),
            collection_method: fields.optional_choice("collection_method")?,
            default_payment_method: fields.optional_id("default_payment_method")?,
            default_source: fields.optional_id("default_source")?,
            latest_invoice: fields.expandable("latest_invoice")?,
            items,
            created_s: fields.integer("created")?,
            livemode: fields.flag("livemode")?,
            metadata: fields.metadata()?,
        })
    }

    /// Canceled or expired before it began: it never comes back.
    pub fn is_over(&self) -> bool {
        matches!(self.status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
    }
}

impl SubscriptionItem {
    fn from_value(value: &Value) -> Result<SubscriptionItem, ObjectError> {
        let fields = Fields::of(value, "subscription_item")?;
        let currency = fields.optional_currency("price.currency")?;
        let unit_amount = fields.optional_integer("price.unit_amount")?;
        Ok(SubscriptionItem {
            id: fields.text("id")?,
            price: fields.optional_id("price")?,
            product: fields.optional_id("price.product")?,
            unit_amount: currency.zip(unit_amount).map(|(currency, amount)| Money::new(amount, currency)),
            quantity: fields.optional_integer("quantity")?,
            current_period_start_s: fields.optional_integer("current_period_start")?,
            current_period_end_s: fields.optional_integer("current_period_end")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(id: &str) -> Value {
        json!({"id": id, "object": "subscription_item", "quantity": 3,
            "price": {"id": "price_A", "object": "price", "currency": "usd", "unit_amount": 2_000,
                "product": "prod_A"}})
    }

    fn common() -> Value {
        json!({"id": "sub_A", "object": "subscription", "status": "past_due", "customer": "cus_A",
            "currency": "usd", "cancel_at_period_end": true, "cancel_at": 1_792_592_000,
            "collection_method": "charge_automatically", "latest_invoice": "in_A", "created": 1_700_000_000,
            "livemode": true, "metadata": {}, "items": {"object": "list", "data": [item("si_A"), item("si_B")]}})
    }

    #[test]
    fn the_period_reads_from_top_or_items() {
        let mut old = common();
        old["current_period_start"] = json!(100);
        old["current_period_end"] = json!(200);
        let mut new = common();
        for (index, end) in [(0, 300), (1, 200)] {
            new["items"]["data"][index]["current_period_start"] = json!(100);
            new["items"]["data"][index]["current_period_end"] = json!(end);
        }
        for value in [old, new] {
            let subscription = Subscription::from_value(&value).expect("reads");
            assert_eq!(subscription.current_period_start_s, Some(100));
            assert_eq!(subscription.current_period_end_s, Some(200));
            assert_eq!(subscription.items[0].unit_amount, Some(Money::new(2_000, Currency::USD)));
        }
    }

    #[test]
    fn all_eight_statuses_are_known_and_a_ninth_is_kept() {
        let known = [
            "incomplete",
            "incomplete_expired",
            "trialing",
            "active",
            "past_due",
            "canceled",
            "unpaid",
            "paused",
        ];
        for status in known {
            assert!(!matches!(SubscriptionStatus::from(status), SubscriptionStatus::Unknown(_)), "{status}");
        }
        let mut value = common();
        value["status"] = json!("dormant");
        let subscription = Subscription::from_value(&value).expect("reads");
        assert_eq!(subscription.status.as_str(), "dormant");
        assert!(!subscription.is_over());
    }
}
