//! A fingerprint of an event that does not depend on how it was delivered.
//!
//! Fields are hashed with their lengths, objects by sorted key, so that neither the order of keys nor the
//! meeting of two fields can make different events look alike.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Event, EventObject};

pub(super) fn across_versions(event: &Event) -> String {
    hex::encode(core(event).finalize())
}

pub(super) fn within_version(event: &Event) -> String {
    let mut hash = core(event);
    optional(&mut hash, event.api_version.as_deref());
    match &event.object {
        EventObject::Snapshot { object, previous_attributes } => {
            hash.update(b"s");
            canonical(&mut hash, object);
            canonical(&mut hash, previous_attributes.as_ref().unwrap_or(&Value::Null));
        }
        EventObject::Thin { related_kind, related_id, related_url, .. } => {
            hash.update(b"t");
            for part in [related_kind, related_id, related_url] {
                optional(&mut hash, part.as_deref());
            }
        }
    }
    hex::encode(hash.finalize())
}

fn core(event: &Event) -> Sha256 {
    let mut hash = Sha256::new();
    text(&mut hash, &event.kind);
    hash.update(event.created_s.to_be_bytes());
    optional(&mut hash, event.request_id.as_deref());
    optional(&mut hash, event.request_idempotency_key.as_deref());
    hash
}

fn canonical(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update(b"n"),
        Value::Bool(true) => hash.update(b"y"),
        Value::Bool(false) => hash.update(b"f"),
        Value::Number(number) => {
            hash.update(b"#");
            text(hash, &number.to_string());
        }
        Value::String(string) => {
            hash.update(b"\"");
            text(hash, string);
        }
        Value::Array(items) => {
            hash.update(b"[");
            length(hash, items.len());
            for item in items {
                canonical(hash, item);
            }
        }
        Value::Object(fields) => {
            hash.update(b"{");
            length(hash, fields.len());
            // Already in order unless some crate of the build asks serde_json to preserve another.
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in sorted {
                text(hash, key);
                canonical(hash, value);
            }
        }
    }
}

fn optional(hash: &mut Sha256, value: Option<&str>) {
    match value {
        Some(value) => {
            hash.update(b"+");
            text(hash, value);
        }
        None => hash.update(b"-"),
    }
}

fn text(hash: &mut Sha256, text: &str) {
    length(hash, text.len());
    hash.update(text.as_bytes());
}

fn length(hash: &mut Sha256, length: usize) {
    hash.update((length as u64).to_be_bytes());
}
