//! What an object is called, and amounts that cannot be below zero, by kind of object. Others can: an invoice's `total` is negative when
//! it is a credit, a balance transaction's `amount` when money leaves.

use serde_json::Value;

use super::{Event, EventError, EventObject, envelope};

const NEVER_NEGATIVE: &[(&str, &[&str])] = &[
    ("charge", &["amount", "amount_captured", "amount_refunded"]),
    ("dispute", &["amount"]),
    ("invoice", &["amount_due", "amount_paid", "amount_remaining"]),
    ("invoice_payment", &["amount_paid", "amount_requested"]),
    ("payment_intent", &["amount", "amount_capturable", "amount_received"]),
    ("refund", &["amount"]),
];

pub(super) fn check(event: &Event) -> Result<(), EventError> {
    let EventObject::Snapshot { object, .. } = &event.object else {
        return Ok(());
    };
    check_names(object)?;
    let kind = object.get("object").and_then(Value::as_str);
    let rule = NEVER_NEGATIVE.iter().find(|(ruled, _)| Some(*ruled) == kind);
    let fields = rule.map_or(&[][..], |(_, fields)| fields);
    let negative = |field: &str| object.get(field).and_then(Value::as_i64).is_some_and(|amount| amount < 0);
    match fields.iter().find(|field| negative(field)) {
        Some(field) => Err(EventError::AmountNegative { field }),
        None => Ok(()),
    }
}

/// The names we search by: what the object is and whose.
fn check_names(object: &Value) -> Result<(), EventError> {
    let names = [
        ("data.object.id", object.get("id")),
        ("data.object.object", object.get("object")),
        ("data.object.customer", object.get("customer")),
        ("data.object.customer.id", object.get("customer").and_then(|customer| customer.get("id"))),
    ];
    let bad = |value: &Value| value.as_str().is_some_and(|name| !envelope::is_plain(name));
    match names.iter().find(|(_, value)| value.is_some_and(bad)) {
        Some((field, _)) => Err(EventError::Invalid { field }),
        None => Ok(()),
    }
}
