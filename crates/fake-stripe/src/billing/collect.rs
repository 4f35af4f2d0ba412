//! Collecting an invoice: the first attempt, Stripe's own retries, a payment that somebody asks for.

use serde_json::Value;

use super::{invoice, subscription};
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::charge::Presence;
use crate::payments::{declines, intent};
use crate::world::{Kind, Tx};

/// Hours from each failed attempt to the next: eight retries in two weeks.
const RETRY_HOURS: [i64; 8] = [72, 48, 48, 48, 48, 24, 24, 24];

/// What settled an invoice.
#[derive(Debug)]
pub enum Settlement {
    Card,
    OutOfBand,
    NothingDue,
}

/// The first automatic attempt.
pub fn first(tx: &mut Tx<'_>, id: &str) {
    automatic(tx, id, false);
}

/// A retry that has become due. After a hard decline it only counts.
pub fn retry(tx: &mut Tx<'_>, id: &str) {
    let Some(invoice) = tx.get(Kind::Invoice, id).cloned() else { return };
    let last_code =
        default_intent(tx, id).map(|intent| intent["last_payment_error"].clone()).unwrap_or_default();
    let method = method(tx, &invoice);
    let same = method.as_ref().is_some_and(|method| method["id"] == last_code["payment_method"]["id"]);
    let hard = declines::is_hard(last_code.text("decline_code")) || declines::is_hard(last_code.text("code"));
    automatic(tx, id, same && hard);
}

fn automatic(tx: &mut Tx<'_>, id: &str, count_only: bool) {
    let Some(invoice) = tx.get(Kind::Invoice, id).filter(|invoice| invoice.text("status") == "open").cloned()
    else {
        return;
    };
    let method = method(tx, &invoice);
    let attempts = invoice.int("attempt_count") + 1;
    tx.change(Kind::Invoice, id, |invoice| {
        invoice["attempt_count"] = attempts.into();
        invoice["attempted"] = true.into();
    });
    let result = match (&method, count_only) {
        (Some(method), false) => charge(tx, id, method, Presence::OffSession),
        _ => Err(ApiError::refused_by_state("Nothing was tried.")),
    };
    if result.is_err() {
        failed(tx, id, attempts, method.is_some());
    }
}

/// What follows a failed automatic attempt: the next one is planned, or Stripe gives up.
fn failed(tx: &mut Tx<'_>, id: &str, attempts: i64, has_method: bool) {
    let hours = usize::try_from(attempts - 1).ok().and_then(|index| RETRY_HOURS.get(index)).copied();
    let next = hours.filter(|_| has_method).map(|hours| tx.now + hours * 3600);
    let Some((before, after)) =
        tx.change(Kind::Invoice, id, |invoice| invoice["next_payment_attempt"] = next.into())
    else {
        return;
    };
    tell_failure(tx, id, &after);
    tx.emit_update("invoice.updated", &before, &after);
    if let Some(next) = next {
        tx.plan(next, "invoice.retry", id, after.maybe_text("test_clock"));
    }
    if let Some(subscription) = invoice::subscription_id(&after) {
        subscription::payment_failed(tx, subscription);
        if next.is_none() && has_method {
            subscription::retries_exhausted(tx, subscription);
        }
    }
}

fn tell_failure(tx: &mut Tx<'_>, id: &str, invoice: &Value) {
    if default_intent(tx, id).is_some_and(|intent| intent.text("status") == "requires_action") {
        tx.emit("invoice.payment_action_required", invoice);
    }
    tx.emit("invoice.payment_failed", invoice);
}

