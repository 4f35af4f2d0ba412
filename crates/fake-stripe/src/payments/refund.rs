//! Refunds: what may be given back, how it settles, and how it can come back.

use bursar_stripe::{Currency, Money};
use serde_json::{Value, json};

use super::amount::{self, Use};
use super::balance::{self, Movement};
use super::cards::{self, Behaviour};
use super::dispute;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::world::{Kind, Tx};

/// How long a pending refund takes to settle, and a failing one to fail, in seconds.
const SETTLES_S: i64 = 3600;

/// What is to be refunded; nothing means all that is left.
#[derive(Debug, Default)]
pub struct Wish {
    pub amount: Option<i64>,
    pub reason: Option<String>,
    pub metadata: Value,
}

/// Refunds a charge, or says why it cannot be.
pub fn make(tx: &mut Tx<'_>, charge: &Value, wish: &Wish) -> ApiResult {
    let amount = allowed_amount(tx, charge, wish.amount)?;
    let method = tx.get(Kind::PaymentMethod, charge.text("payment_method")).cloned().unwrap_or_default();
    let behaviour = cards::issuer(tx, &method);
    let id = tx.id(Kind::Refund);
    let movement = movement(&id, charge, -amount, "refund", tx.now);
    let movement = balance::record(tx, &movement);
    let pending = behaviour == Behaviour::RefundPends;
    let refund = json!({
        "id": id, "object": "refund", "amount": amount, "balance_transaction": movement, "charge": charge["id"],
        "created": tx.now, "currency": charge["currency"], "customer": charge["customer"],
        "customer_account": null, "description": null,
        "destination_details": {"type": "card", "card": {"type": "refund", "reference_status": "pending",
            "reference_type": "acquirer_reference_number"}},
        "metadata": if wish.metadata.is_object() { wish.metadata.clone() } else { json!({}) },
        "payment_intent": charge["payment_intent"], "payment_method": charge["payment_method"],
        "pending_reason": if pending { json!("processing") } else { Value::Null },
        "reason": wish.reason, "receipt_number": null, "source_transfer_reversal": null,
        "status": if pending { "pending" } else { "succeeded" }, "transfer_reversal": null,
    });
    tx.put(Kind::Refund, refund.clone());
    let charge = tx.change_and_tell(Kind::Charge, charge.text("id"), "charge.refunded", |charge| {
        let refunded = charge.int("amount_refunded") + amount;
        charge["amount_refunded"] = refunded.into();
        charge["refunded"] = (refunded == charge.int("amount_captured")).into();
    });
    tx.emit("refund.created", &refund);
    if !pending {
        tx.emit_update("refund.updated", &without_reference(&refund), &refund);
        tx.emit_update("charge.refund.updated", &without_reference(&refund), &refund);
    }
    tx.effect("refund.create", &refund);
    close_inquiries(tx, &charge);
    match behaviour {
        Behaviour::RefundPends => tx.plan(tx.now + SETTLES_S, "refund.settle", &id, None),
        Behaviour::RefundFails => tx.plan(tx.now + SETTLES_S, "refund.fail", &id, None),
        _ => {}
    }
    Ok(refund)
}

fn without_reference(refund: &Value) -> Value {
    let mut before = refund.clone();
    before["destination_details"]["card"]["reference_status"] = Value::Null;
    before
}

fn movement<'a>(
    source: &'a str,
    charge: &'a Value,
    amount: i64,
    kind: &'static str,
    now: i64,
) -> Movement<'a> {
    Movement {
        kind,
        category: kind,
        source,
        amount,
        fee: 0,
        currency: charge.text("currency"),
        description: None,
        available_on: now,
    }
}

fn allowed_amount(tx: &Tx<'_>, charge: &Value, wanted: Option<i64>) -> ApiResult<i64> {
    let id = charge.text("id");
    if charge.text("status") != "succeeded" || !charge.flag("captured") {
        let message = format!("Charge {id} is not in a state that can be refunded.");
        return Err(ApiError::refused_by_state(message).code("charge_not_refundable").param("charge"));
    }
    let left = charge.int("amount_captured") - charge.int("amount_refunded");
    if left == 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(ApiError::refused_by_state(message).code("charge_already_refunded"));
    }
    dispute::forbid_refund(tx, id)?;
    let amount = wanted.unwrap_or(left);
    amount::legal(amount, charge.text("currency"), Use::Charge, "amount")?;
    if amount > left {
        let currency = charge.text("currency");
        let message = format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            shown(amount, currency),
            shown(left, currency)
        );
        return Err(ApiError::refused_by_state(message).param("amount"));
    }
    Ok(amount)
}

/// An amount as messages show it.
pub fn shown(amount: i64, currency: &str) -> String {
    match Currency::parse(currency) {
        Ok(known) => Money::new(amount, known).to_string(),
        Err(_) => format!("{amount} {currency}"),
    }
}

/// A full refund answers an inquiry.
fn close_inquiries(tx: &mut Tx<'_>, charge: &Value) {
    if !charge.flag("refunded") {
        return;
    }
    let open: Vec<String> = tx
        .owned_by(Kind::Dispute, charge.text("id"))
        .filter(|dispute| dispute.text("status").starts_with("warning_needs"))
        .map(|dispute| dispute.text("id").to_owned())
        .collect();
    for id in open {
        dispute::close(tx, &id, true);
    }
}

/// A pending refund has arrived.
pub fn settle(tx: &mut Tx<'_>, id: &str) {
    if tx.get(Kind::Refund, id).is_none_or(|refund| refund.text("status") != "pending") {
        return;
    }
    let refund = tx.change_and_tell(Kind::Refund, id, "refund.updated", |refund| {
        refund["status"] = "succeeded".into();
        refund["pending_reason"] = Value::Null;
    });
    tx.emit("charge.refund.updated", &refund);
}

/// The bank has sent a refund back: the money is the account's again.
pub fn fail(tx: &mut Tx<'_>, id: &str, why: &str) {
    let Some(refund) = tx.get(Kind::Refund, id).cloned() else { return };
    if !matches!(refund.text("status"), "succeeded" | "pending") {
        return;
    }
    let charge = refund.text("charge").to_owned();
    let amount = refund.int("amount");
    let returned = movement(id, &refund, amount, "refund_failure", tx.now);
    let returned = balance::record(tx, &returned);
    let (before, after) = tx
        .change(Kind::Refund, id, |refund| {
            refund["status"] = "failed".into();
            refund["failure_reason"] = why.into();
            refund["pending_reason"] = Value::Null;
            refund["failure_balance_transaction"] = returned.into();
        })
        .unwrap_or_default();
    tx.change_and_tell(Kind::Charge, &charge, "charge.updated", |charge| {
        charge["amount_refunded"] = (charge.int("amount_refunded") - amount).into();
        charge["refunded"] = false.into();
    });
    tx.emit_update("refund.updated", &before, &after);
    tx.emit("refund.failed", &after);
    tx.emit_update("charge.refund.updated", &before, &after);
    tx.effect("refund.fail", &after);
}
