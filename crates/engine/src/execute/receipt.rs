//! What really happened, beside what was predicted; and whether an answer is about what was asked at all.

use bursar_domain::action::Action;
use bursar_domain::execution::{Change, Receipt};
use bursar_domain::facts::FactName;
use bursar_stripe::object::{Charge, Refund, RefundStatus};
use serde_json::{Value, json};

use super::Task;
use super::outcome::Outcome;
use crate::stripe_api::Answered;

/// Why an answer is about something else than was asked, if it is: then nothing about this lane can be trusted.
pub(super) fn mismatch(action: &Action, object: &Value) -> Option<String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let id_of = |field: &str| {
        let expanded = text(&format!("/{field}/id"));
        if expanded.is_empty() { text(&format!("/{field}")).to_owned() } else { expanded.to_owned() }
    };
    let wrong = match action {
        Action::RefundCharge { charge, amount, .. } => {
            text("/object") != "refund"
                || id_of("charge") != charge.as_str()
                || object.get("amount").and_then(Value::as_i64) != Some(amount.amount)
                || text("/currency") != amount.currency.as_str()
        }
        Action::PayInvoice { invoice, amount, .. } => {
            text("/object") != "invoice"
                || text("/id") != invoice.as_str()
                || text("/currency") != amount.currency.as_str()
                || (text("/status") == "paid" && took_another_amount(object, amount.amount))
        }
        Action::CreatePortalSession { customer } => id_of("customer") != customer.as_str(),
        Action::SendMail(_) | Action::CreateTask { .. } => false,
    };
    wrong.then(|| "Stripe's answer is about something else than was asked".to_owned())
}

/// Whether a paid invoice was paid with another amount than was approved. The invoice's own total also counts what was
/// paid before; the payment that takes what remains due is exact.
fn took_another_amount(invoice: &Value, approved: i64) -> bool {
    paid_now(invoice).is_some_and(|paid| paid != approved)
        || invoice.get("amount_paid").and_then(Value::as_i64).is_none_or(|total| total < approved)
}

/// What the payment that takes what remains due has taken, where Stripe shows it.
fn paid_now(invoice: &Value) -> Option<i64> {
    let payments = invoice.pointer("/payments/data")?.as_array()?;
    let of_the_rest = |payment: &&Value| payment.get("is_default").and_then(Value::as_bool) == Some(true);
    payments.iter().find(of_the_rest)?.get("amount_paid")?.as_i64()
}

/// A successful answer: done, or accepted and not yet settled.
pub(super) fn read(task: &Task<'_>, object: &Value, answered: &Answered) -> Outcome {
    if let Action::RefundCharge { .. } = &task.proposal.content.action
        && let Ok(refund) = Refund::from_value(object)
    {
        match refund.status {
            Some(RefundStatus::Pending | RefundStatus::RequiresAction) => {
                return Outcome::Parked { request: refund.id.as_str().to_owned() };
            }
            Some(RefundStatus::Failed | RefundStatus::Canceled) => {
                return Outcome::Refused { code: "refund_failed".to_owned(), message: String::new() };
            }
            _ => {}
        }
    }
    // A method that takes days: accepted, and the invoice is open until the money is there.
    if let Action::PayInvoice { invoice, .. } = &task.proposal.content.action
        && object.get("status").and_then(Value::as_str) != Some("paid")
    {
        return Outcome::Parked { request: invoice.as_str().to_owned() };
    }
    let mut receipt = of_found(task, object, if answered.replayed { "replayed answer" } else { "answer" });
    receipt.request_id.clone_from(&answered.request_id);
    Outcome::Done(receipt)
}

/// The receipt of an object at Stripe, however it was found.
pub(super) fn of_found(task: &Task<'_>, object: &Value, known_by: &str) -> Receipt {
    let id = object.get("id").and_then(Value::as_str).map(str::to_owned);
    let mut changes = Vec::new();
    let mut change = |what: &str, predicted: Option<Value>, actual: Option<Value>| {
        changes.push(Change { what: what.to_owned(), predicted, actual });
    };
    match &task.proposal.content.action {
        Action::RefundCharge { amount, reason, .. } => {
            change("refund.amount", Some(amount.amount.into()), object.get("amount").cloned());
            change("refund.currency", Some(amount.currency.as_str().into()), object.get("currency").cloned());
            change("refund.reason", Some(reason.as_str().into()), object.get("reason").cloned());
            let charge = object.get("charge").and_then(|charge| Charge::from_value(charge).ok());
            let left = task.proposal.content.facts.money(FactName::Refundable);
            let predicted = left.map(|left| left.amount - amount.amount);
            change(
                "charge.refundable",
                predicted.map(Value::from),
                charge.map(|charge| charge.refundable().amount.into()),
            );
        }
        Action::PayInvoice { amount, .. } => {
            let paid = paid_now(object).map(Value::from);
            change("payment.amount", Some(amount.amount.into()), paid);
            change("invoice.status", Some("paid".into()), object.get("status").cloned());
            change("invoice.amount_remaining", Some(0.into()), object.get("amount_remaining").cloned());
        }
        Action::CreatePortalSession { customer } => {
            change("session.customer", Some(customer.as_str().into()), object.get("customer").cloned());
        }
        Action::SendMail(_) | Action::CreateTask { .. } => {}
    }
    let booked = object.get("balance_transaction");
    let booked = booked.and_then(|booked| booked.as_str().or_else(|| booked.get("id")?.as_str()));
    // The URL of a portal session signs its holder in: it is never kept.
    Receipt {
        object: id,
        request_id: None,
        balance_transaction: booked.map(str::to_owned),
        known_by: known_by.to_owned(),
        changes,
    }
}

pub(super) fn of_mail(reference: &str) -> Receipt {
    Receipt {
        object: Some(reference.chars().take(200).collect()),
        request_id: None,
        balance_transaction: None,
        known_by: "answer".to_owned(),
        changes: vec![Change {
            what: "mail.accepted".to_owned(),
            predicted: Some(json!(1)),
            actual: Some(json!(1)),
        }],
    }
}

pub(super) fn of_task() -> Receipt {
    Receipt {
        object: None,
        request_id: None,
        balance_transaction: None,
        known_by: "own transaction".to_owned(),
        changes: Vec::new(),
    }
}
