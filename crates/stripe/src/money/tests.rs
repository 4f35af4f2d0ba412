use proptest::prelude::*;

use super::*;

fn of(code: &str, amount: i64) -> Money {
    Money::new(amount, Currency::parse(code).expect(code))
}

#[test]
fn people_read_the_digits_their_currency_has() {
    let table = [
        (of("usd", 64_000), "640.00 USD"),
        (of("eur", -1_240), "-12.40 EUR"),
        (of("usd", -5), "-0.05 USD"),
        (of("jpy", 500), "500 JPY"),
        (of("kwd", 5_120), "5.120 KWD"),
        (of("isk", 500), "5.00 ISK"),
        (of("usd", 0), "0.00 USD"),
        (of("usd", i64::MIN), "-92233720368547758.08 USD"),
    ];
    for (money, shown) in table {
        assert_eq!(money.to_string(), shown);
    }
}

#[test]
fn sums_refuse_other_currencies_and_overflow() {
    let (dollars, euros) = (of("usd", 1), of("eur", 1));
    let other = MoneyError::OtherCurrency { left: Currency::USD, right: Currency::EUR };
    assert_eq!(dollars.checked_add(euros), Err(other.clone()));
    assert_eq!(dollars.checked_sub(euros), Err(other));
    assert_eq!(of("usd", i64::MAX).checked_add(dollars), Err(MoneyError::Overflow));
    assert_eq!(of("usd", i64::MIN).checked_sub(dollars), Err(MoneyError::Overflow));
    assert_eq!(of("usd", 5).checked_sub(of("usd", 7)), Ok(of("usd", -2)));
}

#[test]
fn illegal_last_digits_are_refused_with_their_neighbours() {
    let table = [
        (of("kwd", 5_124), 5_120, 5_130),
        (of("isk", 501), 500, 600),
        (of("ugx", 99), 0, 100),
        (of("kwd", -5_124), -5_130, -5_120),
    ];
    for (money, below, above) in table {
        let Money { amount, currency } = money;
        let refused = MoneyError::OffQuantum { amount, currency, below, above };
        assert_eq!(money.check_quantum(), Err(refused.clone()));
        assert!(refused.to_string().contains(&below.to_string()), "{refused}");
    }
    for legal in [of("kwd", 5_120), of("isk", 500), of("huf", 1_050), of("jpy", 501), of("isk", 0)] {
        assert_eq!(legal.check_quantum(), Ok(()));
    }
}

