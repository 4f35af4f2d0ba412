//! One attempt on a card: the charge that succeeds or fails, and what follows by itself.

use serde_json::{Value, json};

use super::balance::{self, Movement};
use super::cards::{self, Behaviour};
use super::declines::{Decline, decline};
use super::dispute;
use crate::doc::Doc as _;
use crate::error::ApiError;
use crate::world::{Kind, Tx};

/// What is to be charged.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub payment_method: Value,
    /// The intent it belongs to, whole.
    pub intent: Value,
    pub presence: Presence,
}

/// Whether the customer is there to answer a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    OnSession,
    OffSession,
    /// There, and has just passed the challenge.
    Authenticated,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Verdict {
    Paid(Value),
    Refused(Refusal),
    /// Nothing was charged: the customer must authenticate first.
    NeedsCustomer,
}

/// A failed attempt.
#[derive(Debug)]
pub struct Refusal {
    pub charge: Value,
    pub decline: Decline,
}

const BLOCKED: Decline = Decline {
    code: "card_declined",
    decline_code: "fraudulent",
    message: "Your card was declined.",
    advice_code: Some("do_not_try_again"),
    network_decline_code: None,
};

/// Tries the card now.
pub fn attempt(tx: &mut Tx<'_>, attempt: &Attempt) -> Verdict {
    let behaviour = cards::issuer(tx, &attempt.payment_method);
    let refusal = match behaviour {
        Behaviour::Declines(decline) => Some(decline),
        Behaviour::Blocked => Some(BLOCKED),
        Behaviour::Authenticates { then } => match attempt.presence {
            Presence::OnSession => return Verdict::NeedsCustomer,
            Presence::Authenticated => then,
            Presence::OffSession => decline("authentication_required"),
        },
        _ => None,
    };
    let id = tx.id(Kind::Charge);
    let mut charge = document(tx, &id, attempt);
    if let Some(decline) = refusal {
        fail(&mut charge, decline, behaviour == Behaviour::Blocked);
        tx.put(Kind::Charge, charge.clone());
        tx.emit("charge.failed", &charge);
        tx.effect("charge.fail", &charge);
        return Verdict::Refused(Refusal { charge, decline });
    }
    if attempt.intent.text("capture_method") == "manual" {
        charge["captured"] = false.into();
        charge["amount_captured"] = 0.into();
    } else {
        settle(tx, &mut charge, behaviour == Behaviour::AvailableAtOnce);
    }
    mark(&mut charge, behaviour);
    tx.put(Kind::Charge, charge.clone());
    tx.emit("charge.succeeded", &charge);
    tx.effect("charge.succeeded", &charge);
    follow_up(tx, &charge, behaviour);
    Verdict::Paid(tx.get(Kind::Charge, &id).cloned().unwrap_or(charge))
}

/// Books the money of a captured charge.
pub fn settle(tx: &mut Tx<'_>, charge: &mut Value, at_once: bool) {
    let (amount, currency) = (charge.int("amount_captured"), charge.text("currency").to_owned());
    let available_on = if at_once { tx.now } else { tx.now + balance::PENDING_S };
    let movement = Movement {
        kind: "charge",
        category: "charge",
        source: charge.text("id"),
        amount,
        fee: balance::card_fee(amount, &currency),
        currency: &currency,
        description: charge.maybe_text("description"),
        available_on,
    };
    let id = balance::record(tx, &movement);
    charge["balance_transaction"] = id.into();
}

fn fail(charge: &mut Value, decline: Decline, blocked: bool) {
    let outcome = json!({
        "advice_code": decline.advice_code, "network_advice_code": null,
        "network_decline_code": decline.network_decline_code,
        "network_status": if blocked { "not_sent_to_network" } else { "declined_by_network" },
        "reason": if blocked { "highest_risk_level" } else { decline.decline_code },
        "risk_level": if blocked { "highest" } else { "normal" },
        "seller_message": if blocked {
            "Stripe blocked this payment as too risky."
        } else {
            "The bank did not return any further details with this decline."
        },
        "type": if blocked { "blocked" } else { "issuer_declined" },
    });
    charge["outcome"] = outcome;
    charge["status"] = "failed".into();
    charge["paid"] = false.into();
    charge["captured"] = false.into();
    charge["amount_captured"] = 0.into();
    charge["failure_code"] = decline.code.into();
    charge["failure_message"] = decline.message.into();
}