/// Charges what remains; on success the invoice is paid.
fn charge(tx: &mut Tx<'_>, id: &str, method: &Value, presence: Presence) -> ApiResult<()> {
    let intent = default_intent(tx, id).ok_or_else(|| {
        ApiError::refused_by_state(format!("Invoice {id} has no payment that could be tried."))
    })?;
    match intent::confirm(tx, intent.text("id"), method, presence) {
        Ok(intent) if intent.text("status") == "requires_action" => {
            let message =
                "The PaymentIntent requires additional action before it can be completed successfully.";
            let mut error = ApiError::declined("invoice_payment_intent_requires_action", message);
            error.error["type"] = "invalid_request_error".into();
            Err(error)
        }
        Ok(_) => {
            settle(tx, id, &Settlement::Card);
            Ok(())
        }
        Err(error) => {
            // Off-session, only the customer can help: the intent waits for them.
            if error.error["code"] == "authentication_required" {
                intent::needs_customer(tx, intent.text("id"));
            }
            Err(error)
        }
    }
}

/// Marks an invoice as paid, with all that follows for its subscription and customer.
pub fn settle(tx: &mut Tx<'_>, id: &str, settlement: &Settlement) {
    tx.unplan("invoice.retry", id);
    tx.unplan("invoice.overdue", id);
    let now = tx.now;
    let Some((before, paid)) = tx.change(Kind::Invoice, id, |invoice| {
        let due = invoice["amount_due"].clone();
        invoice["status"] = "paid".into();
        invoice["attempted"] = true.into();
        invoice["amount_paid"] = due;
        invoice["amount_remaining"] = 0.into();
        invoice["next_payment_attempt"] = Value::Null;
        invoice["auto_advance"] = false.into();
        invoice["status_transitions"]["paid_at"] = now.into();
        invoice["status_details"] = Value::Null;
        if matches!(settlement, Settlement::OutOfBand) {
            invoice["amount_paid_off_stripe"] = invoice["amount_due"].clone();
        }
    }) else {
        return;
    };
    settle_payment(tx, &paid, settlement);
    tx.emit_update("invoice.updated", &before, &paid);
    tx.emit("invoice.paid", &paid);
    tx.emit("invoice.payment_succeeded", &paid);
    if paid.int("amount_paid") > 0 {
        tx.effect("invoice.pay", &paid);
    }
    if let Some(subscription) = invoice::subscription_id(&paid) {
        subscription::invoice_paid(tx, subscription, id);
    }
}

/// The open payment follows what remains: a credit note asks for less, its void for more again. Where nothing remains
/// the invoice is paid, and nobody can be charged for it any longer.
pub fn ask_for_remaining(tx: &mut Tx<'_>, invoice: &Value) {
    let remaining = invoice.int("amount_remaining");
    if remaining == 0 {
        settle(tx, invoice.text("id"), &Settlement::NothingDue);
        return;
    }
    let open = tx
        .owned_by(Kind::InvoicePayment, invoice.text("id"))
        .find(|payment| payment.flag("is_default") && payment.text("status") == "open");
    let Some(payment) = open.cloned() else { return };
    tx.change(Kind::InvoicePayment, payment.text("id"), |payment| {
        payment["amount_requested"] = remaining.into();
    });
    tx.change(Kind::PaymentIntent, payment.text("payment.payment_intent"), |intent| {
        intent["amount"] = remaining.into();
    });
}

fn settle_payment(tx: &mut Tx<'_>, invoice: &Value, settlement: &Settlement) {
    let payment =
        tx.owned_by(Kind::InvoicePayment, invoice.text("id")).find(|payment| payment.flag("is_default"));
    let Some(payment) = payment.cloned() else { return };
    let now = tx.now;
    if !matches!(settlement, Settlement::Card) {
        tx.change(Kind::InvoicePayment, payment.text("id"), |payment| {
            payment["status"] = "canceled".into();
            payment["status_transitions"]["canceled_at"] = now.into();
        });
        // The intent is no longer needed; one that cannot be canceled is settled already.
        let _ = intent::cancel(tx, payment.text("payment.payment_intent"), None);
        return;
    }
    let edit = |payment: &mut Value| {
        payment["status"] = "paid".into();
        payment["amount_paid"] = payment["amount_requested"].clone();
        payment["status_transitions"]["paid_at"] = now.into();
    };
    if let Some((_, after)) = tx.change(Kind::InvoicePayment, payment.text("id"), edit) {
        tx.emit("invoice_payment.paid", &after);
    }
}

