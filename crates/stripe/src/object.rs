//! Stripe's objects as tolerant views over JSON, one file each.
//!
//! Promises: shapes from before basil (2025-03-31) and present ones read alike; values Stripe may add are
//! kept as text; money is exact or the object is refused; links come as id or as the whole object. A view
//! holds what decisions need and no more; whoever needs another field reads the JSON.

mod balance_transaction;
mod card;
mod charge;
mod customer;
mod dispute;
mod expandable;
mod fields;
mod invoice;
mod invoice_payment;
mod open_enum;
mod outcome;
mod payment_intent;
mod payment_method;
mod portal_session;
mod refund;
mod subscription;

use serde_json::Value;

pub use balance_transaction::{BalanceTransaction, BalanceTransactionStatus, FeeDetail};
pub use card::{Card, CardFunding};
pub use charge::{Charge, ChargeStatus};
pub use customer::Customer;
pub use dispute::{Dispute, DisputeReason, DisputeStatus};
pub use expandable::{Expand, Expandable};
pub use invoice::{BillingReason, CollectionMethod, Invoice, InvoiceStatus};
pub use invoice_payment::{InvoicePayment, InvoicePaymentStatus};
pub use outcome::{AdviceCode, Outcome, OutcomeType, RiskLevel};
pub use payment_intent::{PaymentError, PaymentIntent, PaymentIntentStatus};
pub use payment_method::PaymentMethod;
pub use portal_session::PortalSession;
pub use refund::{Refund, RefundFailureReason, RefundPendingReason, RefundReason, RefundStatus};
pub use subscription::{Subscription, SubscriptionItem, SubscriptionStatus};

/// Why JSON is not the object wanted. Names fields, never their contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    #[error("not an object of kind {kind}")]
    OtherKind { kind: &'static str },
    #[error("the {kind} was deleted")]
    Deleted { kind: &'static str },
    #[error("{kind}.{field} is missing")]
    Missing { kind: &'static str, field: &'static str },
    #[error("{kind}.{field} is not what Stripe sends")]
    Invalid { kind: &'static str, field: &'static str },
}

/// Whether this is what Stripe leaves of a deleted object: `{id, object, deleted: true}`.
pub fn is_deleted(object: &Value) -> bool {
    object.get("deleted").and_then(Value::as_bool) == Some(true)
}
