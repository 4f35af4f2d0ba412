//! Canonical JSON: one text for one value, so that a digest means the value. Keys in byte order, no spaces, integers
//! only; a number with a fraction or an exponent is refused rather than guessed at.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    #[error("a number that is not an integer has no canonical form")]
    NotAnInteger,
    #[error("the value is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// The canonical text of anything that serialises.
pub fn to_text(value: &impl Serialize) -> Result<String, CanonicalError> {
    let value = serde_json::to_value(value)?;
    let mut out = String::with_capacity(256);
    write_value(&value, &mut out)?;
    Ok(out)
}

/// SHA-256 over the canonical text, in lower-case hex.
pub fn digest(value: &impl Serialize) -> Result<String, CanonicalError> {
    Ok(hash_hex(to_text(value)?.as_bytes()))
}

/// SHA-256 in lower-case hex.
pub fn hash_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn write_value(value: &Value, out: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            if number.is_f64() {
                return Err(CanonicalError::NotAnInteger);
            }
            // Writing to a String cannot fail.
            let _ = write!(out, "{number}");
        }
        Value::String(text) => out.push_str(&serde_json::to_string(text)?),
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_value(item, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (place, key) in keys.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(key)?);
                out.push(':');
                write_value(&map[key], out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn key_order_does_not_matter_and_values_do() {
        let one = to_text(&json!({"b": 1, "a": [true, null, "é\n"]})).unwrap();
        assert_eq!(one, r#"{"a":[true,null,"é\n"],"b":1}"#);
        assert_eq!(digest(&json!({"a": 1, "b": 2})).unwrap(), digest(&json!({"b": 2, "a": 1})).unwrap());
        assert_ne!(digest(&json!({"a": 1})).unwrap(), digest(&json!({"a": "1"})).unwrap());
    }

    #[test]
    fn fractions_are_refused() {
        assert!(matches!(to_text(&json!({"a": 1.0})), Err(CanonicalError::NotAnInteger)));
    }
}
