//! Typed reading of parameters, with Stripe's own complaints when a value does not fit.

use serde_json::{Map, Value};

use crate::error::{ApiError, ApiResult};

/// Instants or amounts from `least` to `most`, both included.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    least: i64,
    most: i64,
}

impl Range {
    pub fn holds(self, number: i64) -> bool {
        (self.least..=self.most).contains(&number)
    }
}

/// The parameters of a call, or a nested part of them. An empty text means "unset it".
#[derive(Debug, Clone, Default)]
pub struct Params {
    fields: Map<String, Value>,
    /// Where this part stands in the call, for messages: `items[0]`.
    place: String,
}

impl Params {
    pub fn new(fields: Map<String, Value>) -> Self {
        Self { fields, place: String::new() }
    }

    /// Parameters of our own making, from JSON.
    pub fn of(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self::new(fields),
            _ => Self::default(),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The parameter's full name, as messages give it.
    pub fn named(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}[{name}]", self.place) }
    }

    /// A text; absent and emptied both read as nothing.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    pub fn need(&self, name: &str) -> ApiResult<&str> {
        self.text(name).ok_or_else(|| ApiError::missing(&self.named(name)))
    }

    /// The parameter as a JSON value for a document: emptied is null.
    pub fn value(&self, name: &str) -> Option<Value> {
        match self.fields.get(name)? {
            Value::String(text) if text.is_empty() => Some(Value::Null),
            other => Some(other.clone()),
        }
    }

    pub fn int(&self, name: &str) -> ApiResult<Option<i64>> {
        match self.fields.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_i64()),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(ApiError::invalid(format!("Invalid integer: {text}"))
                    .code("parameter_invalid_integer")
                    .param(&self.named(name))),
            },
            Some(_) => Err(ApiError::invalid("Invalid integer").param(&self.named(name))),
        }
    }

    /// An integer of at least `least`.
    pub fn int_from(&self, name: &str, least: i64) -> ApiResult<Option<i64>> {
        match self.int(name)? {
            Some(number) if number < least => {
                let message = format!("This value must be greater than or equal to {least}.");
                Err(ApiError::invalid(message).code("parameter_invalid_integer").param(&self.named(name)))
            }
            other => Ok(other),
        }
    }

    pub fn flag(&self, name: &str) -> ApiResult<Option<bool>> {
        match self.fields.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(other) => {
                let text = other.as_str().unwrap_or("object");
                Err(ApiError::invalid(format!("Invalid boolean: {text}")).param(&self.named(name)))
            }
        }
    }

    pub fn one_of(&self, name: &str, choices: &[&str]) -> ApiResult<Option<&str>> {
        match self.text(name) {
            Some(text) if !choices.contains(&text) => {
                let listed = choices.join(", ");
                let message = format!("Invalid {}: must be one of {listed}", self.named(name));
                Err(ApiError::invalid(message).param(&self.named(name)))
            }
            other => Ok(other),
        }
    }

    /// A nested object; nothing when absent or emptied.
    pub fn part(&self, name: &str) -> Option<Self> {
        let fields = self.fields.get(name)?.as_object()?.clone();
        Some(Self { fields, place: self.named(name) })
    }

    /// The parts of a list of objects, in order of their indices.
    pub fn parts(&self, name: &str) -> Vec<Self> {
        let place = self.named(name);
        let part = |(index, value): (usize, &Value)| {
            let fields = value.as_object().cloned().unwrap_or_default();
            Self { fields, place: format!("{place}[{index}]") }
        };
        self.elements(name).into_iter().enumerate().map(part).collect()
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.elements(name).into_iter().filter_map(Value::as_str).collect()
    }

    fn elements(&self, name: &str) -> Vec<&Value> {
        match self.fields.get(name) {
            Some(Value::Array(elements)) => elements.iter().collect(),
            Some(Value::Object(fields)) => {
                let mut indexed: Vec<(u32, &Value)> =
                    fields.iter().filter_map(|(index, value)| Some((index.parse().ok()?, value))).collect();
                indexed.sort_by_key(|(index, _)| *index);
                indexed.into_iter().map(|(_, value)| value).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Metadata merged into what there is: an emptied key goes, an emptied whole clears.
    pub fn merge_metadata(&self, document: &mut Value) -> ApiResult<()> {
        match self.fields.get("metadata") {
            None => Ok(()),
            Some(Value::String(text)) if text.is_empty() => {
                document["metadata"] = Value::Object(Map::new());
                Ok(())
            }
            Some(Value::Object(fields)) => {
                let mut merged = document["metadata"].as_object().cloned().unwrap_or_default();
                for (key, value) in fields {
                    match value.as_str() {
                        Some("") => drop(merged.remove(key)),
                        Some(text) if key.chars().count() <= 40 && text.chars().count() <= 500 => {
                            merged.insert(key.clone(), value.clone());
                        }
                        _ => {
                            let message = "Metadata keys can have up to 40 characters and values up to 500.";
                            return Err(ApiError::invalid(message).param("metadata"));
                        }
                    }
                }
                if merged.len() > 50 {
                    return Err(ApiError::invalid("Metadata can have up to 50 keys.").param("metadata"));
                }
                document["metadata"] = Value::Object(merged);
                Ok(())
            }
            Some(_) => Err(ApiError::invalid("Invalid hash").param("metadata")),
        }
    }

    /// Copies the named parameters, where given, onto fields of the same name.
    pub fn copy(&self, document: &mut Value, names: &[&str]) {
        for name in names {
            if let Some(value) = self.value(name) {
                document[*name] = value;
            }
        }
    }

    /// The range this parameter gives: a number, or `gt`, `gte`, `lt`, `lte`. Absent it spans everything.
    pub fn range(&self, name: &str) -> ApiResult<Range> {
        let Some(bounds) = self.part(name) else {
            let exact = self.int(name)?;
            return Ok(Range { least: exact.unwrap_or(i64::MIN), most: exact.unwrap_or(i64::MAX) });
        };
        let least = [bounds.int("gte")?, bounds.int("gt")?.map(|bound| bound.saturating_add(1))];
        let most = [bounds.int("lte")?, bounds.int("lt")?.map(|bound| bound.saturating_sub(1))];
        Ok(Range {
            least: least.into_iter().flatten().max().unwrap_or(i64::MIN),
            most: most.into_iter().flatten().min().unwrap_or(i64::MAX),
        })
    }

    /// One text that equal parameters share and different ones do not.
    pub fn fingerprint(&self) -> String {
        Value::Object(self.fields.clone()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_keep_the_order_of_their_indices() {
        let params = Params::of(json!({"items": {"10": {"price": "b"}, "2": {"price": "a"}}}));
        let prices: Vec<_> =
            params.parts("items").iter().map(|part| part.text("price").unwrap().to_owned()).collect();
        assert_eq!(prices, ["a", "b"]);
        assert_eq!(params.parts("items")[1].named("price"), "items[1][price]");
    }

    #[test]
    fn ranges_bound_both_ways() {
        let params = Params::of(json!({"created": {"gte": "10", "lt": "20"}}));
        let range = params.range("created").unwrap();
        assert_eq!([9, 10, 19, 20].map(|instant| range.holds(instant)), [false, true, true, false]);
        assert!(Params::of(json!({"created": "7"})).range("created").unwrap().holds(7));
        assert!(!Params::of(json!({"created": "7"})).range("created").unwrap().holds(8));
        assert!(Params::of(json!({"created": {"gte": "x"}})).range("created").is_err());
    }

    #[test]
    fn metadata_merges_and_unsets() {
        let mut document = json!({"metadata": {"a": "1", "b": "2"}});
        Params::of(json!({"metadata": {"a": "", "c": "3"}})).merge_metadata(&mut document).unwrap();
        assert_eq!(document["metadata"], json!({"b": "2", "c": "3"}));
        Params::of(json!({"metadata": ""})).merge_metadata(&mut document).unwrap();
        assert_eq!(document["metadata"], json!({}));
    }
}
