//! The currencies Stripe takes, each with how its amounts are written and which of them are legal.
//!
//! Promises: only the exact lower-case code parses; an unknown currency is refused, never guessed at.
//! An ISO 4217 table alone is wrong for Stripe, so the exceptions stand here as data.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How amounts of a currency stand on the wire. Source: docs.stripe.com/currencies, read 2026-09.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// Two digits after the point; any amount.
    TwoDigits,
    /// No digits: 500 is 500. MGA is here though ISO 4217 gives it two.
    Whole,
    /// Whole in effect but two digits on the wire: 500 is 5, and only multiples of 100 are legal.
    WholeWrittenWithTwo,
    /// Any amount on a charge, multiples of 100 on a manual payout.
    TwoDigitsWholePayout,
    /// Three digits, the last of which is 0.
    ThreeDigits,
}

/// Codes that do not follow the ordinary two-digit rule. UGX also stands in Stripe's list of
/// zero-decimal currencies for historical reasons; the special case wins.
const EXCEPTIONS: &[(Wire, &[&str])] = &[
    (
        Wire::Whole,
        &[
            "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof",
            "xpf",
        ],
    ),
    (Wire::WholeWrittenWithTwo, &["isk", "ugx"]),
    (Wire::TwoDigitsWholePayout, &["huf", "twd"]),
    (Wire::ThreeDigits, &["bhd", "jod", "kwd", "omr", "tnd"]),
];

/// Every code we accept, sorted so that it can be searched: those of Stripe's Go library (its currency list,
/// checked 2026-11), withdrawn ones included because old objects carry them; the three-decimal ones; and the
/// present codes that list lacks, not confirmed there: btn, byn, byr, ghs, mmk, mru, sle, stn, xcg. A code
/// Stripe adds is added here; until then its events are refused, never misread.
const CODES: &[&str] = &[
    "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd",
    "bif", "bmd", "bnd", "bob", "brl", "bsd", "btn", "bwp", "byn", "byr", "bzd", "cad", "cdf", "chf", "clp",
    "cny", "cop", "crc", "cve", "czk", "djf", "dkk", "dop", "dzd", "eek", "egp", "etb", "eur", "fjd", "fkp",
    "gbp", "gel", "ghs", "gip", "gmd", "gnf", "gtq", "gyd", "hkd", "hnl", "hrk", "htg", "huf", "idr", "ils",
    "inr", "isk", "jmd", "jod", "jpy", "kes", "kgs", "khr", "kmf", "krw", "kwd", "kyd", "kzt", "lak", "lbp",
    "lkr", "lrd", "lsl", "ltl", "lvl", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop", "mro", "mru", "mur",
    "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "omr", "pab", "pen", "pgk",
    "php", "pkr", "pln", "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp",
    "sle", "sll", "sos", "srd", "std", "stn", "svc", "szl", "thb", "tjs", "tnd", "top", "try", "ttd", "twd",
    "tzs", "uah", "ugx", "usd", "uyu", "uzs", "vef", "vnd", "vuv", "wst", "xaf", "xcd", "xcg", "xof", "xpf",
    "yer", "zar", "zmw",
];

/// A currency of Stripe's, kept as its three lower-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// The text is not one of Stripe's currency codes, written exactly as Stripe writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown currency {0:?}: three lower-case letters that Stripe knows are needed, such as \"usd\"")]
pub struct UnknownCurrency(String);

impl Currency {
    pub const USD: Currency = Currency(*b"usd");
    pub const EUR: Currency = Currency(*b"eur");
    pub const GBP: Currency = Currency(*b"gbp");
    pub const JPY: Currency = Currency(*b"jpy");

    /// Accepts the exact lower-case code only: `USD`, `usd ` and `xxx` are refused.
    pub fn parse(code: &str) -> Result<Currency, UnknownCurrency> {
        let unknown = || UnknownCurrency(code.chars().take(16).collect());
        let letters: [u8; 3] = code.as_bytes().try_into().map_err(|_| unknown())?;
        CODES.binary_search(&code).map_err(|_| unknown())?;
        Ok(Currency(letters))
    }

