//! Canonical JSON, of two documents parted by a line `----`. What has a canonical text reads back from it as the same value, that
//! text is its own canonical text, and two documents have one digest if and only if they are one value.
#![no_main]

use bursar_domain::canonical::{digest, to_text};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(
    init: bursar_fuzz::seeds([
        "{\"b\":1,\"a\":[true,null,\"é\\n\"]}\n----\n{\"a\":[true,null,\"\\u00e9\\n\"],\"b\":1}",
        "{\"a\":1}\n----\n{\"a\":\"1\"}",
        "18446744073709551615\n----\n-9223372036854775808",
        "1.0\n----\n1",
        "-0\n----\n0",
        "\"\\ud83d\\ude00\\u0000\\u2028\\u007f\"\n----\n[]",
        "{\"$serde_json::private::RawValue\":\"{\\\"a\\\":1}\"}\n----\n{\"a\":1}",
        "{\"$serde_json::private::Number\":\"1\"}\n----\n1",
    ]),
    |text: &str| {
        let (one, other) = bursar_fuzz::parts(text);
        let (one, other) = (read(one), read(other));
        for (value, canonical) in [&one, &other].into_iter().flatten() {
            let again: Value = serde_json::from_str(canonical).expect("canonical text is JSON");
            assert_eq!(again, *value);
            assert_eq!(to_text(&again).expect("it had one"), *canonical);
        }
        if let (Some((one, _)), Some((other, _))) = (&one, &other) {
            let same = digest(one).expect("it has a text") == digest(other).expect("it has a text");
            assert_eq!(same, one == other);
        }
    }
);

/// A stranger's document and its canonical text, where it has one.
fn read(text: &str) -> Option<(Value, String)> {
    let value = bursar_stripe::json::read(text.as_bytes()).ok()?;
    let canonical = to_text(&value).ok()?;
    Some((value, canonical))
}
