//! What an amount is worth in the home currency, by a dated rate from configuration. Rounded up, so that a cap is never
//! passed by rounding; integers only.

use std::collections::BTreeMap;

use bursar_domain::facts::HomeAmount;
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;

#[derive(Clone, Debug)]
pub struct HomeMoney {
    pub currency: Currency,
    pub rates: BTreeMap<Currency, Rate>,
}

/// One unit of a currency in units of the home currency, as `value / 10^decimals`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    pub value: i64,
    pub decimals: u32,
    pub date: String,
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rate: write it as a decimal number such as 1.0850")]
pub struct InvalidRate(pub String);

impl Rate {
    /// Reads `1.0850`.
    pub fn parse(text: &str, date: &str, source: &str) -> Result<Self, InvalidRate> {
        let bad = || InvalidRate(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return Err(bad());
        }
        let value: i64 = format!("{whole}{fraction}").parse().map_err(|_| bad())?;
        if value == 0 {
            return Err(bad());
        }
        let decimals = u32::try_from(fraction.len()).map_err(|_| bad())?;
        Ok(Self { value, decimals, date: date.to_owned(), source: source.to_owned() })
    }
}

impl HomeMoney {
    /// Without a rate nothing is known, and policy asks.
    pub fn of(&self, money: Money) -> Option<HomeAmount> {
        if money.currency == self.currency {
            return Some(HomeAmount { money, rate: "same currency".to_owned() });
        }
        let rate = self.rates.get(&money.currency)?;
        let mut numerator = i128::from(money.amount).checked_mul(i128::from(rate.value))?;
        let mut denominator = 10_i128.checked_pow(rate.decimals)?;
        let (from, to) = (money.currency.exponent(), self.currency.exponent());
        if to >= from {
            numerator = numerator.checked_mul(10_i128.checked_pow(to - from)?)?;
        } else {
            denominator = denominator.checked_mul(10_i128.checked_pow(from - to)?)?;
        }
        let up = numerator.div_euclid(denominator) + i128::from(numerator.rem_euclid(denominator) != 0);
        Some(HomeAmount {
            money: Money::new(i64::try_from(up).ok()?, self.currency),
            rate: format!(
                "{} {}: 1 {} = {} {}",
                rate.source,
                rate.date,
                money.currency.as_str(),
                decimal(rate.value, rate.decimals),
                self.currency.as_str()
            ),
        })
    }
}

fn decimal(value: i64, decimals: u32) -> String {
    let digits = format!("{value:0>width$}", width = decimals as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals as usize);
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> HomeMoney {
        let eur = Rate::parse("1.0850", "2026-11-20", "config").unwrap();
        let jpy = Rate::parse("0.0066", "2026-11-20", "config").unwrap();
        HomeMoney { currency: Currency::USD, rates: [(Currency::EUR, eur), (Currency::JPY, jpy)].into() }
    }

    #[test]
    fn rates_round_up_and_mind_the_minor_units() {
        let worth = |amount, currency| home().of(Money::new(amount, currency)).map(|home| home.money.amount);
        assert_eq!(worth(10_000, Currency::USD), Some(10_000));
        assert_eq!(worth(10_000, Currency::EUR), Some(10_850));
        assert_eq!(worth(1, Currency::EUR), Some(2), "1.085 cents are two");
        assert_eq!(worth(10_000, Currency::JPY), Some(6_600), "10,000 yen are 66.00");
        assert_eq!(worth(1, Currency::GBP), None);
        assert_eq!(
            home().of(Money::new(1, Currency::EUR)).unwrap().rate,
            "config 2026-11-20: 1 eur = 1.0850 usd"
        );
    }

    #[test]
    fn what_is_no_rate() {
        for bad in ["", "1,08", "-1", ".5", "0", "0.000", "1e3", "1.0000000001"] {
            assert!(Rate::parse(bad, "", "").is_err(), "{bad}");
        }
    }
}
