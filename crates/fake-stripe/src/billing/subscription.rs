//! Subscriptions: the eight statuses and what moves one to another.

use serde_json::{Value, json};

use super::calendar::{self, Interval};
use super::invoice::{self, NewInvoice};
use super::{collect, lines};
use crate::doc::Doc as _;
use crate::world::{Kind, Tx};

/// How long an incomplete subscription waits for its first payment.
pub const INCOMPLETE_S: i64 = 23 * 3600;
const TRIAL_NOTICE_S: i64 = 3 * 86_400;

/// What happens once every retry has failed: an account's setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterRetries {
    #[default]
    Cancel,
    Unpaid,
    LeavePastDue,
}

/// The items of a subscription, oldest first.
pub fn items(tx: &Tx<'_>, subscription: &str) -> Vec<Value> {
    tx.owned_by(Kind::SubscriptionItem, subscription).cloned().collect()
}

/// Keeps items, and the copy of them that the subscription shows.
pub fn put_items(tx: &mut Tx<'_>, subscription: &mut Value, items: &[Value]) {
    for item in items {
        tx.put(Kind::SubscriptionItem, item.clone());
    }
    let url = format!("/v1/subscription_items?subscription={}", subscription.text("id"));
    let mut shown = crate::doc::list(&url, items.to_vec());
    shown["total_count"] = items.len().into();
    subscription["items"] = shown;
    tx.put(Kind::Subscription, subscription.clone());
}

/// The period its items are in.
pub fn period(subscription: &Value) -> (i64, i64) {
    let item = subscription.elements("items").first().cloned().unwrap_or_default();
    (item.int("current_period_start"), item.int("current_period_end"))
}

/// Draws up the invoice for a period of a subscription.
pub fn bill(
    tx: &mut Tx<'_>,
    subscription: &Value,
    reason: &str,
    covered: (i64, i64),
    free: bool,
) -> Option<Value> {
    let customer = tx.get(Kind::Customer, subscription.text("customer")).cloned()?;
    let mut entries = Vec::new();
    for item in items(tx, subscription.text("id")) {
        let mut line = lines::of_subscription_item(tx, subscription, &item, covered);
        if free {
            line["amount"] = 0.into();
            line["subtotal"] = 0.into();
            line["description"] = format!("Trial period for {}", lines::span(covered)).into();
        }
        entries.push(line);
    }
    let auto_advance = subscription.text("status") != "unpaid" && subscription["pause_collection"].is_null();
    let new = NewInvoice {
        customer: &customer,
        currency: subscription.text("currency"),
        reason,
        subscription: Some(subscription),
        period: if reason == "subscription_cycle" { period(subscription) } else { (tx.now, tx.now) },
        auto_advance,
        collection_method: subscription.text("collection_method"),
        days_until_due: subscription.maybe_int("days_until_due"),
    };
    let invoice = invoice::draft(tx, &new, entries, !free);
    let id = invoice.text("id").to_owned();
    tx.change(Kind::Subscription, subscription.text("id"), |kept| kept["latest_invoice"] = id.into());
    Some(invoice)
}

/// A period has ended: cancel, end the trial, or renew.
pub fn renew(tx: &mut Tx<'_>, id: &str) {
    let Some(subscription) = tx.get(Kind::Subscription, id).cloned() else { return };
    let status = subscription.text("status");
    if matches!(status, "canceled" | "incomplete_expired" | "incomplete" | "paused") {
        return;
    }
    if subscription.flag("cancel_at_period_end") {
        cancel(tx, id, "cancellation_requested");
        return;
    }
    if status == "trialing" && !ends_trial_paying(tx, &subscription) {
        return;
    }
    let (_, end) = period(&subscription);
    let Some(subscription) = roll(tx, id, status == "trialing", end) else { return };
    let covered = period(&subscription);
    if let Some(invoice) = bill(tx, &subscription, "subscription_cycle", covered, false) {
        let clock = subscription.maybe_text("test_clock").map(str::to_owned);
        let invoice_id = invoice.text("id").to_owned();
        match subscription.text("pause_collection.behavior") {
            "void" | "mark_uncollectible" => close_uncollected(tx, &subscription, &invoice_id),
            _ if invoice.flag("auto_advance") => {
                tx.plan(tx.now + invoice::DRAFT_S, "invoice.finalize", &invoice_id, clock.as_deref());
            }
            _ => {}
        }
    }
    plan_renewal(tx, id);
}

