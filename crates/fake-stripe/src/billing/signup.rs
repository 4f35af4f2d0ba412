//! How a subscription begins: trial, first payment, or waiting for one.

use serde_json::{Value, json};

use super::calendar::{self, Interval};
use super::{collect, invoice, subscription};
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult, Fate};
use crate::payments::charge::Presence;
use crate::world::{Kind, Tx};

/// What a new subscription shall be.
#[derive(Debug)]
pub struct Signup {
    pub customer: Value,
    /// Prices with quantities.
    pub items: Vec<(Value, i64)>,
    pub trial_end: Option<i64>,
    pub payment: FirstPayment,
    pub collection_method: String,
    pub days_until_due: Option<i64>,
    pub default_payment_method: Option<String>,
    /// Further fields of the document, as they shall stand.
    pub fields: Value,
}

/// What to do about the first payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstPayment {
    /// Try; if it fails the subscription is incomplete.
    Try,
    /// Leave it to the customer.
    Leave,
    /// Try; if it fails there is no subscription.
    Insist,
}

/// Writes the document and its items, in a status and in the period that starts then.
pub fn write(tx: &mut Tx<'_>, signup: &Signup, status: &str, start: i64) -> Value {
    let id = tx.id(Kind::Subscription);
    let mut document = document(tx, &id, signup, status, start);
    if let (Some(fields), Some(more)) = (document.as_object_mut(), signup.fields.as_object()) {
        fields.extend(more.clone());
    }
    let anchor = document.int("billing_cycle_anchor");
    let items: Vec<Value> = signup
        .items
        .iter()
        .map(|(price, quantity)| {
            let unit = price.text("recurring.interval").to_owned();
            let interval = Interval { unit: &unit, count: price.int("recurring.interval_count") };
            let end = signup.trial_end.filter(|end| *end > start);
            let end = end.unwrap_or_else(|| calendar::next_end(anchor, interval, start));
            let item = tx.id(Kind::SubscriptionItem);
            item_document(&item, &id, price, *quantity, (start, end))
        })
        .collect();
    subscription::put_items(tx, &mut document, &items);
    document
}

/// One item of a subscription.
pub fn item_document(
    id: &str,
    subscription: &str,
    price: &Value,
    quantity: i64,
    period: (i64, i64),
) -> Value {
    json!({
        "id": id, "object": "subscription_item", "billing_thresholds": null, "created": period.0,
        "current_period_end": period.1, "current_period_start": period.0, "discounts": [], "metadata": {},
        "plan": crate::api::prices::plan(price), "price": price, "quantity": quantity, "subscription": subscription,
        "tax_rates": [],
    })
}

fn document(tx: &Tx<'_>, id: &str, signup: &Signup, status: &str, start: i64) -> Value {
    let currency = signup.items.first().map_or(json!("usd"), |(price, _)| price["currency"].clone());
    json!({
        "id": id, "object": "subscription", "application": null, "application_fee_percent": null,
        "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null},
        "billing_cycle_anchor": signup.trial_end.filter(|end| *end > start).unwrap_or(start),
        "billing_cycle_anchor_config": null, "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
        "billing_schedules": [], "billing_thresholds": null, "cancel_at": null, "cancel_at_period_end": false,
        "canceled_at": null, "cancellation_details": {"comment": null, "feedback": null, "reason": null},
        "collection_method": signup.collection_method, "created": tx.now, "currency": currency,
        "customer": signup.customer["id"], "customer_account": null, "days_until_due": signup.days_until_due,
        "default_payment_method": signup.default_payment_method, "default_source": null, "default_tax_rates": [],
        "description": null, "discounts": [], "ended_at": null,
        "invoice_settings": {"account_tax_ids": null, "issuer": {"type": "self"}, "custom_fields": null,
            "description": null, "footer": null},
        "items": null, "latest_invoice": null, "livemode": tx.livemode(), "managed_payments": null, "metadata": {},
        "next_pending_invoice_item_invoice": null, "on_behalf_of": null, "pause_collection": null,
        "payment_settings": {"payment_method_options": null, "payment_method_types": null,
            "save_default_payment_method": "off"},
        "pending_invoice_item_interval": null, "pending_setup_intent": null, "pending_update": null,
        "schedule": null, "start_date": start, "status": status, "status_details": null,
        "test_clock": signup.customer["test_clock"], "transfer_data": null, "trial_end": signup.trial_end,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": signup.trial_end.map(|_| start),
    })
}

