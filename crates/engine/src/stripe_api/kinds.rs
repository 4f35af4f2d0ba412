//! What can be read at Stripe, and what for. This one list is both what the client agrees to read and what a key is asked
//! to permit, so that a key made from it never meets a 403 on the way.

/// One kind of object that playbooks, facts, lookups and polling read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// As its `object` field calls it.
    pub(crate) name: &'static str,
    /// Its collection, which is also the permission's name here.
    pub(crate) collection: &'static str,
    /// What stops working without it.
    pub(crate) needed_for: &'static str,
}

const fn kind(name: &'static str, collection: &'static str, needed_for: &'static str) -> Kind {
    Kind { name, collection, needed_for }
}

/// Sorted by collection.
pub(crate) const READ: &[Kind] = &[
    kind("balance_transaction", "balance_transactions", "history: what each payment cost and brought"),
    kind("charge", "charges", "refunds and the reasons of failed payments"),
    kind("customer", "customers", "names, addresses for letters, languages"),
    kind("dispute", "disputes", "not refunding what is disputed"),
    kind("event", "events", "polling"),
    kind("invoice_payment", "invoice_payments", "which payment belongs to which invoice"),
    kind("invoice", "invoices", "failed payments"),
    kind("payment_intent", "payment_intents", "the reasons of failed payments"),
    kind("payment_method", "payment_methods", "whether the card on file can still be charged"),
    kind("refund", "refunds", "looking up whether a refund happened"),
    kind("subscription", "subscriptions", "cancellations that are pending"),
];

/// The collection of a kind; nothing for what Bursar does not read.
pub(crate) fn collection(kind: &str) -> Option<&'static str> {
    READ.iter().find(|known| known.name == kind).map(|known| known.collection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_stand_once_each_in_order() {
        assert!(READ.windows(2).all(|pair| pair[0].collection < pair[1].collection));
        assert_eq!(collection("payment_method"), Some("payment_methods"));
        assert_eq!(collection("payout"), None);
    }
}
