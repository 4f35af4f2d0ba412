//! Disputes: how they open, take the money, are answered, and close.

use serde_json::{Value, json};

use super::balance::{self, Movement};
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::world::{Kind, Tx};

/// What the bank says.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    pub reason: &'static str,
    /// Only a question yet: no money moves.
    pub inquiry: bool,
    pub amount: i64,
}

/// How long there is to answer, in seconds.
const ANSWER_S: i64 = 9 * 86_400;
/// How long the bank then takes.
const DECIDE_S: i64 = 65 * 86_400;
const FEE: i64 = 1500;

/// Texts of `evidence` that can be given.
pub const EVIDENCE: [&str; 27] = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

/// Opens a dispute on a charge and gives it.
pub fn open(tx: &mut Tx<'_>, charge: &str, opening: &Opening) -> Value {
    let Some(charge) = tx.get(Kind::Charge, charge).cloned() else { return Value::Null };
    let id = tx.id(Kind::Dispute);
    let evidence: serde_json::Map<String, Value> = EVIDENCE
        .iter()
        .map(|field| ((*field).to_owned(), Value::Null))
        .chain([("enhanced_evidence".to_owned(), json!({}))])
        .collect();
    let case_type = if opening.inquiry { "inquiry" } else { "chargeback" };
    let dispute = json!({
        "id": id, "object": "dispute", "amount": opening.amount, "balance_transactions": [],
        "charge": charge["id"], "created": tx.now, "currency": charge["currency"],
        "enhanced_eligibility_types": [], "evidence": evidence,
        "evidence_details": {
            "due_by": tx.now + ANSWER_S, "enhanced_eligibility": {}, "has_evidence": false, "past_due": false,
            "submission_count": 0, "submission_method": "not_submitted",
        },
        "intended_submission_method": "prefer_manual", "is_charge_refundable": opening.inquiry,
        "livemode": tx.livemode(), "metadata": {}, "payment_intent": charge["payment_intent"],
        "payment_method_details": {"type": "card", "card": {
            "brand": charge["payment_method_details"]["card"]["brand"], "case_type": case_type,
            "network": charge["payment_method_details"]["card"]["network"],
            "network_reason_code": network_reason(opening.reason),
        }},
        "reason": opening.reason,
        "status": if opening.inquiry { "warning_needs_response" } else { "needs_response" },
    });
    tx.put(Kind::Dispute, dispute.clone());
    tx.emit("charge.dispute.created", &dispute);
    tx.effect("dispute.create", &dispute);
    let charge_id = charge.text("id").to_owned();
    tx.change_and_tell(Kind::Charge, &charge_id, "charge.updated", |charge| charge["disputed"] = true.into());
    if !opening.inquiry {
        move_money(tx, &id, "dispute", "charge.dispute.funds_withdrawn");
    }
    tx.plan(tx.now + ANSWER_S, "dispute.due", &id, None);
    tx.get(Kind::Dispute, &id).cloned().unwrap_or(dispute)
}

fn network_reason(reason: &str) -> &'static str {
    match reason {
        "fraudulent" | "unrecognized" => "10.4",
        "product_not_received" => "13.1",
        "subscription_canceled" => "13.2",
        "product_unacceptable" => "13.3",
        "credit_not_processed" => "13.6",
        "duplicate" => "12.6.1",
        _ => "12.5",
    }
}

/// Takes the disputed money away, or gives it back on `dispute_reversal`.
fn move_money(tx: &mut Tx<'_>, id: &str, category: &'static str, event: &str) {
    let Some(dispute) = tx.get(Kind::Dispute, id).cloned() else { return };
    let taken = category == "dispute";
    let sign = if taken { -1 } else { 1 };
    let movement = Movement {
        kind: "adjustment",
        category,
        source: id,
        amount: sign * dispute.int("amount"),
        fee: if taken { FEE } else { 0 },
        currency: dispute.text("currency"),
        description: Some(if taken { "Chargeback withdrawal" } else { "Chargeback reversal" }),
        available_on: tx.now,
    };
    let movement = balance::record(tx, &movement);
    let movement = tx.get(Kind::BalanceTransaction, &movement).cloned().unwrap_or_default();
    let changed = tx.change(Kind::Dispute, id, |dispute| {
        if let Some(movements) = dispute["balance_transactions"].as_array_mut() {
            movements.push(movement);
        }
    });
    if let Some((_, dispute)) = changed {
        tx.emit(event, &dispute);
    }
}