/// An invoice drawn up while collection is paused is closed at once.
fn close_uncollected(tx: &mut Tx<'_>, subscription: &Value, invoice: &str) {
    let closed = invoice::finalize(tx, invoice).and_then(|_| {
        if subscription.text("pause_collection.behavior") == "void" {
            invoice::void(tx, invoice)
        } else {
            invoice::mark_uncollectible(tx, invoice, "subscription_paused")
        }
    });
    if let Err(error) = closed {
        tracing::debug!(invoice, message = error.error.text("message"), "left as it was");
    }
}

/// Plans the next renewal at the end of the current period.
pub fn plan_renewal(tx: &mut Tx<'_>, id: &str) {
    tx.unplan("subscription.renew", id);
    if let Some(subscription) = tx.get(Kind::Subscription, id).cloned() {
        let (_, end) = period(&subscription);
        tx.plan(end, "subscription.renew", id, subscription.maybe_text("test_clock"));
    }
}

/// Moves every item to the next period; a trial that ended becomes active.
fn roll(tx: &mut Tx<'_>, id: &str, trial_ended: bool, start: i64) -> Option<Value> {
    let before = tx.get(Kind::Subscription, id)?.clone();
    let mut after = before.clone();
    if trial_ended {
        after["status"] = "active".into();
        after["billing_cycle_anchor"] = start.into();
    }
    let anchor = after.int("billing_cycle_anchor");
    let mut rolled = items(tx, id);
    for item in &mut rolled {
        let unit = item.text("price.recurring.interval").to_owned();
        let interval = Interval { unit: &unit, count: item.int("price.recurring.interval_count") };
        item["current_period_start"] = start.into();
        item["current_period_end"] = calendar::next_end(anchor, interval, start).into();
    }
    put_items(tx, &mut after, &rolled);
    tx.emit_update("customer.subscription.updated", &before, &after);
    Some(after)
}

/// Whether a trial goes on into a paid period; without a payment method the settings decide.
fn ends_trial_paying(tx: &mut Tx<'_>, subscription: &Value) -> bool {
    let id = subscription.text("id");
    let customer = tx.get(Kind::Customer, subscription.text("customer"));
    let has_method = subscription["default_payment_method"].is_string()
        || customer
            .is_some_and(|customer| customer["invoice_settings"]["default_payment_method"].is_string());
    if has_method || subscription.text("collection_method") == "send_invoice" {
        return true;
    }
    match subscription.text("trial_settings.end_behavior.missing_payment_method") {
        "cancel" => {
            cancel(tx, id, "cancellation_requested");
            false
        }
        "pause" => {
            tx.change_and_tell(Kind::Subscription, id, "customer.subscription.paused", |subscription| {
                subscription["status"] = "paused".into();
                subscription["status_details"] = json!({"paused": {"subscription":
                    {"type": "trial_end_without_payment_method"}}});
            });
            false
        }
        _ => true,
    }
}

/// Tells that a trial ends in three days.
pub fn trial_will_end(tx: &mut Tx<'_>, id: &str) {
    let trialing =
        tx.get(Kind::Subscription, id).filter(|subscription| subscription.text("status") == "trialing");
    if let Some(subscription) = trialing.cloned() {
        tx.emit("customer.subscription.trial_will_end", &subscription);
    }
}

/// Plans the notice of a trial's end.
pub fn plan_trial_notice(tx: &mut Tx<'_>, subscription: &Value, trial_end: i64) {
    let at = (trial_end - TRIAL_NOTICE_S).max(tx.now);
    tx.plan(
        at,
        "subscription.trial_will_end",
        subscription.text("id"),
        subscription.maybe_text("test_clock"),
    );
}

/// Ends a subscription now; its drafts stop and its open invoices are no longer retried.
pub fn cancel(tx: &mut Tx<'_>, id: &str, reason: &str) {
    let ended = ["canceled", "incomplete_expired"];
    if tx.get(Kind::Subscription, id).is_none_or(|subscription| ended.contains(&subscription.text("status")))
    {
        return;
    }
    for what in
        ["subscription.renew", "subscription.trial_will_end", "subscription.expire", "subscription.cancel_at"]
    {
        tx.unplan(what, id);
    }
    let now = tx.now;
    let (_, subscription) = tx
        .change(Kind::Subscription, id, |subscription| {
            subscription["status"] = "canceled".into();
            subscription["ended_at"] = now.into();
            if subscription["canceled_at"].is_null() {
                subscription["canceled_at"] = now.into();
            }
            subscription["cancellation_details"]["reason"] = reason.into();
        })
        .unwrap_or_default();
    stop_collecting(tx, &subscription);
    tx.emit("customer.subscription.deleted", &subscription);
    tx.effect("subscription.cancel", &subscription);
}

