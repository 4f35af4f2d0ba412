//! Form encoding with brackets, as v1 speaks it: `items[0][price]=x&metadata[a]=b&expand[]=c`.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Decodes a query or a body into nested objects of texts. Lists are objects with numeric fields, so
/// that `metadata[0]` and `items[0]` need no guess; [`super::Params`] reads them as what is asked for.
pub fn decode(encoded: &str) -> Option<Map<String, Value>> {
    let mut root = Map::new();
    for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (unescape(name)?, unescape(value)?);
        insert(&mut root, &path(&name)?, value);
    }
    Some(root)
}

fn unescape(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// `a[b][]` as `["a", "b", ""]`.
fn path(name: &str) -> Option<Vec<&str>> {
    let Some((head, rest)) = name.split_once('[') else { return Some(vec![name]) };
    let inner = rest.strip_suffix(']')?;
    let path: Vec<&str> = std::iter::once(head).chain(inner.split("][")).collect();
    (path.len() <= 12 && !head.is_empty()).then_some(path)
}

fn insert(object: &mut Map<String, Value>, path: &[&str], value: String) {
    let Some((head, rest)) = path.split_first() else { return };
    let field = if head.is_empty() { object.len().to_string() } else { (*head).to_owned() };
    if rest.is_empty() {
        object.insert(field, Value::String(value));
        return;
    }
    let inner = object.entry(field).or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        insert(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn brackets_nest() {
        let decoded =
            decode("items[0][price]=price_1&expand[]=a&expand[]=b.c&metadata[k%5B]=x+y%26&empty=").unwrap();
        let expected = json!({
            "items": {"0": {"price": "price_1"}}, "expand": {"0": "a", "1": "b.c"},
            "metadata": {"k[": "x y&"}, "empty": "",
        });
        assert_eq!(Value::Object(decoded), expected);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(decode("a[b=1").is_none());
        assert!(decode("a=%ff").is_none());
    }
}