fn mark(charge: &mut Value, behaviour: Behaviour) {
    match behaviour {
        Behaviour::RiskLevel(level) => charge["outcome"]["risk_level"] = level.into(),
        Behaviour::FailsCheck(check) => {
            charge["payment_method_details"]["card"]["checks"][check] = "fail".into();
        }
        _ => {}
    }
}

fn follow_up(tx: &mut Tx<'_>, charge: &Value, behaviour: Behaviour) {
    match behaviour {
        Behaviour::Disputed { reason, inquiry, copies } => {
            for _ in 0..copies {
                let opening = dispute::Opening { reason, inquiry, amount: charge.int("amount") };
                dispute::open(tx, charge.text("id"), &opening);
            }
        }
        Behaviour::FraudWarned => warn(tx, charge),
        _ => {}
    }
}

fn warn(tx: &mut Tx<'_>, charge: &Value) {
    let id = tx.id(Kind::EarlyFraudWarning);
    let warning = json!({
        "id": id, "object": "radar.early_fraud_warning", "actionable": true, "charge": charge["id"],
        "created": tx.now, "fraud_type": "misc", "livemode": tx.livemode(),
        "payment_intent": charge["payment_intent"],
    });
    tx.put(Kind::EarlyFraudWarning, warning.clone());
    tx.emit("radar.early_fraud_warning.created", &warning);
}

fn document(tx: &Tx<'_>, id: &str, attempt: &Attempt) -> Value {
    let (intent, method) = (&attempt.intent, &attempt.payment_method);
    let amount = intent.int("amount");
    json!({
        "id": id, "object": "charge", "amount": amount, "amount_captured": amount, "amount_refunded": 0,
        "application": null, "application_fee": null, "application_fee_amount": null,
        "balance_transaction": null, "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "NORTHWIND", "captured": true, "created": tx.now,
        "currency": intent["currency"], "customer": intent["customer"], "description": intent["description"],
        "disputed": false, "failure_balance_transaction": null, "failure_code": null, "failure_message": null,
        "fraud_details": {}, "livemode": tx.livemode(), "metadata": intent["metadata"], "on_behalf_of": null,
        "outcome": {
            "advice_code": null, "network_advice_code": null, "network_decline_code": null,
            "network_status": "approved_by_network", "reason": null, "risk_level": "normal",
            "risk_score": 20, "seller_message": "Payment complete.", "type": "authorized",
        },
        "paid": true, "payment_intent": intent["id"], "payment_method": method["id"],
        "payment_method_details": {"type": "card", "card": details(method, amount)},
        "radar_options": {}, "receipt_email": intent["receipt_email"], "receipt_number": null,
        "receipt_url": format!("https://pay.stripe.com/receipts/payment/{id}"), "refunded": false, "review": null,
        "shipping": null, "source": null, "source_transfer": null, "statement_descriptor": null,
        "statement_descriptor_suffix": null, "status": "succeeded", "transfer_data": null, "transfer_group": null,
    })
}

fn details(method: &Value, amount: i64) -> Value {
    let card = &method["card"];
    json!({
        "amount_authorized": amount, "authorization_code": "083412", "brand": card["brand"],
        "checks": card["checks"], "country": card["country"], "exp_month": card["exp_month"],
        "exp_year": card["exp_year"], "extended_authorization": {"status": "disabled"},
        "fingerprint": card["fingerprint"], "funding": card["funding"],
        "incremental_authorization": {"status": "unavailable"}, "installments": null, "last4": card["last4"],
        "mandate": null, "multicapture": {"status": "unavailable"}, "network": card["brand"],
        "network_token": {"used": false}, "network_transaction_id": null,
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": "unregulated", "three_d_secure": null, "wallet": null,
    })
}

impl Refusal {
    /// What the intent keeps as its last error, and the call answers.
    pub fn error(&self) -> ApiError {
        ApiError::declined(self.decline.code, self.decline.message)
            .with("decline_code", self.decline.decline_code)
            .with("advice_code", self.decline.advice_code)
            .with("network_decline_code", self.decline.network_decline_code)
            .with("charge", self.charge.text("id"))
    }
}
