//! Reads what a document of the API says, leniently: what is missing shows as nothing.

use bursar_stripe::{Currency, Money};
use serde_json::Value;

/// The text at the first of these pointers where there is one; numbers and flags in words.
pub fn text(document: &Value, pointers: &[&str]) -> String {
    pointers.iter().find_map(|pointer| words(document.pointer(pointer)?)).unwrap_or_default()
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        _ => None,
    }
}

/// `{"amount": 64000, "currency": "usd"}` in the document itself or as its `amount`.
pub fn money(document: &Value) -> Option<Money> {
    let holder = document.get("amount").filter(|amount| amount.is_object()).unwrap_or(document);
    let amount = holder.get("amount")?.as_i64()?;
    let currency = Currency::parse(holder.get("currency")?.as_str()?).ok()?;
    Some(Money::new(amount, currency))
}

pub fn money_text(document: &Value) -> String {
    money(document).map(|money| money.to_string()).unwrap_or_default()
}

/// `1,490.00 GBP`, as people read it everywhere; programs get it without commas.
pub fn grouped(money: Money) -> String {
    let plain = money.to_string();
    let (sign, rest) = plain.strip_prefix('-').map_or(("", plain.as_str()), |rest| ("-", rest));
    let whole = rest.find(['.', ' ']).unwrap_or(rest.len());
    let (digits, tail) = rest.split_at(whole);
    let mut out = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + tail
}

/// The elements of a list.
pub fn list(document: &Value) -> &[Value] {
    document.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_read_in_both_shapes_and_never_guessed() {
        assert_eq!(money_text(&json!({"amount": 64000, "currency": "usd"})), "640.00 USD");
        assert_eq!(money_text(&json!({"amount": {"amount": 500, "currency": "jpy"}})), "500 JPY");
        assert_eq!(money_text(&json!({"amount": 64000})), "");
        assert_eq!(money_text(&json!({"amount": 640.5, "currency": "usd"})), "");
    }

    #[test]
    fn people_read_amounts_in_groups() {
        for (amount, currency, shown) in [
            (149_000, "gbp", "1,490.00 GBP"),
            (-123_456_789, "usd", "-1,234,567.89 USD"),
            (500, "jpy", "500 JPY"),
            (1_000, "jpy", "1,000 JPY"),
        ] {
            assert_eq!(grouped(Money::new(amount, Currency::parse(currency).unwrap())), shown);
        }
    }

    #[test]
    fn the_first_pointer_that_leads_somewhere_counts() {
        let document = json!({"a": null, "b": {"c": "x"}, "d": true});
        assert_eq!(text(&document, &["/a", "/b/c"]), "x");
        assert_eq!(text(&document, &["/d"]), "yes");
        assert_eq!(text(&document, &["/e"]), "");
    }
}
