//! A span of time as people write it: `10s`, `15m`, `24h`, `30d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::text_value;

/// Whole seconds, more than none, at most ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

text_value!(Span, "pattern": "^([0-9]+(s|m|h|d))+$");

/// Largest first, so that a span is written with the largest unit that fits.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
const SECONDS_MAX: u64 = 3660 * 86_400;

impl Span {
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub fn as_seconds(self) -> u64 {
        self.0.as_secs()
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || "expected a span of time with its unit, such as 10s, 15m, 24h or 30d".to_owned();
        let mut total: u64 = 0;
        let mut digits = String::new();
        for character in text.chars() {
            if character.is_ascii_digit() {
                digits.push(character);
                continue;
            }
            let unit = UNITS.iter().find(|(name, _)| *name == character).ok_or_else(refused)?;
            let count: u64 = std::mem::take(&mut digits).parse().map_err(|_| refused())?;
            total = count.checked_mul(unit.1).and_then(|span| total.checked_add(span)).ok_or_else(refused)?;
        }
        let allowed = digits.is_empty() && (1..=SECONDS_MAX).contains(&total);
        if allowed { Ok(Self::seconds(total)) } else { Err(refused()) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.as_seconds();
        let unit = UNITS.iter().find(|(_, unit)| seconds.is_multiple_of(*unit)).unwrap_or(&UNITS[3]);
        write!(out, "{}{}", seconds / unit.1, unit.0)
    }
}
