//! Reading and shaping JSON documents without ceremony.

use serde_json::{Map, Value};

/// Fields of a document; an absent field reads as the empty value of its type.
pub trait Doc {
    fn text(&self, field: &str) -> &str;
    fn maybe_text(&self, field: &str) -> Option<&str>;
    fn int(&self, field: &str) -> i64;
    fn maybe_int(&self, field: &str) -> Option<i64>;
    fn flag(&self, field: &str) -> bool;
    /// The elements of an array field, or of the `data` of a list field.
    fn elements(&self, field: &str) -> &[Value];
}

impl Doc for Value {
    fn text(&self, field: &str) -> &str {
        self.maybe_text(field).unwrap_or_default()
    }

    fn maybe_text(&self, field: &str) -> Option<&str> {
        at(self, field)?.as_str()
    }

    fn int(&self, field: &str) -> i64 {
        self.maybe_int(field).unwrap_or_default()
    }

    fn maybe_int(&self, field: &str) -> Option<i64> {
        at(self, field)?.as_i64()
    }

    fn flag(&self, field: &str) -> bool {
        at(self, field).and_then(Value::as_bool).unwrap_or_default()
    }

    fn elements(&self, field: &str) -> &[Value] {
        let value = at(self, field);
        let array = value.and_then(Value::as_array).or_else(|| value?.get("data")?.as_array());
        array.map_or(&[], Vec::as_slice)
    }
}

/// The value at a dotted path.
fn at<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    if !path.contains('.') {
        return document.get(path);
    }
    path.split('.').try_fold(document, |value, field| value.get(field))
}

/// What an update changed: the old values of changed fields, down to the leaves of objects, as
/// Stripe's `previous_attributes` shows them.
pub fn previous_attributes(before: &Value, after: &Value) -> Map<String, Value> {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else { return Map::new() };
    let mut previous = Map::new();
    for (field, old_value) in old {
        match new.get(field) {
            Some(new_value) if new_value == old_value => {}
            Some(new_value) if old_value.is_object() && new_value.is_object() => {
                previous.insert(field.clone(), Value::Object(previous_attributes(old_value, new_value)));
            }
            _ => {
                previous.insert(field.clone(), old_value.clone());
            }
        }
    }
    for field in new.keys().filter(|field| !old.contains_key(*field)) {
        previous.insert(field.clone(), Value::Null);
    }
    previous
}

/// A list as Stripe embeds it.
pub fn list(url: &str, data: impl Into<Value>) -> Value {
    serde_json::json!({"object": "list", "data": data.into(), "has_more": false, "url": url})
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn previous_attributes_hold_only_what_changed() {
        let before = json!({"status": "open", "paid_at": {"a": 1, "b": null}, "amount": 5});
        let after = json!({"status": "paid", "paid_at": {"a": 1, "b": 7}, "amount": 5, "late": true});
        let previous = Value::Object(previous_attributes(&before, &after));
        assert_eq!(previous, json!({"status": "open", "paid_at": {"b": null}, "late": null}));
    }

    #[test]
    fn paths_reach_into_objects_and_lists() {
        let document = json!({"lines": {"object": "list", "data": [1, 2]}, "a": {"b": "x"}});
        assert_eq!(document.elements("lines").len(), 2);
        assert_eq!(document.text("a.b"), "x");
        assert_eq!(document.int("c.d"), 0);
    }
}
