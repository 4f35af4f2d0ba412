//! Which kinds of object can be read, and where.

/// The collection of a kind, as its `object` field calls it.
pub(super) fn collection(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "account" => "accounts",
        "balance_transaction" => "balance_transactions",
        "charge" => "charges",
        "credit_note" => "credit_notes",
        "customer" => "customers",
        "dispute" => "disputes",
        "event" => "events",
        "invoice" => "invoices",
        "invoice_payment" => "invoice_payments",
        "payment_intent" => "payment_intents",
        "payment_method" => "payment_methods",
        "price" => "prices",
        "product" => "products",
        "refund" => "refunds",
        "subscription" => "subscriptions",
        _ => return None,
    })
}
