//! `640.00usd`: an amount with its currency in one word, as `--amount` takes it.

use std::str::FromStr;

use bursar_stripe::{Currency, Money};

/// Digits, at most one point, then the currency; a space between them is allowed, capitals too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmountArg(pub Money);

impl FromStr for AmountArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let letters = text.find(|character: char| character.is_ascii_alphabetic());
        let (digits, code) = text.split_at(letters.ok_or("name the currency too, such as 640.00usd")?);
        let currency = Currency::parse(&code.to_ascii_lowercase()).map_err(|_| {
            "the currency is not one that Stripe takes; write an amount such as 640.00usd".to_owned()
        })?;
        let money = Money::parse_decimal(digits.trim_end(), currency).map_err(|error| error.to_string())?;
        if money.amount > 0 { Ok(Self(money)) } else { Err("the amount must be above zero".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_needs_its_currency_and_its_decimals() {
        let shown = |text: &str| text.parse::<AmountArg>().map(|amount| amount.0.to_string());
        for text in ["640.00usd", "640usd", "640.00 USD", "640.0usd"] {
            assert_eq!(shown(text).as_deref(), Ok("640.00 USD"), "{text}");
        }
        assert_eq!(shown("500jpy").as_deref(), Ok("500 JPY"));
        for bad in
            ["640.00", "usd", "640.001usd", "500.5jpy", "-5usd", "0usd", "1,000.00usd", "640.00xxx", ""]
        {
            assert!(shown(bad).is_err(), "{bad}");
        }
    }
}
