//! Changing a subscription within its period: what is left of the old is credited, what is left of the
//! new is charged, each rounded by itself.

use serde_json::Value;

use super::items::{self, NewItem};
use super::{calendar, collect, invoice, signup, subscription};
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::world::{Kind, Tx};

/// A change of one item; without `item` a new one is added.
#[derive(Debug)]
pub struct Change {
    pub item: Option<String>,
    pub price: Option<Value>,
    pub quantity: Option<i64>,
    pub deleted: bool,
}

/// Applies a change, with invoice items for the rest of the period if asked for.
pub fn apply(tx: &mut Tx<'_>, subscription: &mut Value, change: &Change, prorates: bool) -> ApiResult<()> {
    let id = subscription.text("id").to_owned();
    let mut all = subscription::items(tx, &id);
    let old = match &change.item {
        Some(item) => {
            let found = all.iter().find(|kept| kept.text("id") == item).cloned();
            Some(found.ok_or_else(|| ApiError::no_such_param(Kind::SubscriptionItem, item, "items[0][id]"))?)
        }
        None => None,
    };
    let new = if change.deleted { None } else { Some(changed(tx, subscription, old.as_ref(), change)?) };
    if prorates && subscription.text("status") != "trialing" {
        charge_difference(tx, subscription, old.as_ref(), new.as_ref());
    }
    all.retain(|kept| Some(kept.text("id")) != change.item.as_deref());
    if let (Some(item), true) = (&change.item, change.deleted) {
        tx.remove(Kind::SubscriptionItem, item);
    }
    all.extend(new);
    subscription::put_items(tx, subscription, &all);
    Ok(())
}

fn changed(tx: &mut Tx<'_>, subscription: &Value, old: Option<&Value>, change: &Change) -> ApiResult {
    if let Some(old) = old {
        let mut item = old.clone();
        if let Some(price) = &change.price {
            item["price"] = price.clone();
            item["plan"] = crate::api::prices::plan(price);
        }
        if let Some(quantity) = change.quantity {
            item["quantity"] = quantity.into();
        }
        return Ok(item);
    }
    let price = change.price.as_ref().ok_or_else(|| ApiError::missing("items[0][price]"))?;
    let item = tx.id(Kind::SubscriptionItem);
    let (_, end) = subscription::period(subscription);
    let period = (tx.now, end);
    Ok(signup::item_document(&item, subscription.text("id"), price, change.quantity.unwrap_or(1), period))
}

fn charge_difference(tx: &mut Tx<'_>, subscription: &Value, old: Option<&Value>, new: Option<&Value>) {
    let (start, end) = subscription::period(subscription);
    let (left, whole) = (end - tx.now, end - start);
    if whole <= 0 || left <= 0 || old == new {
        return;
    }
    for (item, sign, words) in [(old, -1, "Unused time on"), (new, 1, "Remaining time on")] {
        let Some(item) = item else { continue };
        let quantity = item.int("quantity");
        let full = i128::from(item.int("price.unit_amount")) * i128::from(quantity);
        let amount = sign * rounded(full * i128::from(left), i128::from(whole));
        let product = tx.get(Kind::Product, item.text("price.product"));
        let name = product.map_or("subscription", |product| product.text("name")).to_owned();
        let description = format!("{words} {quantity} × {name} after {}", calendar::date(tx.now));
        let new = NewItem {
            customer: subscription.text("customer"),
            amount,
            currency: subscription.text("currency"),
            description: Some(&description),
            quantity,
            subscription: Some(subscription.text("id")),
            price: Some(&item["price"]),
            period: (tx.now, end),
            proration: true,
        };
        items::make(tx, &new);
    }
}

/// A quotient rounded half up; both are positive.
fn rounded(dividend: i128, divisor: i128) -> i64 {
    i64::try_from((2 * dividend + divisor) / (2 * divisor)).unwrap_or(i64::MAX)
}

/// Bills what waits for a subscription at once.
pub fn invoice_now(tx: &mut Tx<'_>, subscription: &Value) -> ApiResult<()> {
    let customer = tx.find(Kind::Customer, subscription.text("customer"))?;
    let currency = subscription.text("currency");
    if items::waiting(tx, customer.text("id"), currency, Some(subscription.text("id"))).is_empty() {
        return Ok(());
    }
    let new = invoice::NewInvoice {
        customer: &customer,
        currency,
        reason: "subscription_update",
        subscription: Some(subscription),
        period: (tx.now, tx.now),
        auto_advance: true,
        collection_method: subscription.text("collection_method"),
        days_until_due: subscription.maybe_int("days_until_due"),
    };
    let drawn = invoice::draft(tx, &new, Vec::new(), true);
    let id = drawn.text("id").to_owned();
    tx.change(Kind::Subscription, subscription.text("id"), |kept| {
        kept["latest_invoice"] = id.as_str().into();
    });
    invoice::finalize(tx, &id)?;
    if subscription.text("collection_method") == "charge_automatically" {
        collect::first(tx, &id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_up() {
        assert_eq!([rounded(1, 2), rounded(2, 3), rounded(1, 3), rounded(10, 4)], [1, 1, 0, 3]);
    }
}
