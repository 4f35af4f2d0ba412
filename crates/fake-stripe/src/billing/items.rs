//! Invoice items: amounts that wait for the customer's next invoice.

use serde_json::{Value, json};

use crate::doc::Doc as _;
use crate::world::{Kind, Tx};

/// A new invoice item.
#[derive(Debug)]
pub struct NewItem<'a> {
    pub customer: &'a str,
    pub amount: i64,
    pub currency: &'a str,
    pub description: Option<&'a str>,
    pub quantity: i64,
    pub subscription: Option<&'a str>,
    pub price: Option<&'a Value>,
    pub period: (i64, i64),
    pub proration: bool,
}

/// Makes an item that waits for an invoice.
pub fn make(tx: &mut Tx<'_>, new: &NewItem<'_>) -> Value {
    let id = tx.id(Kind::InvoiceItem);
    let parent = new.subscription.map(|subscription| {
        json!({"type": "subscription_details", "subscription_details":
            {"subscription": subscription, "subscription_item": null}})
    });
    let pricing = new.price.map(|price| {
        json!({"type": "price_details", "unit_amount_decimal": price["unit_amount_decimal"],
            "price_details": {"price": price["id"], "product": price["product"]}})
    });
    let item = json!({
        "id": id, "object": "invoiceitem", "amount": new.amount, "currency": new.currency,
        "customer": new.customer, "customer_account": null, "date": tx.now,
        "description": new.description, "discountable": !new.proration, "discounts": [], "invoice": null,
        "livemode": tx.livemode(), "metadata": {}, "net_amount": new.amount, "parent": parent,
        "period": {"start": new.period.0, "end": new.period.1}, "pricing": pricing,
        "proration": new.proration, "proration_details": {"discount_amounts": []},
        "quantity": new.quantity, "quantity_decimal": new.quantity.to_string(), "tax_rates": [],
        "test_clock": null,
    });
    tx.put(Kind::InvoiceItem, item.clone());
    tx.emit("invoiceitem.created", &item);
    item
}

/// Items of a customer that wait for an invoice, those of other subscriptions left out.
pub fn waiting(tx: &Tx<'_>, customer: &str, currency: &str, subscription: Option<&str>) -> Vec<Value> {
    tx.owned_by(Kind::InvoiceItem, customer)
        .filter(|item| {
            let bound = item.maybe_text("parent.subscription_details.subscription");
            item["invoice"].is_null()
                && item.text("currency") == currency
                && (bound.is_none() || bound == subscription)
        })
        .cloned()
        .collect()
}

/// Notes that an item has found its invoice.
pub fn bill(tx: &mut Tx<'_>, item: &str, invoice: &str) {
    tx.change(Kind::InvoiceItem, item, |item| item["invoice"] = invoice.into());
}