fn stop_collecting(tx: &mut Tx<'_>, subscription: &Value) {
    let open: Vec<String> = tx
        .owned_by(Kind::Invoice, subscription.text("customer"))
        .filter(|invoice| {
            matches!(invoice.text("status"), "draft" | "open")
                && invoice::subscription_id(invoice) == Some(subscription.text("id"))
        })
        .map(|invoice| invoice.text("id").to_owned())
        .collect();
    for invoice in open {
        tx.unplan("invoice.retry", &invoice);
        tx.unplan("invoice.finalize", &invoice);
        tx.change_and_tell(Kind::Invoice, &invoice, "invoice.updated", |invoice| {
            invoice["auto_advance"] = false.into();
            invoice["next_payment_attempt"] = Value::Null;
        });
    }
}

/// An invoice of it could not be collected.
pub fn payment_failed(tx: &mut Tx<'_>, id: &str) {
    let Some(subscription) = tx.get(Kind::Subscription, id).cloned() else { return };
    if matches!(subscription.text("status"), "active" | "trialing") {
        set_status(tx, id, "past_due");
    }
    set_delinquent(tx, subscription.text("customer"), true);
}

fn set_delinquent(tx: &mut Tx<'_>, customer: &str, delinquent: bool) {
    tx.change_and_tell(Kind::Customer, customer, "customer.updated", |customer| {
        customer["delinquent"] = delinquent.into();
    });
}

fn set_status(tx: &mut Tx<'_>, id: &str, status: &str) {
    tx.change_and_tell(Kind::Subscription, id, "customer.subscription.updated", |subscription| {
        subscription["status"] = status.into();
    });
}

/// Every retry has failed.
pub fn retries_exhausted(tx: &mut Tx<'_>, id: &str) {
    if tx.get(Kind::Subscription, id).is_none_or(|subscription| subscription.text("status") != "past_due") {
        return;
    }
    match tx.world.after_retries {
        AfterRetries::Cancel => cancel(tx, id, "payment_failed"),
        AfterRetries::Unpaid => set_status(tx, id, "unpaid"),
        AfterRetries::LeavePastDue => {}
    }
}

/// An invoice of it was paid: the latest one brings it back, the first one starts it.
pub fn invoice_paid(tx: &mut Tx<'_>, id: &str, invoice: &str) {
    let Some(subscription) = tx.get(Kind::Subscription, id).cloned() else { return };
    let latest = subscription.text("latest_invoice") == invoice;
    match subscription.text("status") {
        "past_due" | "unpaid" if latest => {
            set_status(tx, id, "active");
            set_delinquent(tx, subscription.text("customer"), false);
        }
        "incomplete" => {
            tx.unplan("subscription.expire", id);
            set_status(tx, id, "active");
            set_delinquent(tx, subscription.text("customer"), false);
            plan_renewal(tx, id);
        }
        _ => {}
    }
}

/// The first payment did not come in time.
pub fn expire_incomplete(tx: &mut Tx<'_>, id: &str) {
    let Some(subscription) = tx.get(Kind::Subscription, id).cloned() else { return };
    if subscription.text("status") != "incomplete" {
        return;
    }
    tx.unplan("subscription.renew", id);
    let now = tx.now;
    tx.change_and_tell(Kind::Subscription, id, "customer.subscription.updated", |subscription| {
        subscription["status"] = "incomplete_expired".into();
        subscription["ended_at"] = now.into();
    });
    if let Err(error) = invoice::void(tx, subscription.text("latest_invoice")) {
        tracing::debug!(id, message = error.error.text("message"), "its first invoice was not open");
    }
}

/// A pause of collection has run out.
pub fn resume_collection(tx: &mut Tx<'_>, id: &str) {
    tx.change_and_tell(Kind::Subscription, id, "customer.subscription.updated", |subscription| {
        subscription["pause_collection"] = Value::Null;
    });
}

/// A paused subscription goes on: a new period starts now.
pub fn resume(tx: &mut Tx<'_>, id: &str) {
    tx.change(Kind::Subscription, id, |subscription| {
        subscription["status"] = "active".into();
        subscription["status_details"] = Value::Null;
    });
    let now = tx.now;
    tx.change(Kind::Subscription, id, |subscription| subscription["billing_cycle_anchor"] = now.into());
    let Some(subscription) = roll(tx, id, false, now) else { return };
    tx.emit("customer.subscription.resumed", &subscription);
    let covered = period(&subscription);
    if let Some(invoice) = bill(tx, &subscription, "subscription_update", covered, false) {
        let invoice = invoice.text("id").to_owned();
        if invoice::finalize(tx, &invoice).is_ok() {
            collect::first(tx, &invoice);
        }
    }
    plan_renewal(tx, id);
}
