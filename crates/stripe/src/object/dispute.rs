//! A dispute: the bank took the money back, or asks about it, and there is a day by which to answer.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expandable::expands;
use super::fields::Fields;
use super::open_enum::open_enum;
use super::{Charge, Expandable, ObjectError};
use crate::currency::Currency;
use crate::id::{DisputeId, PaymentIntentId};
use crate::money::Money;

open_enum! {
    DisputeStatus {
        WarningNeedsResponse = "warning_needs_response",
        WarningUnderReview = "warning_under_review",
        WarningClosed = "warning_closed",
        NeedsResponse = "needs_response",
        UnderReview = "under_review",
        Won = "won",
        Lost = "lost",
        Prevented = "prevented",
        AppealNeedsResponse = "appeal_needs_response",
        AppealUnderReview = "appeal_under_review",
    }
}

open_enum! {
    DisputeReason {
        BankCannotProcess = "bank_cannot_process",
        CheckReturned = "check_returned",
        CreditNotProcessed = "credit_not_processed",
        CustomerInitiated = "customer_initiated",
        DebitNotAuthorized = "debit_not_authorized",
        Duplicate = "duplicate",
        Fraudulent = "fraudulent",
        General = "general",
        IncorrectAccountDetails = "incorrect_account_details",
        InsufficientFunds = "insufficient_funds",
        Noncompliant = "noncompliant",
        ProductNotReceived = "product_not_received",
        ProductUnacceptable = "product_unacceptable",
        SubscriptionCanceled = "subscription_canceled",
        Unrecognized = "unrecognized",
    }
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are Stripe's, each by its own name")]
pub struct Dispute {
    pub id: DisputeId,
    pub status: DisputeStatus,
    pub reason: DisputeReason,
    pub currency: Currency,
    /// Can be above the charge's: banks bundle.
    pub amount: Money,
    pub charge: Expandable<Charge>,
    pub payment_intent: Option<PaymentIntentId>,
    /// Absent when the bank allows no response.
    pub due_by_s: Option<i64>,
    pub past_due: bool,
    pub has_evidence: bool,
    /// Usually one submission is all there is.
    pub submission_count: i64,
    pub is_charge_refundable: bool,
    /// The network's own: `10.4`.
    pub network_reason_code: Option<String>,
    pub created_s: i64,
    pub livemode: bool,
    pub metadata: BTreeMap<String, String>,
}

expands!(Dispute, DisputeId);

impl Dispute {
    pub fn from_value(value: &Value) -> Result<Dispute, ObjectError> {
        let fields = Fields::of(value, "dispute")?;
        let currency = fields.currency()?;
        let network_reason_code = fields.optional_text("payment_method_details.card.network_reason_code")?;
        Ok(Dispute {
            id: fields.id("id")?,
            status: fields.choice("status")?,
            reason: fields.choice("reason")?,
            currency,
            amount: fields.money("amount", currency)?,
            charge: fields.required("charge", fields.expandable("charge")?)?,
            payment_intent: fields.optional_id("payment_intent")?,
            due_by_s: fields.optional_integer("evidence_details.due_by")?.filter(|due_by_s| *due_by_s != 0),
            past_due: fields.flag("evidence_details.past_due")?,
            has_evidence: fields.flag("evidence_details.has_evidence")?,
            submission_count: fields.optional_integer("evidence_details.submission_count")?.unwrap_or(0),
            is_charge_refundable: fields.flag("is_charge_refundable")?,
            network_reason_code: match network_reason_code {
                Some(code) => Some(code),
                None => fields.optional_text("network_reason_code")?,
            },
            created_s: fields.integer("created")?,
            livemode: fields.flag("livemode")?,
            metadata: fields.metadata()?,
        })
    }

    /// The bank asks and has not taken the money yet.
    pub fn is_inquiry(&self) -> bool {
        matches!(
            self.status,
            DisputeStatus::WarningNeedsResponse
                | DisputeStatus::WarningUnderReview
                | DisputeStatus::WarningClosed
        )
    }

    /// It is our turn.
    pub fn needs_response(&self) -> bool {
        matches!(
            self.status,
            DisputeStatus::WarningNeedsResponse
                | DisputeStatus::NeedsResponse
                | DisputeStatus::AppealNeedsResponse
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dispute(status: &str, due_by: Option<i64>) -> Value {
        json!({
            "id": "dp_A", "object": "dispute", "amount": 64_000, "currency": "usd", "charge": "ch_A",
            "status": status, "reason": "fraudulent", "is_charge_refundable": false, "created": 1_790_000_000,
            "livemode": true, "metadata": {}, "payment_intent": "pi_A",
            "evidence_details": {"due_by": due_by, "past_due": false, "has_evidence": false,
                "submission_count": 0},
            "payment_method_details": {"type": "card", "card": {"network_reason_code": "10.4"}},
        })
    }

    #[test]
    fn no_response_allowed_is_no_due_date() {
        for (due_by, expected) in [(Some(0), None), (None, None), (Some(1_790_604_800), Some(1_790_604_800))]
        {
            let read = Dispute::from_value(&dispute("needs_response", due_by)).expect("reads");
            assert_eq!(read.due_by_s, expected);
            assert_eq!(read.network_reason_code.as_deref(), Some("10.4"));
        }
    }

    #[test]
    fn statuses_say_whose_turn_it_is() {
        let table = [
            ("warning_needs_response", true, true),
            ("warning_under_review", true, false),
            ("warning_closed", true, false),
            ("needs_response", false, true),
            ("under_review", false, false),
            ("won", false, false),
            ("lost", false, false),
            ("prevented", false, false),
            ("appeal_needs_response", false, true),
            ("appeal_under_review", false, false),
            ("something_new", false, false),
        ];
        for (status, inquiry, ours) in table {
            let read = Dispute::from_value(&dispute(status, Some(1))).expect("reads");
            assert_eq!((read.is_inquiry(), read.needs_response()), (inquiry, ours), "{status}");
            assert_eq!(matches!(read.status, DisputeStatus::Unknown(_)), status == "something_new");
        }
    }
}
