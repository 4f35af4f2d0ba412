//! Money as people read it: always whole, always with its currency, a true minus before what is negative.

use askama::Template;
use askama::filters::HtmlSafe;

use super::words;

/// One amount. Shown right-aligned with tabular figures; never abbreviated.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/amount.html")]
pub struct Amount {
    figure: String,
    currency: String,
    words: String,
}

impl HtmlSafe for Amount {}

impl Amount {
    /// `minor` units of `currency` (any case), which has `exponent` decimals.
    pub fn new(minor: i64, exponent: u8, currency: &str) -> Self {
        let code = currency.to_ascii_uppercase();
        Self { figure: figure(minor, exponent), words: words::spell(minor, exponent, &code), currency: code }
    }

    /// `−1,240.50`.
    pub fn figure(&self) -> &str {
        &self.figure
    }

    /// `USD`.
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// `−1,240.50 USD`, for labels and titles that hold plain text only.
    pub fn text(&self) -> String {
        format!("{} {}", self.figure, self.currency)
    }

    /// `one thousand two hundred forty US dollars and fifty cents`: what a person confirms.
    pub fn words(&self) -> &str {
        &self.words
    }
}

fn figure(minor: i64, exponent: u8) -> String {
    let exponent = usize::from(exponent);
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = exponent + 1);
    let (whole, fraction) = digits.split_at(digits.len() - exponent);
    let mut out = String::with_capacity(digits.len() + 8);
    if minor < 0 {
        out.push('\u{2212}');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if exponent > 0 {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_whole_grouped_and_signed() {
        let cases = [
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-1240, 2, "\u{2212}12.40"),
            (64000, 2, "640.00"),
            (123_456_789, 2, "1,234,567.89"),
            (100_000, 2, "1,000.00"),
            (4980, 0, "4,980"),
            (5120, 3, "5.120"),
            (i64::MIN, 2, "\u{2212}92,233,720,368,547,758.08"),
        ];
        for (minor, exponent, expected) in cases {
            assert_eq!(figure(minor, exponent), expected);
        }
    }

    #[test]
    fn renders_figure_and_currency_apart() {
        let html = Amount::new(-1240, 2, "usd").render().unwrap();
        assert!(html.contains(">\u{2212}12.40<") && html.contains(">USD<"), "{html}");
    }

    #[test]
    fn a_hostile_currency_stays_text() {
        assert!(!Amount::new(1, 2, "<b>").render().unwrap().contains("<B>"));
    }
}
