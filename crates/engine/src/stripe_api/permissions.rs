//! Which permissions a key needs and which it has. Reading is asked by reading one object. Writing is asked by a call that
//! can never have an effect, whatever Stripe makes of it: a change of nothing to an object that cannot exist, or a portal
//! session for nobody. Stripe looks at the permission before it looks at the object or the parameters: 403 means that it
//! is missing, 400 and 404 that it is there.

use serde::Serialize;

use super::kinds;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Granted {
    Yes,
    No,
    /// The answer told neither.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// `charges`: the collection in Stripe's API.
    pub resource: &'static str,
    /// `read` or `write`.
    pub access: &'static str,
    pub granted: Granted,
    /// What stops working without it.
    pub needed_for: &'static str,
    /// The call that told.
    pub probed: String,
}

/// Whether an endpoint is to be registered, which takes a permission that nothing else needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    Nothing,
    Endpoints,
}

/// A permission to write, and the call that asks for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) resource: &'static str,
    pub(crate) needed_for: &'static str,
    /// Sent without a body. No id of Stripe's holds a word like these.
    pub(crate) probe: &'static str,
}

/// The account itself has no collection.
pub(crate) const ACCOUNT: &str = "account";

/// Resources that are read, with what for.
pub(crate) fn reads() -> impl Iterator<Item = (&'static str, &'static str)> {
    let account = (ACCOUNT, "knowing whose key this is");
    std::iter::once(account).chain(kinds::READ.iter().map(|kind| (kind.collection, kind.needed_for)))
}

/// Resources that are written.
pub(crate) const WRITES: &[Write] = &[
    Write {
        resource: "refunds",
        needed_for: "refunding a charge",
        probe: "/v1/refunds/re_bursar_asks_for_its_permission",
    },
    Write {
        resource: "invoices",
        needed_for: "paying an invoice",
        probe: "/v1/invoices/in_bursar_asks_for_its_permission",
    },
    // A session cannot be changed, only made; without a customer there is nobody to make it for.
    Write {
        resource: "billing_portal/sessions",
        needed_for: "links to the customer portal",
        probe: "/v1/billing_portal/sessions",
    },
];

/// Written by `bursar connect stripe` alone.
pub(crate) const ENDPOINTS: Write = Write {
    resource: "webhook_endpoints",
    needed_for: "registering an endpoint",
    probe: "/v1/webhook_endpoints/we_bursar_asks_for_its_permission",
};
