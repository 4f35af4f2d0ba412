//! A receipt as everybody shows it: what really happened beside what was predicted.

use bursar_domain::action::Action;
use bursar_domain::execution::{BY_HAND, Change, ExecutionState, Receipt, TOO_LATE, WITHDRAWN};
use bursar_store::executions::Execution;
use bursar_stripe::money::Money;
use serde_json::{Value, json};

use super::{rfc3339, words};
use crate::execute;

/// The code of an attempt of which nothing left this machine.
const NOT_SENT: &str = "not_sent";

/// `rows` are in words and hold what could be compared; `changes` are the values themselves.
pub(crate) fn document(execution: &Execution, action: &Action, customer: Option<&str>) -> Value {
    let receipt: Option<&Receipt> = execution.receipt.as_ref();
    let changes = receipt.map(|receipt| receipt.changes.as_slice()).unwrap_or_default();
    json!({
        "headline": headline(execution, action, customer),
        "state": execution.state.as_str(),
        "code": execution.outcome_code,
        "object": receipt.and_then(|receipt| receipt.object.as_deref()),
        "request_id": receipt.and_then(|receipt| receipt.request_id.as_deref()),
        "balance_transaction": receipt.and_then(|receipt| receipt.balance_transaction.as_deref()),
        "known_by": receipt.map(|receipt| receipt.known_by.as_str()),
        "rows": changes.iter().filter_map(|change| row(change, action)).collect::<Vec<_>>(),
        "changes": changes.iter().map(|change| json!({
            "what": change.what,
            "predicted": change.predicted,
            "actual": change.actual,
            "agrees": change.agrees(),
        })).collect::<Vec<_>>(),
        "idempotency_key": execution.intent.idempotency_key,
        "sends": execution.sends,
        "first_sent_at": execution.first_sent_at.map(rfc3339),
        "finished_at": execution.outcome_at.map(rfc3339),
        "waiting_for": execution.waiting_for,
        "waits": execute::wait_told(execution, action),
    })
}

/// One sentence of what became of it.
fn headline(execution: &Execution, action: &Action, customer: Option<&str>) -> String {
    let code = execution.outcome_code.as_deref().unwrap_or("no reason given");
    match execution.state {
        ExecutionState::Done => done(action, customer),
        ExecutionState::Refused => format!("Refused: {}. No money moved.", code.replace('_', " ")),
        ExecutionState::NoEffect if matches!(code, WITHDRAWN | TOO_LATE) => {
            "Never sent: nothing happened. Asking again is a new request.".to_owned()
        }
        ExecutionState::NoEffect if code == BY_HAND => {
            "A person looked: it did not happen. Asking again is a new request.".to_owned()
        }
        ExecutionState::NoEffect => {
            "Looked up twice: it did not happen. Asking again is a new request.".to_owned()
        }
        ExecutionState::InDoubt => {
            "Nobody can tell yet whether it happened. A person must look; it is not sent again.".to_owned()
        }
        ExecutionState::WaitingAtStripe => "Stripe has it and has not finished.".to_owned(),
        ExecutionState::Unknown if execution.outcome_code.as_deref() == Some(NOT_SENT) => {
            "Not sent yet; it is tried again.".to_owned()
        }
        ExecutionState::Unknown => {
            "The answer is missing; it is looked up before anything is sent again.".to_owned()
        }
        ExecutionState::Intent => "Recorded; about to be sent.".to_owned(),
    }
}

fn done(action: &Action, customer: Option<&str>) -> String {
    let whom = |fallback: &str| customer.map_or_else(|| fallback.to_owned(), str::to_owned);
    match action {
        Action::RefundCharge { charge, amount, .. } => {
            format!("Refunded {} to {}", words::money(*amount), whom(charge.as_str()))
        }
        Action::PayInvoice { invoice, amount, .. } => {
            format!("Collected {} from {}", words::money(*amount), whom(invoice.as_str()))
        }
        Action::CreatePortalSession { customer: id } => {
            format!("Opened the customer portal for {}", whom(id.as_str()))
        }
        Action::SendMail(mail) => format!("Sent “{}” to {}", words::template(&mail.template), mail.to),
        Action::CreateTask { role, .. } => format!("Set a task for {role}"),
    }
}

/// What nobody read back is not compared; a currency that agrees stands beside its amount already.
fn row(change: &Change, action: &Action) -> Option<Value> {
    if change.what.ends_with(".currency") && change.agrees() {
        return None;
    }
    let (predicted, actual) = (change.predicted.as_ref()?, change.actual.as_ref()?);
    let shown = |value: &Value| match (value, action.amount()) {
        (Value::Number(number), Some(amount)) if is_money(&change.what) => number
            .as_i64()
            .map_or_else(|| number.to_string(), |minor| words::money(Money::new(minor, amount.currency))),
        (Value::String(text), _) => text.replace('_', " "),
        (other, _) => other.to_string(),
    };
    let what = words::capitalised(&change.what.replace(['.', '_'], " "));
    Some(json!({"what": what, "predicted": shown(predicted), "actual": shown(actual)}))
}

fn is_money(what: &str) -> bool {
    ["amount", "refundable", "remaining"].iter().any(|word| what.ends_with(word))
}
