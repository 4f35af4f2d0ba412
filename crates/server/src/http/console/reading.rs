//! Instants and amounts as a reader at one moment sees them. All times are UTC and say so where it matters.

use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use jiff::Timestamp;

use super::view::card_document::Context;
use super::view::{Amount, Stamp};

/// A moment of reading, in microseconds of the clock that what is read was written by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    now: i64,
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `Fri 21 Nov 2026, 14:02 UTC`: business time as the demo's banner tells it.
pub fn clock_text(now: BusinessTime) -> String {
    formatted(now.micros(), "%a %-d %b %Y, %H:%M UTC")
}

fn formatted(micros: i64, format: &str) -> String {
    Timestamp::from_microsecond(micros).map(|at| at.strftime(format).to_string()).unwrap_or_default()
}

/// `2026-11-21T14:02:05Z`, as the engine's documents have it.
pub(super) fn micros(rfc3339: &str) -> Option<i64> {
    rfc3339.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

fn stamp(at: i64, format: &str) -> Stamp {
    Stamp::new(formatted(at, "%Y-%m-%dT%H:%M:%SZ"), formatted(at, format))
}

/// In full: `Fri 21 Nov 2026, 14:02 UTC`.
pub(super) fn moment(at: i64) -> Stamp {
    stamp(at, "%a %-d %b %Y, %H:%M UTC")
}

/// To the second: `21 Nov 2026, 14:02:05`.
pub(super) fn exact(at: i64) -> Stamp {
    stamp(at, "%-d %b %Y, %H:%M:%S")
}

impl Reading {
    pub(super) fn business(now: BusinessTime) -> Self {
        Self { now: now.micros() }
    }

    pub(super) fn machine(now: MachineTime) -> Self {
        Self { now: now.micros() }
    }

    /// As short as it stays clear: `14:02` today, `21 Nov` this year, else `21 Nov 2026`.
    pub(super) fn brief(self, at: i64) -> Stamp {
        let same = |format| formatted(at, format) == formatted(self.now, format);
        let format = if same("%Y-%m-%d") {
            "%H:%M"
        } else if same("%Y") {
            "%-d %b"
        } else {
            "%-d %b %Y"
        };
        stamp(at, format)
    }

    /// Day and time: `today 14:02`, `Thu 26 Nov, 06:10`.
    pub(super) fn when(self, at: i64) -> Stamp {
        if formatted(at, "%Y-%m-%d") == formatted(self.now, "%Y-%m-%d") {
            return stamp(at, "today %H:%M");
        }
        stamp(at, "%a %-d %b, %H:%M")
    }

    /// `12 s ago`.
    pub(super) fn age(self, at: i64) -> Stamp {
        let age = self.now.saturating_sub(at).max(0);
        let text = if age < SECOND { "now".to_owned() } else { format!("{} ago", one_unit(age)) };
        Stamp::new(formatted(at, "%Y-%m-%dT%H:%M:%SZ"), text)
    }

    /// `3 h 12 m`, and whether it is little.
    pub(super) fn left(self, until: i64) -> (String, bool) {
        let left = until.saturating_sub(self.now).max(0);
        (two_units(left), left < HOUR)
    }
}

fn one_unit(span: i64) -> String {
    match span {
        ..MINUTE => format!("{} s", span / SECOND),
        MINUTE..HOUR => format!("{} min", span / MINUTE),
        HOUR..DAY => format!("{} h", span / HOUR),
        _ => format!("{} d", span / DAY),
    }
}

fn two_units(span: i64) -> String {
    match span {
        ..MINUTE => "under a minute".to_owned(),
        MINUTE..HOUR => format!("{} min", span / MINUTE),
        HOUR..=DAY => format!("{} h {} min", span / HOUR, span % HOUR / MINUTE),
        _ => format!("{} d {} h", span / DAY, span % DAY / HOUR),
    }
}

/// Seconds as a length of time: `4 min`.
pub(super) fn length(seconds: i64) -> String {
    if seconds < 1 { "under a second".to_owned() } else { one_unit(seconds.saturating_mul(SECOND)) }
}

/// `18,204`.
pub(super) fn count(number: i64) -> String {
    Amount::new(number, 0, "").figure().to_owned()
}

pub(super) fn amount(money: Money) -> Amount {
    Amount::new(money.amount, exponent(money.currency), money.currency.as_str())
}

/// Minor units with the code of their currency, where it is one.
pub(super) fn amount_of(minor: Option<i64>, currency: Option<&str>) -> Option<Amount> {
    let currency = Currency::parse(currency?).ok()?;
    Some(amount(Money::new(minor?, currency)))
}

fn exponent(currency: Currency) -> u8 {
    u8::try_from(currency.exponent()).unwrap_or(2)
}

impl Context for Reading {
    fn exponent(&self, currency: &str) -> u8 {
        Currency::parse(currency).map_or(2, exponent)
    }

    fn moment(&self, micros: i64) -> Stamp {
        moment(micros)
    }

    fn when(&self, micros: i64) -> Stamp {
        Reading::when(*self, micros)
    }

    fn age(&self, micros: i64) -> Stamp {
        Reading::age(*self, micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_219_200 * SECOND + 12 * HOUR;

    #[test]
    fn instants_are_as_short_as_they_stay_clear() {
        let reading = Reading { now: NOON };
        assert_eq!(reading.brief(NOON - HOUR).text, "11:00");
        assert_eq!(reading.brief(NOON - 3 * DAY).text, "18 Nov");
        assert_eq!(reading.brief(NOON - 400 * DAY).text, "17 Oct 2025");
        assert_eq!(reading.when(NOON + 5 * DAY).text, "Thu 26 Nov, 12:00");
        assert_eq!(moment(NOON).text, "Sat 21 Nov 2026, 12:00 UTC");
        assert_eq!(moment(NOON).iso, "2026-11-21T12:00:00Z");
    }

    #[test]
    fn spans_round_down_and_never_go_negative() {
        let reading = Reading { now: NOON };
        assert_eq!(reading.age(NOON - 12 * SECOND).text, "12 s ago");
        assert_eq!(reading.age(NOON + HOUR).text, "now");
        assert_eq!(reading.left(NOON + 3 * HOUR + 12 * MINUTE), ("3 h 12 min".to_owned(), false));
        assert_eq!(reading.left(NOON + 41 * MINUTE), ("41 min".to_owned(), true));
        assert_eq!(reading.left(NOON - HOUR), ("under a minute".to_owned(), true));
    }

    #[test]
    fn the_engines_instants_are_read_back() {
        assert_eq!(micros("2026-11-21T12:00:00Z"), Some(NOON));
        assert_eq!(micros("yesterday"), None);
    }
}
