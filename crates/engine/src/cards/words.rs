//! Our own words on cards: amounts, days, names of templates and classes as people read them.

use bursar_domain::time::BusinessTime;
use bursar_stripe::money::Money;

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

/// `21 Nov 2026 09:41`, UTC.
pub(super) fn moment(at: BusinessTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = super::rfc3339(at);
    let mut date = iso.split('T').next().unwrap_or_default().splitn(3, '-');
    let (year, month, day) = (date.next(), date.next(), date.next());
    let month = month.and_then(|month| month.parse::<usize>().ok()).and_then(|month| MONTHS.get(month - 1));
    let day = day.unwrap_or_default().trim_start_matches('0');
    let second = at.unix_s().rem_euclid(86_400);
    let (year, month) = (year.unwrap_or_default(), month.copied().unwrap_or_default());
    format!("{day} {month} {year} {:02}:{:02}", second / 3_600, second / 60 % 60)
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
        assert_eq!(moment(BusinessTime::from_unix_s(1_795_219_260)), "21 Nov 2026 00:01");
        assert_eq!(moment(BusinessTime::from_unix_s(951_782_400)), "29 Feb 2000 00:00");
    }
}
