//! A refund: money on its way back, which may wait, fail later, or never leave.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ObjectError;
use super::expandable::expands;
use super::fields::Fields;
use super::open_enum::open_enum;
use crate::currency::Currency;
use crate::id::{BalanceTransactionId, ChargeId, PaymentIntentId, RefundId};
use crate::money::Money;

open_enum! {
    RefundStatus {
        Pending = "pending",
        RequiresAction = "requires_action",
        Succeeded = "succeeded",
        Failed = "failed",
        Canceled = "canceled",
    }
}

open_enum! {
    RefundReason {
        Duplicate = "duplicate",
        /// Also puts the card and the e-mail address on the block list.
        Fraudulent = "fraudulent",
        RequestedByCustomer = "requested_by_customer",
        /// Set by Stripe only.
        ExpiredUncapturedCharge = "expired_uncaptured_charge",
    }
}

open_enum! {
    RefundPendingReason {
        ChargePending = "charge_pending",
        InsufficientFunds = "insufficient_funds",
        Processing = "processing",
    }
}

open_enum! {
    RefundFailureReason {
        ChargeForPendingRefundDisputed = "charge_for_pending_refund_disputed",
        Declined = "declined",
        ExpiredOrCanceledCard = "expired_or_canceled_card",
        InsufficientFunds = "insufficient_funds",
        LostOrStolenCard = "lost_or_stolen_card",
        MerchantRequest = "merchant_request",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub id: RefundId,
    /// Absent only on very old refunds, which had no states.
    pub status: Option<RefundStatus>,
    pub currency: Currency,
    pub amount: Money,
    pub reason: Option<RefundReason>,
    pub pending_reason: Option<RefundPendingReason>,
    pub failure_reason: Option<RefundFailureReason>,
    pub charge: Option<ChargeId>,
    pub payment_intent: Option<PaymentIntentId>,
    pub balance_transaction: Option<BalanceTransactionId>,
    /// Brings the money back to us after a failure, up to 30 days on.
    pub failure_balance_transaction: Option<BalanceTransactionId>,
    pub created_s: i64,
    pub metadata: BTreeMap<String, String>,
}

expands!(Refund, RefundId);

impl Refund {
    pub fn from_value(value: &Value) -> Result<Refund, ObjectError> {
        let fields = Fields::of(value, "refund")?;
        let currency = fields.currency()?;
        Ok(Refund {
            id: fields.id("id")?,
            status: fields.optional_choice("status")?,
            currency,
            amount: fields.money("amount", currency)?,
            reason: fields.optional_choice("reason")?,
            pending_reason: fields.optional_choice("pending_reason")?,
            failure_reason: fields.optional_choice("failure_reason")?,
            charge: fields.optional_id("charge")?,
            payment_intent: fields.optional_id("payment_intent")?,
            balance_transaction: fields.optional_id("balance_transaction")?,
            failure_balance_transaction: fields.optional_id("failure_balance_transaction")?,
            created_s: fields.integer("created")?,
            metadata: fields.metadata()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refund_that_waits_says_for_what() {
        let value = json!({
            "id": "re_A", "object": "refund", "amount": 5_120, "currency": "kwd", "status": "pending",
            "pending_reason": "insufficient_funds", "reason": "requested_by_customer", "charge": "ch_A",
            "payment_intent": "pi_A", "created": 1_790_000_000, "metadata": {"bursar_action": "act_1"},
        });
        let refund = Refund::from_value(&value).expect("reads");
        assert_eq!(refund.amount.to_string(), "5.120 KWD");
        assert_eq!(refund.pending_reason, Some(RefundPendingReason::InsufficientFunds));
        assert_eq!(refund.metadata["bursar_action"], "act_1");
    }

    #[test]
    fn a_late_failure_names_its_reason() {
        let value = json!({
            "id": "pyr_A", "object": "refund", "amount": 900, "currency": "eur", "status": "failed",
            "failure_reason": "unknown", "failure_balance_transaction": "txn_B", "charge": "py_A", "created": 1,
        });
        let refund = Refund::from_value(&value).expect("reads");
        assert_eq!(refund.failure_reason, Some(RefundFailureReason::Unknown("unknown".into())));
        assert!(refund.failure_balance_transaction.is_some());
    }
}
