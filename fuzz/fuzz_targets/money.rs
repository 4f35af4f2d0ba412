//! Money: what people type, and splits. `code;text;amount;weight,weight…`. What is read is shown so that it reads back; a
//! sum is exact or refused; a split loses nothing, gives no part another sign and nobody more than their share and one quantum.
#![no_main]

use bursar_stripe::{Currency, Money};
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: bursar_fuzz::seeds([
        "usd;640.00;64000;1,1,1",
        "jpy;-500;-500;3,0,7",
        "kwd;5.120;5120;18446744073709551615,18446744073709551615",
        "isk;5;9223372036854775800;1,2,3",
        "huf;0.5;-9223372036854775808;9",
        "usd;00000000000000000000000001.5;1;0,0",
    ]),
    |text: &str| {
        let mut fields = text.splitn(4, ';');
        let mut next = || fields.next().unwrap_or_default();
        let (code, typed, amount, weights) = (next(), next(), next(), next());
        let Ok(currency) = Currency::parse(code) else { return };
        if let Ok(money) = Money::parse_decimal(typed, currency) {
            read(money, typed);
        }
        let Ok(amount) = amount.parse::<i64>() else { return };
        let weights: Vec<u64> = weights.split(',').map_while(|weight| weight.parse().ok()).collect();
        sums(Money::new(amount, currency), &weights);
        split(Money::new(amount, currency), &weights);
    }
);

fn read(money: Money, typed: &str) {
    money.check_quantum().expect("only legal amounts are read");
    let shown = money.to_string();
    let digits = shown.split(' ').next().expect("digits come first");
    assert_eq!(Money::parse_decimal(digits, money.currency), Ok(money), "{typed:?} {shown}");
    // By another way: no digit that was typed got lost.
    let tidy = |text: &str| {
        let negative = text.starts_with('-');
        let text = text.trim_start_matches('-');
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let (whole, rest) = (whole.trim_start_matches('0').to_owned(), rest.trim_end_matches('0').to_owned());
        let zero = whole.is_empty() && rest.is_empty();
        (negative && !zero, whole, rest)
    };
    assert_eq!(tidy(typed), tidy(digits), "{typed:?} {shown}");
}

fn sums(money: Money, others: &[u64]) {
    for other in others {
        let other = Money::new(other.cast_signed(), money.currency);
        let sum = i128::from(money.amount) + i128::from(other.amount);
        match money.checked_add(other) {
            Ok(found) => {
                assert_eq!(i128::from(found.amount), sum);
                assert_eq!(found.checked_sub(other), Ok(money));
            }
            Err(_) => assert!(i64::try_from(sum).is_err()),
        }
    }
}

fn split(money: Money, weights: &[u64]) {
    let Ok(parts) = money.split(weights) else {
        assert!(
            money.check_quantum().is_err() || weights.iter().all(|weight| *weight == 0),
            "{money} {weights:?}"
        );
        return;
    };
    assert_eq!(parts.len(), weights.len());
    let sum: i128 = parts.iter().map(|part| i128::from(part.amount)).sum();
    assert_eq!(sum, i128::from(money.amount));
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let quantum = u128::from(money.currency.quantum().unsigned_abs());
    for (part, weight) in parts.iter().zip(weights) {
        assert!(part.amount == 0 || part.amount.signum() == money.amount.signum(), "{money} {weights:?}");
        assert!(part.check_quantum().is_ok());
        assert!(*weight > 0 || part.amount == 0, "nothing for no weight: {money} {weights:?}");
        let quanta = u128::from(money.amount.unsigned_abs()) / quantum;
        let floor = quanta * u128::from(*weight) / total;
        let got = u128::from(part.amount.unsigned_abs()) / quantum;
        assert!(got == floor || got == floor + 1, "{money} {weights:?}");
    }
}