    /// Every currency we accept, in alphabetical order.
    pub fn all() -> impl Iterator<Item = Currency> {
        CODES.iter().filter_map(|code| Currency::parse(code).ok())
    }

    /// As Stripe writes it: `usd`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("every code of the table is ASCII")
    }

    /// As people write it: `USD`.
    pub fn code(&self) -> String {
        self.as_str().to_ascii_uppercase()
    }

    /// Digits after the point in what an amount of minor units stands for. ISK and UGX count two, as
    /// on the wire, although only whole crowns and shillings are legal (see [`Currency::quantum`]).
    pub fn exponent(&self) -> u32 {
        match self.wire() {
            Wire::Whole => 0,
            Wire::TwoDigits | Wire::TwoDigitsWholePayout | Wire::WholeWrittenWithTwo => 2,
            Wire::ThreeDigits => 3,
        }
    }

    /// Amounts that move money must be multiples of this many minor units.
    pub fn quantum(&self) -> i64 {
        match self.wire() {
            Wire::Whole | Wire::TwoDigits | Wire::TwoDigitsWholePayout => 1,
            Wire::ThreeDigits => 10,
            Wire::WholeWrittenWithTwo => 100,
        }
    }

    /// Manual payouts must be multiples of this many minor units.
    pub fn payout_quantum(&self) -> i64 {
        match self.wire() {
            Wire::TwoDigitsWholePayout => 100,
            _ => self.quantum(),
        }
    }

    fn wire(self) -> Wire {
        let code = self.as_str();
        let exception = EXCEPTIONS.iter().find(|(_, codes)| codes.contains(&code));
        exception.map_or(Wire::TwoDigits, |(wire, _)| *wire)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl std::str::FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Currency, UnknownCurrency> {
        Currency::parse(code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Currency::parse(&code).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str) -> Currency {
        Currency::parse(code).expect(code)
    }

    #[test]
    fn the_table_is_sorted_and_the_exceptions_stand_in_it() {
        assert!(CODES.is_sorted_by(|a, b| a < b));
        for (_, codes) in EXCEPTIONS {
            for code in *codes {
                assert!(CODES.contains(code), "{code}");
            }
        }
        assert_eq!(Currency::all().count(), CODES.len());
    }

    #[test]
    fn only_the_exact_code_parses() {
        for bad in ["USD", "usd ", " usd", "Usd", "xxx", "XXX", "", "us", "usdd", "üs"] {
            assert!(Currency::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(of("usd"), Currency::USD);
        assert_eq!(of("usd").code(), "USD");
    }

    #[test]
    fn special_cases_follow_stripe_and_not_iso() {
        // code, exponent, quantum, payout quantum
        let table = [
            ("usd", 2, 1, 1),
            ("jpy", 0, 1, 1),
            ("mga", 0, 1, 1),
            ("kwd", 3, 10, 10),
            ("isk", 2, 100, 100),
            ("ugx", 2, 100, 100),
            ("huf", 2, 1, 100),
            ("twd", 2, 1, 100),
        ];
        for (code, exponent, quantum, payout) in table {
            let currency = of(code);
            assert_eq!(
                (currency.exponent(), currency.quantum(), currency.payout_quantum()),
                (exponent, quantum, payout),
                "{code}"
            );
        }
    }

    #[test]
    fn serde_is_the_lower_case_string() {
        assert_eq!(serde_json::to_string(&Currency::EUR).expect("serialises"), "\"eur\"");
        assert_eq!(serde_json::from_str::<Currency>("\"eur\"").expect("parses"), Currency::EUR);
        assert!(serde_json::from_str::<Currency>("\"EUR\"").is_err());
    }
}
