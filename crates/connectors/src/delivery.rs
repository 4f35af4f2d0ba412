//! One thing to carry outside, and what became of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bursar_domain::time::BusinessTime;

use crate::Error;

/// A message with the key that makes its attempts recognisable as one.
#[derive(Clone, Debug)]
pub struct Delivery<M> {
    /// The same for every attempt of one intent, different for every other.
    pub key: DeliveryKey,
    /// When the intent was made. Kept over attempts, so that the bytes sent stay the same.
    pub at: BusinessTime,
    pub message: M,
}

/// Letters, digits, `-` and `_`, 1 to 128 of them: safe inside any header, URL or id of the other side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryKey(String);

impl DeliveryKey {
    pub const LEN_MAX: usize = 128;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeliveryKey {
    type Err = Error;

    fn from_str(given: &str) -> Result<Self, Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = (1..=Self::LEN_MAX).contains(&given.len()) && given.bytes().all(plain);
        fits.then(|| Self(given.to_owned())).ok_or(Error::DeliveryKey)
    }
}

impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What became of one attempt. Every variant answers a single question: may the same delivery be attempted again?
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The other side took responsibility. `reference` is what to quote to it.
    Delivered { reference: String },
    /// A definite no, from the other side (`code`) or from us before anything was sent (no code). Trying the same
    /// again is pointless.
    Refused { code: Option<u16>, text: String },
    /// Definitely not delivered, and later it may be. `after` is the least that makes sense to wait. `why` is ours: codes
    /// of the other side and none of its words, which may name people, so that it may be kept and logged.
    Retry { after: Duration, why: String },
    /// Handed over, and then no answer. It may have been delivered, so it is not attempted again by itself.
    PossiblySent { why: String },
}

impl DeliveryOutcome {
    /// The class alone, for logs and metrics: the words of the other side may name people.
    pub fn as_str(&self) -> &'static str {
        match self {
            DeliveryOutcome::Delivered { .. } => "delivered",
            DeliveryOutcome::Refused { .. } => "refused",
            DeliveryOutcome::Retry { .. } => "retry",
            DeliveryOutcome::PossiblySent { .. } => "possibly_sent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_nothing_that_a_header_could_trip_over() {
        assert!("exec_7ZZZ-1".parse::<DeliveryKey>().is_ok());
        for bad in ["", "a b", "a\r\nBcc: x", "a@b", "<a>", "ä", &"x".repeat(129)] {
            assert!(bad.parse::<DeliveryKey>().is_err(), "{bad:?}");
        }
    }
}
