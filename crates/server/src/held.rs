//! What a gap in the events held, in words: `9 charge.succeeded, 3 invoice.paid`.

use std::cmp::Reverse;

use serde_json::Value;

/// The most frequent first. Nothing where nothing is known.
pub fn in_words(held: &Value) -> String {
    let counts = held.as_object().into_iter().flatten();
    let mut counts: Vec<(i64, &str)> =
        counts.filter_map(|(kind, count)| Some((count.as_i64()?, kind.as_str()))).collect();
    counts.sort_by_key(|(count, kind)| (Reverse(*count), *kind));
    let parts: Vec<String> = counts.into_iter().map(|(count, kind)| format!("{count} {kind}")).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_most_frequent_stands_first() {
        let held = json!({"a.b": 1, "invoice.paid": 3, "charge.succeeded": 12, "c.d": 1});
        assert_eq!(in_words(&held), "12 charge.succeeded, 3 invoice.paid, 1 a.b, 1 c.d");
        assert_eq!(in_words(&Value::Null), "");
    }
}
