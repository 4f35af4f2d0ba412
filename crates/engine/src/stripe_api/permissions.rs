//! Which permissions a key needs and which it has, found by harmless reads. Write permission cannot be probed without
//! writing: it is taken as granted until Stripe says otherwise.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Granted {
    Yes,
    No,
    /// Only a write would tell.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// `charges`, as the Dashboard's key page lists it.
    pub resource: &'static str,
    /// `read` or `write`.
    pub access: &'static str,
    pub granted: Granted,
    /// What stops working without it.
    pub needed_for: &'static str,
}

/// Resources that are read, with what for.
pub(crate) const READS: &[(&str, &str)] = &[
    ("charges", "refunds and the reasons of failed payments"),
    ("customers", "names, addresses for letters, languages"),
    ("disputes", "not refunding what is disputed"),
    ("events", "polling"),
    ("invoices", "failed payments"),
    ("invoice_payments", "which payment belongs to which invoice"),
    ("payment_intents", "the reasons of failed payments"),
    ("refunds", "looking up whether a refund happened"),
    ("subscriptions", "cancellations that are pending"),
];

/// Resources that are written.
pub(crate) const WRITES: &[(&str, &str)] = &[
    ("refunds", "refunding a charge"),
    ("invoices", "paying an invoice"),
    ("billing_portal/sessions", "links to the customer portal"),
];
