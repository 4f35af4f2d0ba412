//! What an action does to the world. The list is closed: policy is about effects, and a write whose effects are not
//! known is denied.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    MoneyOut,
    MoneyIn,
    Credit,
    Price,
    Cancellation,
    Access,
    Message,
    CustomerData,
    Internal,
}

impl Effect {
    pub const ALL: [Effect; 9] = [
        Effect::MoneyOut,
        Effect::MoneyIn,
        Effect::Credit,
        Effect::Price,
        Effect::Cancellation,
        Effect::Access,
        Effect::Message,
        Effect::CustomerData,
        Effect::Internal,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Effect::MoneyOut => "money_out",
            Effect::MoneyIn => "money_in",
            Effect::Credit => "credit",
            Effect::Price => "price",
            Effect::Cancellation => "cancellation",
            Effect::Access => "access",
            Effect::Message => "message",
            Effect::CustomerData => "customer_data",
            Effect::Internal => "internal",
        }
    }

    /// Whether the effect can be seen outside Bursar: those are what assist mode asks about.
    pub fn leaves_bursar(self) -> bool {
        self != Effect::Internal
    }
}
