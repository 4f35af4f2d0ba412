//! The schema of the configuration: published for editors, and asked here which keys exist and what they take.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::secret::MARK;
use super::settings::Settings;

/// The whole schema without references, so that it can be walked like the tree it describes.
#[derive(Debug)]
pub struct ConfigSchema(Value);

/// The part of the schema that one value must meet.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a>(&'a Value);

impl ConfigSchema {
    pub fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .for_deserialize()
            .with(|settings| settings.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<Settings>().to_value();
        // `storage` has a default that depends on the data directory, so that nobody has to write it.
        if let Some(root) = schema.as_object_mut() {
            root.remove("required");
            root.insert("title".to_owned(), Value::from("bursar.toml"));
        }
        Self(schema)
    }

    pub fn root(&self) -> Part<'_> {
        Part(&self.0)
    }

    pub fn as_json(&self) -> &Value {
        &self.0
    }
}

impl<'a> Part<'a> {
    /// The part for a key, or nothing when there is no such key.
    pub fn child(self, key: &str) -> Option<Part<'a>> {
        let object = self.object()?;
        let named = object.0.get("properties").and_then(|properties| properties.get(key));
        let any = object.0.get("additionalProperties").filter(|schema| schema.is_object());
        named.or(any).map(Part)
    }

    /// Every key that may stand here, where they are fixed.
    pub fn keys(self) -> Vec<&'a str> {
        let properties = self.object().and_then(|object| object.0.get("properties")?.as_object());
        properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// The part that each element of a list meets.
    pub fn items(self) -> Option<Part<'a>> {
        self.alternative("array").and_then(|list| list.0.get("items")).map(Part)
    }

    pub fn is_secret(self) -> bool {
        self.alternatives().any(|schema| schema.get(MARK).is_some())
    }

    pub fn takes(self, kind: &str) -> bool {
        self.alternative(kind).is_some()
    }

    /// The words allowed here, where they are listed.
    pub fn words(self) -> Vec<&'a str> {
        let lists = self.alternatives().filter_map(|schema| schema.get("enum")?.as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    }

    /// Descends through maps and tables.
    pub fn at(self, path: &[&str]) -> Option<Part<'a>> {
        path.iter().try_fold(self, |part, key| part.child(key))
    }

    fn object(self) -> Option<Part<'a>> {
        self.alternative("object")
    }

    fn alternative(self, kind: &str) -> Option<Part<'a>> {
        let fits = |schema: &&Value| match schema.get("type") {
            Some(Value::String(name)) => name == kind,
            Some(Value::Array(names)) => names.iter().any(|name| name == kind),
            _ => false,
        };
        self.alternatives().find(fits).map(Part)
    }

    /// The schema itself and what it allows instead; an optional value is one of two.
    fn alternatives(self) -> impl Iterator<Item = &'a Value> {
        let among = |word: &str| self.0.get(word).and_then(Value::as_array).into_iter().flatten();
        std::iter::once(self.0).chain(among("anyOf")).chain(among("oneOf"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_walked_like_the_file() {
        let schema = ConfigSchema::new();
        let root = schema.root();
        assert!(root.keys().contains(&"approvals"));
        let main = root.at(&["stripe", "main"]).expect("any name is a section");
        assert!(main.child("api_key").expect("is a key").is_secret());
        assert!(main.child("webhook_secrets").and_then(Part::items).expect("is a list").is_secret());
        assert!(main.child("mode").expect("is a key").words().contains(&"assist"));
        assert!(root.at(&["mail", "smtp", "port"]).expect("is a key").takes("integer"));
        assert!(root.at(&["server", "listn"]).is_none());
        assert!(!schema.as_json().to_string().contains("$ref"), "nothing to follow");
    }
}
