//! Payment intents: from an amount to a charge, with or without the customer present.

use serde_json::{Value, json};

use super::charge::{self, Attempt, Presence, Verdict};
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::world::{Kind, Tx, ids};

/// What a new intent is for.
#[derive(Debug)]
pub struct Plan<'a> {
    pub amount: i64,
    pub currency: &'a str,
    pub customer: Option<&'a str>,
    pub description: Option<&'a str>,
}

/// Makes an intent and tells of it.
pub fn create(tx: &mut Tx<'_>, plan: &Plan<'_>, shape: impl FnOnce(&mut Value)) -> Value {
    let id = tx.id(Kind::PaymentIntent);
    let tail = ids::letters(tx.world.ids.counter, 2, 25);
    let mut intent = json!({
        "id": id, "object": "payment_intent", "amount": plan.amount, "amount_capturable": 0,
        "amount_details": {"tip": {}}, "amount_received": 0, "application": null, "application_fee_amount": null,
        "automatic_payment_methods": null, "canceled_at": null, "cancellation_reason": null,
        "capture_method": "automatic", "client_secret": format!("{id}_secret_{tail}"),
        "confirmation_method": "automatic", "created": tx.now, "currency": plan.currency,
        "customer": plan.customer, "customer_account": null, "description": plan.description,
        "excluded_payment_method_types": null, "last_payment_error": null, "latest_charge": null,
        "livemode": tx.livemode(), "metadata": {}, "next_action": null, "on_behalf_of": null,
        "payment_method": null, "payment_method_configuration_details": null,
        "payment_method_options": {"card": {"installments": null, "mandate_options": null, "network": null,
            "request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"], "processing": null, "receipt_email": null, "review": null,
        "setup_future_usage": null, "shipping": null, "source": null, "statement_descriptor": null,
        "statement_descriptor_suffix": null, "status": "requires_payment_method", "transfer_data": null,
        "transfer_group": null,
    });
    shape(&mut intent);
    tx.put(Kind::PaymentIntent, intent.clone());
    tx.emit("payment_intent.created", &intent);
    intent
}

/// Confirms an intent with a payment method. The error of a decline holds the intent as it then is.
pub fn confirm(tx: &mut Tx<'_>, id: &str, method: &Value, presence: Presence) -> ApiResult {
    let (_, intent) = tx
        .change(Kind::PaymentIntent, id, |intent| intent["payment_method"] = method["id"].clone())
        .ok_or_else(|| ApiError::no_such(Kind::PaymentIntent, id))?;
    let attempt = Attempt { payment_method: method.clone(), intent, presence };
    match charge::attempt(tx, &attempt) {
        Verdict::Paid(charge) => Ok(paid(tx, id, &charge)),
        Verdict::NeedsCustomer => Ok(needs_customer(tx, id)),
        Verdict::Refused(refusal) => {
            let error = refusal.error();
            let kept = error.clone().with("payment_method", method.clone());
            let (_, intent) = tx
                .change(Kind::PaymentIntent, id, |intent| {
                    intent["status"] = "requires_payment_method".into();
                    intent["payment_method"] = Value::Null;
                    intent["next_action"] = Value::Null;
                    intent["latest_charge"] = refusal.charge["id"].clone();
                    intent["last_payment_error"] = kept.error.clone();
                })
                .unwrap_or_default();
            tx.emit("payment_intent.payment_failed", &intent);
            Err(kept.with("payment_intent", intent))
        }
    }
}

fn paid(tx: &mut Tx<'_>, id: &str, charge: &Value) -> Value {
    let held = !charge.flag("captured");
    let (_, intent) = tx
        .change(Kind::PaymentIntent, id, |intent| {
            intent["latest_charge"] = charge["id"].clone();
            intent["last_payment_error"] = Value::Null;
            intent["next_action"] = Value::Null;
            intent["amount_received"] = charge["amount_captured"].clone();
            intent["amount_capturable"] = if held { charge["amount"].clone() } else { 0.into() };
            intent["status"] = if held { "requires_capture" } else { "succeeded" }.into();
        })
        .unwrap_or_default();
    let event = if held { "payment_intent.amount_capturable_updated" } else { "payment_intent.succeeded" };
    tx.emit(event, &intent);
    intent
}

/// Puts an intent where only the customer can move it on.
pub fn needs_customer(tx: &mut Tx<'_>, id: &str) -> Value {
    let (_, intent) = tx
        .change(Kind::PaymentIntent, id, |intent| {
            intent["status"] = "requires_action".into();
            intent["next_action"] = json!({
                "type": "use_stripe_sdk",
                "use_stripe_sdk": {"type": "three_d_secure_redirect", "source": format!("src_{id}")},
            });
        })
        .unwrap_or_default();
    tx.emit("payment_intent.requires_action", &intent);
    intent
}

/// Takes money that was held.
pub fn capture(tx: &mut Tx<'_>, id: &str, amount: Option<i64>) -> ApiResult {
    let intent = tx.find(Kind::PaymentIntent, id)?;
    if intent.text("status") != "requires_capture" {
        return Err(unexpected_state(&intent, "captured", &["requires_capture"]));
    }
    let held = intent.int("amount_capturable");
    let amount = amount.unwrap_or(held);
    if amount > held {
        let message = "The amount to capture is greater than the amount held.";
        return Err(ApiError::refused_by_state(message).code("amount_too_large").param("amount_to_capture"));
    }
    let mut charge = tx.find(Kind::Charge, intent.text("latest_charge"))?;
    let before = charge.clone();
    charge["captured"] = true.into();
    charge["amount_captured"] = amount.into();
    charge::settle(tx, &mut charge, false);
    tx.put(Kind::Charge, charge.clone());
    tx.emit_update("charge.captured", &before, &charge);
    tx.effect("charge.capture", &charge);
    let charge = tx.get(Kind::Charge, charge.text("id")).cloned().unwrap_or_default();
    Ok(paid(tx, id, &charge))
}

/// Gives up an intent.
pub fn cancel(tx: &mut Tx<'_>, id: &str, reason: Option<&str>) -> ApiResult {
    const OPEN: [&str; 5] = [
        "requires_payment_method",
        "requires_capture",
        "requires_confirmation",
        "requires_action",
        "processing",
    ];
    let intent = tx.find(Kind::PaymentIntent, id)?;
    if !OPEN.contains(&intent.text("status")) {
        return Err(unexpected_state(&intent, "canceled", &OPEN));
    }
    let now = tx.now;
    let (_, intent) = tx
        .change(Kind::PaymentIntent, id, |intent| {
            intent["status"] = "canceled".into();
            intent["canceled_at"] = now.into();
            intent["cancellation_reason"] = reason.into();
            intent["amount_capturable"] = 0.into();
            intent["next_action"] = Value::Null;
        })
        .unwrap_or_default();
    tx.emit("payment_intent.canceled", &intent);
    Ok(intent)
}

/// The complaint about an intent that is not where it must be.
pub fn unexpected_state(intent: &Value, verb: &str, states: &[&str]) -> ApiError {
    let message = format!(
        "This PaymentIntent could not be {verb} because it has a status of {}. Only a PaymentIntent with one of the following statuses may be {verb}: {}.",
        intent.text("status"),
        states.join(", ")
    );
    ApiError::refused_by_state(message)
        .code("payment_intent_unexpected_state")
        .with("payment_intent", intent.clone())
}