/// A payment that somebody asks for.
#[derive(Debug)]
pub struct Asked {
    pub method: Option<Value>,
    pub presence: Presence,
    pub out_of_band: bool,
}

/// Pays an open or uncollectible invoice now. A failure leaves its status and its planned retry.
pub fn pay(tx: &mut Tx<'_>, id: &str, asked: &Asked) -> ApiResult {
    let mut invoice = tx.find(Kind::Invoice, id)?;
    if invoice.text("status") == "draft" {
        invoice = invoice::finalize(tx, id)?;
        if invoice.text("status") == "paid" {
            return Ok(invoice);
        }
    }
    match invoice.text("status") {
        "open" | "uncollectible" => {}
        "paid" => return Err(ApiError::refused_by_state("Invoice is already paid")),
        status => {
            let message = format!("This invoice can no longer be paid: its status is {status}.");
            return Err(ApiError::refused_by_state(message).code("invoice_not_payable"));
        }
    }
    if asked.out_of_band {
        settle(tx, id, &Settlement::OutOfBand);
        return tx.find(Kind::Invoice, id);
    }
    let method = match &asked.method {
        Some(method) => method.clone(),
        None => method(tx, &invoice).ok_or_else(no_method)?,
    };
    tx.change(Kind::Invoice, id, |invoice| {
        invoice["attempted"] = true.into();
        invoice["attempt_count"] = invoice.int("attempt_count").max(1).into();
    });
    if let Err(error) = charge(tx, id, &method, asked.presence) {
        let invoice = tx.find(Kind::Invoice, id)?;
        tell_failure(tx, id, &invoice);
        if let Some(subscription) = invoice::subscription_id(&invoice) {
            subscription::payment_failed(tx, subscription);
        }
        return Err(error);
    }
    tx.find(Kind::Invoice, id)
}

/// The complaint about a customer who has nothing to pay with.
pub fn no_method() -> ApiError {
    let message = "There is no `default_payment_method` set on this Customer or Invoice. Please create and set a default, or pass one for this payment.";
    ApiError::refused_by_state(message).code("resource_missing")
}

/// A customer has completed a payment by themselves: the invoice it was for is paid.
pub fn intent_settled(tx: &mut Tx<'_>, intent: &Value) {
    let payment = tx.all(Kind::InvoicePayment).find(|payment| {
        payment.text("payment.payment_intent") == intent.text("id") && payment.text("status") == "open"
    });
    if let Some(invoice) = payment.map(|payment| payment.text("invoice").to_owned()) {
        settle(tx, &invoice, &Settlement::Card);
    }
}

/// The intent of the payment that follows what remains.
pub fn default_intent(tx: &Tx<'_>, invoice: &str) -> Option<Value> {
    let payment = tx.owned_by(Kind::InvoicePayment, invoice).find(|payment| payment.flag("is_default"))?;
    tx.get(Kind::PaymentIntent, payment.text("payment.payment_intent")).cloned()
}

/// What an invoice is paid with: its own method, its subscription's, the customer's.
pub fn method(tx: &Tx<'_>, invoice: &Value) -> Option<Value> {
    let subscription = invoice::subscription_id(invoice).and_then(|id| tx.get(Kind::Subscription, id));
    let customer = tx.get(Kind::Customer, invoice.text("customer"));
    let id = invoice
        .maybe_text("default_payment_method")
        .or_else(|| subscription?.maybe_text("default_payment_method"))
        .or_else(|| customer?.maybe_text("invoice_settings.default_payment_method"))?;
    tx.get(Kind::PaymentMethod, id).filter(|method| method["customer"].is_string()).cloned()
}
