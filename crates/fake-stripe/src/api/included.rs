//! Fields that Stripe shows only when a call asks for them with `expand[]`.

use serde_json::{Value, json};

use crate::doc::{Doc as _, list};
use crate::world::{Kind, Tx};

/// The value of such a field, if `object` has one of that name.
pub fn field(tx: &Tx<'_>, object: &Value, name: &str) -> Option<Value> {
    let id = object.text("id");
    let owned = |kind: Kind| -> Vec<Value> { tx.owned_by(kind, id).rev().cloned().collect() };
    match (object.text("object"), name) {
        ("charge", "refunds") => Some(list(&format!("/v1/charges/{id}/refunds"), owned(Kind::Refund))),
        ("customer", "subscriptions") => {
            let live = |subscription: &Value| subscription.text("status") != "canceled";
            let subscriptions: Vec<Value> = owned(Kind::Subscription).into_iter().filter(live).collect();
            Some(list(&format!("/v1/customers/{id}/subscriptions"), subscriptions))
        }
        ("customer", "sources") => Some(list(&format!("/v1/customers/{id}/sources"), Vec::<Value>::new())),
        ("customer", "tax_ids") => Some(list(&format!("/v1/customers/{id}/tax_ids"), Vec::<Value>::new())),
        ("customer", "invoice_credit_balance") => {
            let mut balance = json!({});
            balance[object.maybe_text("currency").unwrap_or("usd")] = object["balance"].clone();
            Some(balance)
        }
        ("invoice", "payments") => {
            let url = format!("/v1/invoice_payments?invoice={id}");
            Some(list(&url, owned(Kind::InvoicePayment)))
        }
        ("invoice", "confirmation_secret") => {
            let payment = tx.owned_by(Kind::InvoicePayment, id).find(|payment| payment.flag("is_default"))?;
            let intent = tx.get(Kind::PaymentIntent, payment.text("payment.payment_intent"))?;
            Some(json!({"client_secret": intent["client_secret"], "type": "payment_intent"}))
        }
        _ => None,
    }
}