/// Begins a subscription now, with its first invoice.
pub fn begin(tx: &mut Tx<'_>, signup: &Signup) -> ApiResult {
    let now = tx.now;
    let trial = signup.trial_end.filter(|end| *end > now);
    if trial.is_none() && signup.payment != FirstPayment::Leave {
        require_method(tx, signup)?;
    }
    let status = match (trial, signup.collection_method.as_str()) {
        (Some(_), _) => "trialing",
        (None, "send_invoice") => "active",
        (None, _) => "incomplete",
    };
    let written = write(tx, signup, status, now);
    let id = written.text("id").to_owned();
    if tx.get(Kind::Customer, written.text("customer")).is_some_and(|customer| customer["currency"].is_null())
    {
        let currency = written["currency"].clone();
        tx.change(Kind::Customer, written.text("customer"), |customer| customer["currency"] = currency);
    }
    tx.emit("customer.subscription.created", &written);
    tx.effect("subscription.create", &written);
    let covered = subscription::period(&written);
    let invoice = subscription::bill(tx, &written, "subscription_create", covered, trial.is_some());
    let invoice = invoice.map(|invoice| invoice.text("id").to_owned()).unwrap_or_default();
    invoice::finalize(tx, &invoice)?;
    match trial {
        Some(trial_end) => subscription::plan_trial_notice(tx, &written, trial_end),
        None if status == "incomplete" => first_payment(tx, signup, &id, &invoice)?,
        None => {}
    }
    let begun = tx.find(Kind::Subscription, &id)?;
    if begun.text("status") != "incomplete" {
        subscription::plan_renewal(tx, &id);
    }
    if let Some(cancel_at) = begun.maybe_int("cancel_at") {
        tx.plan(cancel_at, "subscription.cancel_at", &id, begun.maybe_text("test_clock"));
    }
    tx.find(Kind::Subscription, &id)
}

fn first_payment(tx: &mut Tx<'_>, signup: &Signup, id: &str, invoice: &str) -> ApiResult<()> {
    let free = tx.get(Kind::Invoice, invoice).is_some_and(|invoice| invoice.text("status") == "paid");
    if free {
        subscription::invoice_paid(tx, id, invoice);
        return Ok(());
    }
    let clock = signup.customer.maybe_text("test_clock").map(str::to_owned);
    tx.plan(tx.now + subscription::INCOMPLETE_S, "subscription.expire", id, clock.as_deref());
    if signup.payment == FirstPayment::Leave {
        return Ok(());
    }
    let asked = collect::Asked { method: None, presence: Presence::OffSession, out_of_band: false };
    match collect::pay(tx, invoice, &asked) {
        // The attempt stands only if the subscription does.
        Err(error) if signup.payment == FirstPayment::Insist => Err(ApiError { fate: Fate::Failed, ..error }),
        _ => Ok(()),
    }
}

fn require_method(tx: &Tx<'_>, signup: &Signup) -> ApiResult<()> {
    let customer = tx.get(Kind::Customer, signup.customer.text("id"));
    let has_default =
        customer.is_some_and(|customer| customer["invoice_settings"]["default_payment_method"].is_string());
    if signup.collection_method == "send_invoice" || signup.default_payment_method.is_some() || has_default {
        return Ok(());
    }
    let message = "This customer has no attached payment source or default payment method. Please consider adding a default payment method.";
    Err(ApiError::refused_by_state(message).code("resource_missing"))
}
