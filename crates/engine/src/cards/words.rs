//! Our own words on cards: amounts, days, names of templates and classes as people read them.

use bursar_domain::time::BusinessTime;
use bursar_stripe::money::Money;
use jiff::tz::TimeZone;

use crate::budget::timestamp;

/// `1,240.50 USD`, a true minus before what is negative.
pub(super) fn money(money: Money) -> String {
    let plain = money.to_string();
    let (figure, currency) = plain.split_once(' ').unwrap_or((&plain, ""));
    let (sign, digits) = figure.strip_prefix('-').map_or(("", figure), |rest| ("−", rest));
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction} {currency}")
}

/// `21 Nov 2026 10:41 CET`.
pub(super) fn moment(at: BusinessTime, zone: &TimeZone) -> String {
    timestamp(at).to_zoned(zone.clone()).strftime("%-d %b %Y %H:%M %Z").to_string()
}

/// `21 Nov 2026`.
pub(super) fn day(at: BusinessTime, zone: &TimeZone) -> String {
    timestamp(at).to_zoned(zone.clone()).strftime("%-d %b %Y").to_string()
}

/// `payment_failed@1` -> `payment failed`.
pub(super) fn template(name: &str) -> String {
    name.split('@').next().unwrap_or_default().replace('_', " ")
}

/// The first letter large: `recovery` -> `Recovery`.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bursar_stripe::currency::Currency;

    use super::*;

    #[test]
    fn amounts_are_grouped_and_keep_every_digit() {
        let shown = |amount, code: &str| money(Money::new(amount, Currency::parse(code).unwrap()));
        assert_eq!(shown(123_456_789, "usd"), "1,234,567.89 USD");
        assert_eq!(shown(-64_000, "usd"), "−640.00 USD");
        assert_eq!(shown(498_000, "jpy"), "498,000 JPY");
        assert_eq!(shown(5, "eur"), "0.05 EUR");
    }

    #[test]
    fn moments_name_the_month() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (seconds, zone, expected) in [
            (1_795_219_260, &TimeZone::UTC, "21 Nov 2026 00:01 UTC"),
            (1_795_219_260, &berlin, "21 Nov 2026 01:01 CET"),
            (951_782_400, &TimeZone::UTC, "29 Feb 2000 00:00 UTC"),
            (1_782_079_200, &berlin, "22 Jun 2026 00:00 CEST"),
        ] {
            assert_eq!(moment(BusinessTime::from_unix_s(seconds), zone), expected);
        }
        assert_eq!(day(BusinessTime::from_unix_s(1_795_215_600), &berlin), "21 Nov 2026");
    }
}
