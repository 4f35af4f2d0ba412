//! A visit to the customer portal. Its address signs the holder in for a short while, so it never prints.

use std::fmt;

use serde_json::Value;

use super::ObjectError;
use super::fields::Fields;
use crate::id::{CustomerId, PortalSessionId};

#[derive(Clone, PartialEq, Eq)]
pub struct PortalSession {
    pub id: PortalSessionId,
    pub customer: Option<CustomerId>,
    /// Whoever has it is the customer: redirect to it, never put it in a mail or a log.
    pub url: String,
    pub return_url: Option<String>,
    pub created_s: i64,
    pub livemode: bool,
}

impl PortalSession {
    pub fn from_value(value: &Value) -> Result<PortalSession, ObjectError> {
        let fields = Fields::of(value, "billing_portal.session")?;
        Ok(PortalSession {
            id: fields.id("id")?,
            customer: fields.optional_id("customer")?,
            url: fields.text("url")?,
            return_url: fields.optional_text("return_url")?,
            created_s: fields.integer("created")?,
            livemode: fields.flag("livemode")?,
        })
    }
}

impl fmt::Debug for PortalSession {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PortalSession")
            .field("id", &self.id)
            .field("customer", &self.customer)
            .field("livemode", &self.livemode)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_address_does_not_print() {
        let value = json!({"id": "bps_A", "object": "billing_portal.session", "customer": "cus_A",
            "url": "https://billing.stripe.com/p/session/secret", "created": 1, "livemode": false});
        let session = PortalSession::from_value(&value).expect("reads");
        assert!(session.url.ends_with("secret"));
        assert!(!format!("{session:?}").contains("secret"));
    }
}
