//! An invoice, in the shapes before basil (one payment, links at the top) and since (payments, a parent).

use std::collections::BTreeMap;

use serde_json::Value;

use super::expandable::expands;
use super::fields::Fields;
use super::open_enum::open_enum;
use super::{Charge, Expandable, InvoicePayment, InvoicePaymentStatus, ObjectError, PaymentIntent};
use crate::currency::Currency;
use crate::id::{CustomerId, InvoiceId, PaymentMethodId, SubscriptionId};
use crate::money::Money;

open_enum! {
    InvoiceStatus {
        Draft = "draft",
        Open = "open",
        Paid = "paid",
        Uncollectible = "uncollectible",
        Void = "void",
    }
}

open_enum! {
    CollectionMethod { ChargeAutomatically = "charge_automatically", SendInvoice = "send_invoice" }
}

open_enum! {
    BillingReason {
        AutomaticPendingInvoiceItemInvoice = "automatic_pending_invoice_item_invoice",
        Manual = "manual",
        QuoteAccept = "quote_accept",
        Subscription = "subscription",
        SubscriptionCreate = "subscription_create",
        SubscriptionCycle = "subscription_cycle",
        SubscriptionThreshold = "subscription_threshold",
        SubscriptionUpdate = "subscription_update",
        Upcoming = "upcoming",
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Invoice {
    pub id: InvoiceId,
    /// What the customer sees; absent on drafts.
    pub number: Option<String>,
    pub status: InvoiceStatus,
    pub currency: Currency,
    pub amount_due: Money,
    pub amount_paid: Money,
    pub amount_remaining: Money,
    /// Below zero when the invoice is a credit.
    pub total: Option<Money>,
    /// Counts the first attempt and Stripe's own retries, not ours: no measure of network attempts.
    pub attempt_count: i64,
    pub attempted: bool,
    pub auto_advance: bool,
    pub collection_method: CollectionMethod,
    pub billing_reason: Option<BillingReason>,
    /// Absent does not mean that Stripe gave up: it can arrive later, in `invoice.updated`.
    pub next_payment_attempt_s: Option<i64>,
    pub due_date_s: Option<i64>,
    pub customer: Option<CustomerId>,
    pub customer_email: Option<String>,
    pub customer_name: Option<String>,
    pub subscription: Option<SubscriptionId>,
    pub default_payment_method: Option<PaymentMethodId>,
    pub default_source: Option<PaymentMethodId>,
    /// Empty before basil, and where Stripe was not asked to expand them.
    pub payments: Vec<InvoicePayment>,
    /// Of the default payment, in either shape.
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    pub charge: Option<Expandable<Charge>>,
    /// The page where the customer can pay.
    pub hosted_invoice_url: Option<String>,
    pub created_s: i64,
    pub livemode: bool,
    pub metadata: BTreeMap<String, String>,
}

expands!(Invoice, InvoiceId);

impl Invoice {
    pub fn from_value(value: &Value) -> Result<Invoice, ObjectError> {
        let fields = Fields::of(value, "invoice")?;
        let currency = fields.currency()?;
        let payments = fields.list("payments")?.iter().map(InvoicePayment::from_value);
        let payments: Vec<InvoicePayment> = payments.collect::<Result<_, _>>()?;
        Ok(Invoice {
            id: fields.id("id")?,
            number: fields.optional_text("number")?,
            status: fields.choice("status")?,
            currency,
            amount_due: fields.money("amount_due", currency)?,
            amount_paid: fields.money("amount_paid", currency)?,
            amount_remaining: fields.money("amount_remaining", currency)?,
            total: fields.optional_money("total", currency)?,
            attempt_count: fields.optional_integer("attempt_count")?.unwrap_or(0),
            attempted: fields.flag("attempted")?,
            auto_advance: fields.flag("auto_advance")?,
            collection_method: fields.choice("collection_method")?,
            billing_reason: fields.optional_choice("billing_reason")?,
            next_payment_attempt_s: fields.optional_integer("next_payment_attempt")?,
            due_date_s: fields.optional_integer("due_date")?,
            customer: fields.optional_id("customer")?,
            customer_email: fields.optional_text("customer_email")?,
            customer_name: fields.optional_text("customer_name")?,
            subscription: subscription(&fields)?,
            default_payment_method: fields.optional_id("default_payment_method")?,
            default_source: fields.optional_id("default_source")?,
            payment_intent: payment_intent(&fields, &payments)?,
            charge: charge(&fields, &payments)?,
            payments,
            hosted_invoice_url: fields.optional_text("hosted_invoice_url")?,
            created_s: fields.integer("created")?,
            livemode: fields.flag("livemode")?,
            metadata: fields.metadata()?,
        })
    }

    /// Nothing more can be collected: paid or void.
    pub fn is_settled(&self) -> bool {
        matches!(self.status, InvoiceStatus::Paid | InvoiceStatus::Void)
    }
}

fn subscription(fields: &Fields<'_>) -> Result<Option<SubscriptionId>, ObjectError> {
    match fields.optional_id("parent.subscription_details.subscription")? {
        Some(id) => Ok(Some(id)),
        None => fields.optional_id("subscription"),
    }
}

fn payment_intent(
    fields: &Fields<'_>,
    payments: &[InvoicePayment],
) -> Result<Option<Expandable<PaymentIntent>>, ObjectError> {
    match fields.expandable("payment_intent")? {
        Some(intent) => Ok(Some(intent)),
        None => Ok(in_order(payments).find_map(|payment| payment.payment_intent.clone())),
    }
}

fn charge(
    fields: &Fields<'_>,
    payments: &[InvoicePayment],
) -> Result<Option<Expandable<Charge>>, ObjectError> {
    match fields.expandable("charge")? {
        Some(charge) => Ok(Some(charge)),
        None => Ok(in_order(payments).find_map(|payment| payment.charge.clone())),
    }
}

/// The default payment first, then the others that were not cancelled.
fn in_order(payments: &[InvoicePayment]) -> impl Iterator<Item = &InvoicePayment> {
    let default = payments.iter().filter(|payment| payment.is_default);
    let others = payments.iter().filter(|payment| !payment.is_default);
    default.chain(others.filter(|payment| payment.status != InvoicePaymentStatus::Canceled))
}

#[cfg(test)]
mod tests;
