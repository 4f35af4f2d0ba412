//! A secret of the configuration. It shows itself to nobody: printing, logging and serialising it give its mask.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::mask;

/// What marks a secret in the schema.
pub const MARK: &str = "x-bursar-secret";

#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    kept_in: KeptIn,
}

/// Where the text of a secret lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptIn {
    /// In the configuration file itself.
    Clear,
    File(String),
    /// The name of an environment variable, whose value it is.
    Variable(String),
}

impl Secret {
    pub fn new(value: SecretString, kept_in: KeptIn) -> Self {
        Self { value, kept_in }
    }

    /// To be handed to what needs it, never into text.
    pub fn expose(&self) -> &SecretString {
        &self.value
    }

    pub fn kept_in(&self) -> &KeptIn {
        &self.kept_in
    }

    /// A key of Stripe's live mode, by its prefix.
    pub fn is_live_key(&self) -> bool {
        let key = self.value.expose_secret();
        key.starts_with("sk_live_") || key.starts_with("rk_live_")
    }

    pub fn masked(&self) -> String {
        mask::secret(self.value.expose_secret())
    }

    /// The form in which a secret travels from the tree to its type, inside this module only.
    pub(super) fn to_internal(&self) -> Value {
        let kept_in = match &self.kept_in {
            KeptIn::Clear => json!("clear"),
            KeptIn::File(path) => json!({ "file": path }),
            KeptIn::Variable(name) => json!({ "env": name }),
        };
        json!({"value": self.value.expose_secret(), "kept_in": kept_in})
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Secret({})", self.masked())
    }
}

/// The mask, so that a configuration can be shown.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.masked())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Not the value: it may hold what was meant to be a secret.
        let refused = || D::Error::custom("expected a secret: { file = \"…\" } or { env = \"…\" }");
        let Value::Object(mut parts) = Value::deserialize(from).map_err(|_| refused())? else {
            return Err(refused());
        };
        let (Some(Value::String(value)), Some(kept_in)) = (parts.remove("value"), parts.remove("kept_in"))
        else {
            return Err(refused());
        };
        let kept_in = match &kept_in {
            Value::Object(place) => match (place.get("file"), place.get("env")) {
                (Some(Value::String(path)), None) => KeptIn::File(path.clone()),
                (None, Some(Value::String(name))) => KeptIn::Variable(name.clone()),
                _ => return Err(refused()),
            },
            _ => KeptIn::Clear,
        };
        Ok(Self { value: value.into(), kept_in })
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            MARK: true,
            "description": "A secret: { file = \"…\" } or { env = \"…\" }. In clear it is refused with a live key.",
            "anyOf": [
                {"type": "object", "required": ["file"], "additionalProperties": false,
                 "properties": {"file": {"type": "string", "description": "Path of a file that holds the secret."}}},
                {"type": "object", "required": ["env"], "additionalProperties": false,
                 "properties": {"env": {"type": "string", "description": "Name of an environment variable."}}},
                {"type": "string"},
            ],
        })
    }
}
