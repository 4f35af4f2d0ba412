//! Which amounts Stripe takes in a currency: some are whole on the wire, some end in 0, and payouts can be stricter
//! than charges. The currencies themselves are data of `bursar-stripe`.

use bursar_stripe::Currency;

use crate::error::{ApiError, ApiResult};

/// What an amount is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Charges, refunds, invoices and what becomes part of them.
    Charge,
    Payout,
}

impl Use {
    /// Amounts are multiples of this many minor units.
    fn quantum(self, currency: &str) -> i64 {
        Currency::parse(currency).map_or(1, |known| match self {
            Self::Charge => known.quantum(),
            Self::Payout => known.payout_quantum(),
        })
    }
}

/// Refuses an amount in `param` that the currency does not have. The rule is Stripe's; the words are ours, because no
/// copy of its own was seen.
pub fn legal(amount: i64, currency: &str, purpose: Use, param: &str) -> ApiResult<()> {
    let quantum = purpose.quantum(currency);
    if amount % quantum == 0 {
        return Ok(());
    }
    let what = if purpose == Use::Payout { "Payouts" } else { "Amounts" };
    let message = format!(
        "Invalid amount: {amount}. {what} in {} must be divisible by {quantum}.",
        currency.to_uppercase()
    );
    Err(ApiError::invalid(message).code("parameter_invalid_integer").param(param))
}

/// The nearest amount that can be charged, halves rounded up; `amount` is not negative.
pub fn nearest(amount: i64, currency: &str) -> i64 {
    let quantum = Use::Charge.quantum(currency);
    amount.saturating_add(quantum / 2) / quantum * quantum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_have_only_their_own_amounts() {
        for (amount, currency, purpose, fits) in [
            (501, "usd", Use::Charge, true),
            (500, "ugx", Use::Charge, true),
            (501, "ugx", Use::Charge, false),
            (-550, "isk", Use::Charge, false),
            (5120, "kwd", Use::Charge, true),
            (5124, "kwd", Use::Charge, false),
            (12_345, "huf", Use::Charge, true),
            (12_345, "huf", Use::Payout, false),
            (12_300, "twd", Use::Payout, true),
            (7, "jpy", Use::Payout, true),
        ] {
            let met = legal(amount, currency, purpose, "amount");
            assert_eq!(met.is_ok(), fits, "{amount} {currency} {purpose:?}");
        }
    }

    #[test]
    fn remainders_go_to_the_nearest() {
        let all = [(501, "ugx"), (550, "ugx"), (5124, "kwd"), (5125, "kwd"), (12_345, "huf")];
        assert_eq!(all.map(|(amount, currency)| nearest(amount, currency)), [500, 600, 5120, 5130, 12_345]);
    }
}
