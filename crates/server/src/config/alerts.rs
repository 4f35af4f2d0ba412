//! Who is told when something is wrong with the installation itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::value::{HttpUrl, Span};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Addresses of operators, one letter to each, through `[mail.smtp]`.
    pub mail: Vec<String>,
    /// Where notices are posted, signed as Standard Webhooks has it.
    pub webhook: Option<Webhook>,
    /// How often what lasts is told again.
    pub repeat_every: Span,
    /// Without an event from Stripe for so long something is wrong.
    pub no_events_for: Span,
    /// Work that is due and has waited for so long is late.
    pub queue_age: Span,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            mail: Vec::new(),
            webhook: None,
            repeat_every: Span::seconds(4 * 3600),
            no_events_for: Span::seconds(24 * 3600),
            queue_age: Span::seconds(300),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// `https://`; `http://` to this machine only.
    pub url: HttpUrl,
    /// `whsec_…` with 24 to 64 bytes in Base64. Two while one replaces the other.
    pub secrets: Vec<Secret>,
    /// It may lie in a private network.
    #[serde(default)]
    pub private_network: bool,
}
