//! Invoice lines and the sums an invoice shows. Every sum is added up from the lines.

use serde_json::{Value, json};

use super::calendar;
use crate::doc::{Doc as _, list};
use crate::payments::amount;
use crate::world::{Kind, Tx};

/// What one subscription item costs for a period.
pub fn of_subscription_item(
    tx: &mut Tx<'_>,
    subscription: &Value,
    item: &Value,
    period: (i64, i64),
) -> Value {
    let price = &item["price"];
    let quantity = item.maybe_int("quantity").unwrap_or(1);
    let amount = price.int("unit_amount").saturating_mul(quantity);
    let product =
        tx.get(Kind::Product, price.text("product")).map_or("Subscription", |product| product.text("name"));
    let interval = price.text("recurring.interval");
    let description = format!("{quantity} × {product} ({} / {interval})", shown_price(price));
    let parent = json!({
        "type": "subscription_item_details", "invoice_item_details": null,
        "subscription_item_details": {"invoice_item": null, "proration": false, "proration_details":
            {"credited_items": null}, "subscription": subscription["id"], "subscription_item": item["id"]},
    });
    line(
        tx,
        &Entry {
            amount,
            currency: subscription.text("currency"),
            description: &description,
            quantity,
            period,
            parent,
            price,
            metadata: subscription["metadata"].clone(),
        },
    )
}

fn shown_price(price: &Value) -> String {
    crate::payments::refund::shown(price.int("unit_amount"), price.text("currency"))
}

/// The line of an invoice item.
pub fn of_invoice_item(tx: &mut Tx<'_>, item: &Value) -> Value {
    let parent = json!({
        "type": "invoice_item_details", "subscription_item_details": null,
        "invoice_item_details": {"invoice_item": item["id"], "proration": item["proration"],
            "proration_details": {"credited_items": null}, "subscription": item["parent"]["subscription_details"]
                ["subscription"]},
    });
    let price = json!({"id": item["pricing"]["price_details"]["price"],
        "product": item["pricing"]["price_details"]["product"], "unit_amount_decimal": item["pricing"]["unit_amount_decimal"]});
    line(
        tx,
        &Entry {
            amount: item.int("amount"),
            currency: item.text("currency"),
            description: item.text("description"),
            quantity: item.maybe_int("quantity").unwrap_or(1),
            period: (item.int("period.start"), item.int("period.end")),
            parent,
            price: &price,
            metadata: item["metadata"].clone(),
        },
    )
}

struct Entry<'a> {
    amount: i64,
    currency: &'a str,
    description: &'a str,
    quantity: i64,
    period: (i64, i64),
    parent: Value,
    price: &'a Value,
    metadata: Value,
}

fn line(tx: &mut Tx<'_>, entry: &Entry<'_>) -> Value {
    let id = tx.world.ids.next("il");
    let pricing = match entry.price.maybe_text("id") {
        Some(price) => {
            json!({"type": "price_details", "unit_amount_decimal": entry.price["unit_amount_decimal"],
            "price_details": {"price": price, "product": entry.price["product"]}})
        }
        None => Value::Null,
    };
    json!({
        "id": id, "object": "line_item", "amount": entry.amount, "currency": entry.currency,
        "description": entry.description, "discount_amounts": [], "discountable": true, "discounts": [],
        "livemode": tx.livemode(), "metadata": entry.metadata, "parent": entry.parent,
        "period": {"start": entry.period.0, "end": entry.period.1}, "pretax_credit_amounts": [],
        "pricing": pricing, "quantity": entry.quantity, "quantity_decimal": entry.quantity.to_string(),
        "subscription": entry.parent["subscription_item_details"]["subscription"], "subtotal": entry.amount,
        "taxes": [],
    })
}

/// Puts lines on an invoice and adds it up again, with the credit balance it starts from.
pub fn set(invoice: &mut Value, mut lines: Vec<Value>) {
    let id = invoice.text("id").to_owned();
    for line in &mut lines {
        line["invoice"] = id.as_str().into();
    }
    invoice["lines"] = list(&format!("/v1/invoices/{id}/lines"), lines);
    add_up(invoice);
}

/// Makes every sum of an invoice follow from its lines and what was paid.
pub fn add_up(invoice: &mut Value) {
    let total: i64 = invoice.elements("lines").iter().map(|line| line.int("amount")).sum();
    for field in ["subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"] {
        invoice[field] = total.into();
    }
    let owed = amount::nearest(owed(total, invoice.int("starting_balance")), invoice.text("currency"));
    let due = (owed - invoice.int("pre_payment_credit_notes_amount")).max(0);
    invoice["amount_due"] = due.into();
    invoice["amount_remaining"] = (due - invoice.int("amount_paid")).max(0).into();
}

/// What is due of a total once the customer's balance is taken up: credit lowers it, debt raises it.
fn owed(total: i64, balance: i64) -> i64 {
    if total <= 0 { 0 } else { (total + balance).max(0) }
}

/// The words of a period on a line.
pub fn span(period: (i64, i64)) -> String {
    format!("{} – {}", calendar::date(period.0), calendar::date(period.1))
}
