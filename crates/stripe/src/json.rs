//! JSON that strangers wrote, read as what it is.
//!
//! `serde_json` gives fields of its own a meaning wherever it reads a `Value`: one called `$serde_json::private::RawValue`,
//! first in its object, is taken for the text of the whole object, and read once more. Strangers may choose names of fields, as in
//! `metadata`. Kept and read again, their object would be another one, or none at all. So such a name loses its `$` where it
//! comes in.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

const RESERVED: &str = "$serde_json::";

/// Any JSON as a value. Of a field that stands twice the last one counts.
pub fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Plain>(bytes).map(|Plain(value)| value)
}

/// The name under which a field may be kept.
pub(crate) fn field(mut name: String) -> String {
    if name.starts_with(RESERVED) {
        name.remove(0);
    }
    name
}

/// A value whose objects hold nothing but their own fields.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Plain(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Plain(value))) = entries.next_entry()? {
            fields.insert(field(name), value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What the store does with a value.
    fn kept(value: &Value) -> Value {
        serde_json::from_slice(&serde_json::to_vec(value).expect("writes")).expect("reads")
    }

    #[test]
    fn what_strangers_name_their_fields_is_not_what_they_hold() {
        for (name, text) in [
            ("$serde_json::private::RawValue", r#"{\"amount\":1}"#),
            ("$serde_json::private::RawValue", "["),
            ("$serde_json::private::Number", "12"),
        ] {
            let body = format!(r#"{{"metadata":{{"{name}":"{text}"}},"id":"ch_1"}}"#);
            let value = read(body.as_bytes()).expect("JSON");
            assert!(value["metadata"][&name[1..]].is_string(), "{value}");
            assert_eq!(kept(&value), value);
        }
    }

    #[test]
    fn everything_else_is_read_as_serde_json_reads_it() {
        let text = r#" {"a":[1,-1,18446744073709551615,1.5,1e-7,true,false,null,"é\n\u0000"],"b":{},"a$serde_json::":{"$":1}} "#;
        assert_eq!(read(text.as_bytes()).expect("JSON"), serde_json::from_str::<Value>(text).expect("JSON"));
        assert_eq!(read(br#"{"a":1,"a":2}"#).expect("JSON"), json!({"a": 2}));
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for bad in ["", "{", "{} {}", "{\"a\":1,}", "nul", "1e999", deep.as_str()] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