/// Sends the evidence to the bank; telling texts decide at once, as in Stripe's sandbox.
pub fn submit(tx: &mut Tx<'_>, id: &str) {
    let inquiry =
        tx.get(Kind::Dispute, id).is_some_and(|dispute| dispute.text("status").starts_with("warning"));
    let (_, dispute) = tx
        .change(Kind::Dispute, id, |dispute| {
            dispute["status"] = if inquiry { "warning_under_review" } else { "under_review" }.into();
            dispute["evidence_details"]["submission_count"] =
                (dispute.int("evidence_details.submission_count") + 1).into();
            dispute["evidence_details"]["submission_method"] = "manual".into();
        })
        .unwrap_or_default();
    tx.effect("dispute.submit", &dispute);
    tx.unplan("dispute.due", id);
    let now = tx.now;
    match dispute.text("evidence.uncategorized_text") {
        "winning_evidence" => tx.plan(now, "dispute.won", id, None),
        "losing_evidence" => tx.plan(now, "dispute.lost", id, None),
        "escalate_inquiry_evidence" if inquiry => tx.plan(now, "dispute.escalate", id, None),
        _ => tx.plan(now + DECIDE_S, if inquiry { "dispute.won" } else { "dispute.lost" }, id, None),
    }
}

/// The bank has decided, or nobody answered in time.
pub fn close(tx: &mut Tx<'_>, id: &str, won: bool) {
    let Some(dispute) = tx.get(Kind::Dispute, id).cloned() else { return };
    let inquiry = dispute.text("status").starts_with("warning");
    if matches!(dispute.text("status"), "won" | "lost" | "warning_closed") {
        return;
    }
    tx.unplan("dispute.due", id);
    let status = match (inquiry, won) {
        (true, _) => "warning_closed",
        (false, true) => "won",
        (false, false) => "lost",
    };
    if won && !inquiry {
        move_money(tx, id, "dispute_reversal", "charge.dispute.funds_reinstated");
    }
    tx.change_and_tell(Kind::Dispute, id, "charge.dispute.closed", |dispute| {
        dispute["status"] = status.into();
        if status == "lost" {
            dispute["is_charge_refundable"] = false.into();
        }
    });
}

/// An inquiry becomes a chargeback.
pub fn escalate(tx: &mut Tx<'_>, id: &str) {
    let due_by = tx.now + ANSWER_S;
    tx.change_and_tell(Kind::Dispute, id, "charge.dispute.updated", |dispute| {
        dispute["status"] = "needs_response".into();
        dispute["is_charge_refundable"] = false.into();
        dispute["payment_method_details"]["card"]["case_type"] = "chargeback".into();
        dispute["evidence_details"]["due_by"] = due_by.into();
    });
    move_money(tx, id, "dispute", "charge.dispute.funds_withdrawn");
    tx.plan(due_by, "dispute.due", id, None);
}

/// Whether a dispute on this charge forbids a refund.
pub fn forbid_refund(tx: &Tx<'_>, charge: &str) -> ApiResult<()> {
    let blocking = tx.owned_by(Kind::Dispute, charge).any(|dispute| {
        !dispute.flag("is_charge_refundable") && !matches!(dispute.text("status"), "won" | "warning_closed")
    });
    if blocking {
        let message = format!("Charge {charge} has been charged back; cannot issue a refund.");
        return Err(ApiError::refused_by_state(message).code("charge_disputed").param("charge"));
    }
    Ok(())
}
