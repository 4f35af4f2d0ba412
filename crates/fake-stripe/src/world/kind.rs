//! The kinds of documents that are kept: Stripe's objects by their `object` name, and our own records.
//!
//! Adding a resource starts with a line here: the name on the wire, the id prefix, and the field by
//! which its documents are found besides their id.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $prefix:literal $owner:expr;)*) => {
        /// A kind of document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind, in the order of this page.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The `object` name on the wire; our own records start with `sim.`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What ids of this kind start with, before the underscore.
            pub const fn prefix(self) -> &'static str {
                match self { $(Self::$kind => $prefix,)* }
            }

            /// The field that names the document this one belongs to, by which it can be found quickly.
            pub const fn owner_field(self) -> Option<&'static str> {
                match self { $(Self::$kind => $owner,)* }
            }
        }
    };
}

kinds! {
    Account "account" "acct" None;
    BalanceTransaction "balance_transaction" "txn" Some("source");
    Charge "charge" "ch" Some("customer");
    CreditNote "credit_note" "cn" Some("invoice");
    Customer "customer" "cus" None;
    CustomerBalanceTransaction "customer_balance_transaction" "cbtxn" Some("customer");
    Dispute "dispute" "du" Some("charge");
    EarlyFraudWarning "radar.early_fraud_warning" "issfr" Some("charge");
    Event "event" "evt" None;
    EventDestination "v2.core.event_destination" "ed" None;
    Invoice "invoice" "in" Some("customer");
    InvoiceItem "invoiceitem" "ii" Some("customer");
    InvoicePayment "invoice_payment" "inpay" Some("invoice");
    PaymentIntent "payment_intent" "pi" Some("customer");
    PaymentMethod "payment_method" "pm" Some("customer");
    Payout "payout" "po" None;
    PortalSession "billing_portal.session" "bps" Some("customer");
    Price "price" "price" Some("product");
    Product "product" "prod" None;
    Refund "refund" "re" Some("charge");
    Subscription "subscription" "sub" Some("customer");
    SubscriptionItem "subscription_item" "si" Some("subscription");
    TestClock "test_helpers.test_clock" "clock" None;
    WebhookEndpoint "webhook_endpoint" "we" None;
    /// A key that may call the API, with what it may do.
    ApiKey "sim.api_key" "key" None;
    /// How the issuer of a card behaves, by the card's fingerprint.
    IssuerCard "sim.issuer_card" "card" None;
    /// One webhook still to be delivered.
    Delivery "sim.delivery" "dlv" Some("event");
    /// What Stripe keeps of an endpoint without showing it: secret, scope, payload.
    EndpointSecret "sim.endpoint_secret" "whsec" None;
    /// The stored answer of a call made with an idempotency key.
    IdempotencyKey "sim.idempotency_key" "idk" None;
    /// One effect that really happened.
    LedgerEntry "sim.ledger_entry" "eff" None;
    /// Work that becomes due at a business time.
    Work "sim.work" "work" Some("target");
}

impl Kind {
    /// The kind with this `object` name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind of Stripe object that this id names.
    pub fn of_id(id: &str) -> Option<Self> {
        let (prefix, _) = id.rsplit_once('_').filter(|(_, rest)| !rest.is_empty())?;
        let prefix = match prefix {
            "py" => "ch",
            "pyr" => "re",
            "dp" => "du",
            other => other,
        };
        Self::ALL.iter().copied().find(|kind| !kind.is_own() && kind.prefix() == prefix)
    }

    /// Whether this is a record of ours, which no Stripe call ever shows.
    pub fn is_own(self) -> bool {
        self.name().starts_with("sim.")
    }
}