#[test]
fn what_people_type_is_read_exactly() {
    let table = [
        ("640.00", "usd", 64_000),
        ("640", "usd", 64_000),
        ("640.5", "usd", 64_050),
        ("-12.40", "eur", -1_240),
        ("0.01", "usd", 1),
        ("500", "jpy", 500),
        ("5.12", "kwd", 5_120),
        ("5", "isk", 500),
        ("007", "usd", 700),
        ("92233720368547758.07", "usd", i64::MAX),
        ("-92233720368547758.08", "usd", i64::MIN),
    ];
    for (text, code, amount) in table {
        assert_eq!(
            Money::parse_decimal(text, Currency::parse(code).expect(code)),
            Ok(of(code, amount)),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_amount_is_refused() {
    for text in
        ["", "-", ".", "1.", ".5", "1,000.00", "1 000", " 1", "+1", "1e3", "--1", "1.2.3", "１", "0x1"]
    {
        assert_eq!(Money::parse_decimal(text, Currency::USD), Err(MoneyError::NotAnAmount), "{text:?}");
    }
    let too_many = |currency, allowed| Err(MoneyError::TooManyDecimals { currency, allowed });
    assert_eq!(Money::parse_decimal("10.50", Currency::JPY), too_many(Currency::JPY, 0));
    assert_eq!(Money::parse_decimal("10.001", Currency::USD), too_many(Currency::USD, 2));
    let kwd = Currency::parse("kwd").expect("kwd");
    assert!(matches!(Money::parse_decimal("5.124", kwd), Err(MoneyError::OffQuantum { above: 5_130, .. })));
    let long = "9".repeat(400);
    assert_eq!(Money::parse_decimal(&long, Currency::USD), Err(MoneyError::Overflow));
}

#[test]
fn splits_give_the_odd_units_to_the_largest_remainders() {
    let table: [(Money, &[u64], &[i64]); 7] = [
        (of("usd", 100), &[1, 1, 1], &[34, 33, 33]),
        (of("usd", 101), &[1, 1, 1], &[34, 34, 33]),
        (of("usd", -100), &[1, 1, 1], &[-34, -33, -33]),
        (of("usd", 10), &[1, 2, 0], &[3, 7, 0]),
        (of("kwd", 100), &[1, 1, 1], &[40, 30, 30]),
        (of("isk", 500), &[1, 1], &[300, 200]),
        (of("usd", i64::MIN), &[u64::MAX, 0], &[i64::MIN, 0]),
    ];
    for (whole, weights, parts) in table {
        let split: Vec<i64> = whole.split(weights).expect("splits").iter().map(|part| part.amount).collect();
        assert_eq!(split, parts, "{whole} over {weights:?}");
    }
}

#[test]
fn what_cannot_be_split_is_refused() {
    assert_eq!(of("usd", 100).split(&[]), Err(MoneyError::NoWeights));
    assert_eq!(of("usd", 100).split(&[0, 0]), Err(MoneyError::NoWeights));
    assert!(matches!(of("isk", 501).split(&[1, 1]), Err(MoneyError::OffQuantum { .. })));
}

#[test]
fn serde_takes_integers_and_exact_codes_only() {
    let money: Money = serde_json::from_str(r#"{"amount":64000,"currency":"usd"}"#).expect("parses");
    assert_eq!(money, of("usd", 64_000));
    assert_eq!(serde_json::to_string(&money).expect("serialises"), r#"{"amount":64000,"currency":"usd"}"#);
    for bad in [
        r#"{"amount":640.0,"currency":"usd"}"#,
        r#"{"amount":"640","currency":"usd"}"#,
        r#"{"amount":9223372036854775808,"currency":"usd"}"#,
        r#"{"amount":640,"currency":"USD"}"#,
        r#"{"amount":640}"#,
        r#"{"amount":640,"currency":"usd","exponent":2}"#,
    ] {
        assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
    }
}

fn any_currency() -> impl Strategy<Value = Currency> {
    proptest::sample::select(Currency::all().collect::<Vec<_>>())
}

/// Any legal amount: a whole number of quanta.
fn any_money() -> impl Strategy<Value = Money> {
    (any_currency(), any::<i64>()).prop_map(|(currency, amount)| {
        let quantum = currency.quantum();
        Money::new(amount / quantum * quantum, currency)
    })
}

proptest! {
    #[test]
    fn splits_sum_exactly_at_legal_amounts(whole in any_money(), weights in prop::collection::vec(any::<u64>(), 1..40)) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let parts = whole.split(&weights).expect("a legal amount splits");
        prop_assert_eq!(parts.len(), weights.len());
        let sum: i128 = parts.iter().map(|part| i128::from(part.amount)).sum();
        prop_assert_eq!(sum, i128::from(whole.amount));
        for (part, weight) in parts.iter().zip(&weights) {
            prop_assert!(part.check_quantum().is_ok());
            prop_assert!(part.amount == 0 || part.amount.signum() == whole.amount.signum());
            prop_assert!(*weight > 0 || part.is_zero());
        }
    }

    #[test]
    fn what_is_shown_reads_back(money in any_money()) {
        let shown = money.to_string();
        let (amount, code) = shown.split_once(' ').expect("amount and code");
        prop_assert_eq!(code.to_lowercase(), money.currency.as_str());
        prop_assert_eq!(Money::parse_decimal(amount, money.currency), Ok(money));
    }

    #[test]
    fn serde_round_trips(money in any_money()) {
        let text = serde_json::to_string(&money).expect("serialises");
        prop_assert_eq!(serde_json::from_str::<Money>(&text).expect("parses"), money);
    }

    #[test]
    fn the_hint_names_the_nearest_legal_amounts(currency in any_currency(), amount in -1_000_000_i64..1_000_000) {
        match Money::new(amount, currency).check_quantum() {
            Ok(()) => prop_assert_eq!(amount % currency.quantum(), 0),
            Err(MoneyError::OffQuantum { below, above, .. }) => {
                prop_assert!(below < amount && amount < above);
                prop_assert_eq!(above - below, currency.quantum());
                prop_assert!(Money::new(below, currency).check_quantum().is_ok());
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    /// Against sums in more bits: an operation is exact or refused.
    #[test]
    fn sums_are_exact_or_refused(currency in any_currency(), other in any_currency(), one in any::<i64>(), two in any::<i64>()) {
        let (left, right) = (Money::new(one, currency), Money::new(two, other));
        for (told, exact) in [
            (left.checked_add(right), i128::from(one) + i128::from(two)),
            (left.checked_sub(right), i128::from(one) - i128::from(two)),
        ] {
            let expected = if currency == other {
                i64::try_from(exact).map(|amount| Money::new(amount, currency)).map_err(|_| MoneyError::Overflow)
            } else {
                Err(MoneyError::OtherCurrency { left: currency, right: other })
            };
            prop_assert_eq!(told, expected);
        }
    }

    #[test]
    fn any_text_is_an_amount_or_refused(text in "[-+0-9., e]{0,24}|\\PC{0,12}", currency in any_currency()) {
        if let Ok(money) = Money::parse_decimal(&text, currency) {
            prop_assert!(money.check_quantum().is_ok());
            let shown = money.to_string();
            let (amount, _) = shown.split_once(' ').expect("amount and code");
            prop_assert_eq!(Money::parse_decimal(amount, currency), Ok(money));
        }
    }
}
