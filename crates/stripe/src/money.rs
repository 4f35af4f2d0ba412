//! An amount of money: minor units of one currency.
//!
//! Promises: no floats, no silent overflow, no sum across currencies, and no split that loses a unit.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::currency::Currency;

/// `amount` minor units of `currency`, as Stripe writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    pub amount: i64,
    pub currency: Currency,
}

/// Why two amounts do not go together, or a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("{left} and {right} are different currencies")]
    OtherCurrency { left: Currency, right: Currency },
    #[error("the amount does not fit in 64 bits")]
    Overflow,
    /// The neighbours are legal amounts in minor units.
    #[error("{amount} is not a legal amount of {currency}; the nearest are {below} and {above}")]
    OffQuantum { amount: i64, currency: Currency, below: i64, above: i64 },
    #[error("an amount of {currency} has at most {allowed} digits after the point")]
    TooManyDecimals { currency: Currency, allowed: u32 },
    #[error("not an amount: digits with at most one point are needed, such as \"640.00\"")]
    NotAnAmount,
    #[error("a split needs at least one weight above zero")]
    NoWeights,
}

impl Money {
    pub fn new(amount: i64, currency: Currency) -> Money {
        Money { amount, currency }
    }

    pub fn zero(currency: Currency) -> Money {
        Money { amount: 0, currency }
    }

    pub fn is_zero(&self) -> bool {
        self.amount == 0
    }

    pub fn checked_add(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Money { amount, ..self })
    }

    pub fn checked_sub(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        let amount = self.amount.checked_sub(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Money { amount, ..self })
    }

    /// Refuses an amount Stripe would refuse for its last digits (5.124 KWD, 5.01 ISK), and names the
    /// nearest legal ones.
    pub fn check_quantum(&self) -> Result<(), MoneyError> {
        let quantum = self.currency.quantum();
        let excess = self.amount.rem_euclid(quantum);
        if excess == 0 {
            return Ok(());
        }
        let below = self.amount.saturating_sub(excess);
        let above = below.saturating_add(quantum);
        Err(MoneyError::OffQuantum { amount: self.amount, currency: self.currency, below, above })
    }

    /// Divides by largest remainder, in whole quanta: the parts sum to the whole exactly and no part
    /// has another sign than it. A tie goes to the earlier weight.
    pub fn split(&self, weights: &[u64]) -> Result<Vec<Money>, MoneyError> {
        self.check_quantum()?;
        let total_weight: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
        if total_weight == 0 {
            return Err(MoneyError::NoWeights);
        }
        let quantum = self.currency.quantum();
        let quanta = u128::from(self.amount.unsigned_abs()) / u128::from(quantum.unsigned_abs());
        let parts = largest_remainder(quanta, weights, total_weight);
        let sign = i128::from(self.amount.signum()) * i128::from(quantum);
        parts
            .into_iter()
            .map(|part| {
                let units = i128::try_from(part).map_err(|_| MoneyError::Overflow)?;
                let amount = i64::try_from(units * sign).map_err(|_| MoneyError::Overflow)?;
                Ok(Money { amount, currency: self.currency })
            })
            .collect()
    }

    /// Reads what a person typed: `640.00`, `640`, `-12.4`. Refuses digits the currency does not have
    /// (10.50 JPY), grouping signs, spaces, and amounts Stripe would refuse.
    pub fn parse_decimal(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(MoneyError::NotAnAmount),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(MoneyError::NotAnAmount);
        }
        let allowed = currency.exponent();
        if fraction.len() > allowed as usize {
            return Err(MoneyError::TooManyDecimals { currency, allowed });
        }
        let padding = "0".repeat(allowed as usize - fraction.len());
        let sign = if negative { "-" } else { "" };
        let amount = format!("{sign}{whole}{fraction}{padding}").parse().map_err(|_| MoneyError::Overflow)?;
        let money = Money { amount, currency };
        money.check_quantum()?;
        Ok(money)
    }

    fn same_currency(self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::OtherCurrency { left: self.currency, right: other.currency })
    }
}

/// `quanta` < 2^64 and every weight < 2^64, so that no product leaves 128 bits.
fn largest_remainder(quanta: u128, weights: &[u64], total_weight: u128) -> Vec<u128> {
    let share = |weight: u64| quanta * u128::from(weight);
    let mut parts: Vec<u128> = weights.iter().map(|weight| share(*weight) / total_weight).collect();
    let given: u128 = parts.iter().sum();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(share(weights[*index]) % total_weight));
    // Each floor loses less than one quantum, so what is left is smaller than the number of weights.
    let left = usize::try_from(quanta - given).unwrap_or(usize::MAX);
    for index in order.into_iter().take(left) {
        parts[index] += 1;
    }
    parts
}

/// For people: `640.00 USD`, `-12.40 EUR`, `500 JPY`, `5.120 KWD`. No grouping, no locale.
impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.exponent();
        let scale = 10_u64.pow(digits);
        let sign = if self.amount < 0 { "-" } else { "" };
        let (whole, rest) = (self.amount.unsigned_abs() / scale, self.amount.unsigned_abs() % scale);
        let code = self.currency.code();
        if digits == 0 {
            return write!(out, "{sign}{whole} {code}");
        }
        write!(out, "{sign}{whole}.{rest:0width$} {code}", width = digits as usize)
    }
}

#[cfg(test)]
mod tests;
