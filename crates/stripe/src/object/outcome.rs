//! What became of an attempt to charge, as the bank, the network or Stripe's own checks said.

use serde_json::Value;

use super::ObjectError;
use super::fields::Fields;
use super::open_enum::open_enum;

open_enum! {
    OutcomeType {
        Authorized = "authorized",
        ManualReview = "manual_review",
        IssuerDeclined = "issuer_declined",
        /// Stripe never sent it to the network.
        Blocked = "blocked",
        /// Our request was wrong.
        Invalid = "invalid",
    }
}

open_enum! {
    RiskLevel {
        Normal = "normal",
        Elevated = "elevated",
        Highest = "highest",
        NotAssessed = "not_assessed",
    }
}

open_enum! {
    /// The issuer's advice, in Stripe's words.
    AdviceCode {
        DoNotTryAgain = "do_not_try_again",
        TryAgainLater = "try_again_later",
        ConfirmCardData = "confirm_card_data",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub kind: Option<OutcomeType>,
    /// A decline code, or why Stripe blocked it.
    pub reason: Option<String>,
    /// The network's own two characters: `51`.
    pub network_decline_code: Option<String>,
    pub advice_code: Option<AdviceCode>,
    /// Mastercard's merchant advice code: `03`.
    pub network_advice_code: Option<String>,
    pub risk_level: Option<RiskLevel>,
}

impl Outcome {
    pub(super) fn from_part(value: &Value) -> Result<Outcome, ObjectError> {
        let fields = Fields::of_part(value, "outcome")?;
        Ok(Outcome {
            kind: fields.optional_choice("type")?,
            reason: fields.optional_text("reason")?,
            network_decline_code: fields.optional_text("network_decline_code")?,
            advice_code: fields.optional_choice("advice_code")?,
            network_advice_code: fields.optional_text("network_advice_code")?,
            risk_level: fields.optional_choice("risk_level")?,
        })
    }
}
