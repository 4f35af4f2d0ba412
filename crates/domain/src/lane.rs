//! A lane: one Stripe account in one mode. Every row, key and log line belongs to exactly one; lanes never mix.

use std::fmt;
use std::str::FromStr;

use bursar_stripe::id::AccountId;
use serde::{Deserialize, Serialize};

/// Written `acct_123/live` or `acct_123/test` wherever it is stored or shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lane {
    pub account: AccountId,
    pub livemode: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lane is written acct_…/live or acct_…/test")]
pub struct InvalidLane;

impl Lane {
    pub fn new(account: AccountId, livemode: bool) -> Self {
        Self { account, livemode }
    }

    /// `live` or `test`, as people read it.
    pub fn mode_word(&self) -> &'static str {
        if self.livemode { "live" } else { "test" }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account.as_str(), self.mode_word())
    }
}

impl FromStr for Lane {
    type Err = InvalidLane;
    fn from_str(text: &str) -> Result<Self, InvalidLane> {
        let (account, mode) = text.split_once('/').ok_or(InvalidLane)?;
        let livemode = match mode {
            "live" => true,
            "test" => false,
            _ => return Err(InvalidLane),
        };
        Ok(Self { account: account.parse().map_err(|_| InvalidLane)?, livemode })
    }
}

impl TryFrom<String> for Lane {
    type Error = InvalidLane;
    fn try_from(text: String) -> Result<Self, InvalidLane> {
        text.parse()
    }
}

impl From<Lane> for String {
    fn from(lane: Lane) -> String {
        lane.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let lane: Lane = "acct_1Demo/test".parse().unwrap();
        assert!(!lane.livemode);
        assert_eq!(lane.to_string(), "acct_1Demo/test");
        for bad in ["acct_1Demo", "acct_1Demo/prod", "cus_1/test", "/live"] {
            assert_eq!(bad.parse::<Lane>(), Err(InvalidLane), "{bad}");
        }
    }
}
