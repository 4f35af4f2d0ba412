//! From a JSON value to an event: the two envelopes, field by field.

use serde_json::{Map, Value};

use super::{Event, EventError, EventObject, instant, legality};
use crate::id::{AccountId, EventId};

type Fields = Map<String, Value>;

/// The last second of the year 9999.
const CREATED_S_MAX: i64 = 253_402_300_799;
/// Types, versions, request ids and keys of Stripe's are far shorter (a key has at most 255 characters).
const TEXT_LENGTH_MAX: usize = 512;

pub(super) fn read(value: Value) -> Result<Event, EventError> {
    let Value::Object(mut fields) = value else {
        return Err(EventError::Invalid { field: "body" });
    };
    match fields.get("object").and_then(Value::as_str) {
        Some("event") => snapshot(&mut fields),
        Some("v2.core.event") => thin(&mut fields),
        Some(_) => Err(EventError::Invalid { field: "object" }),
        None => Err(EventError::Missing { field: "object" }),
    }
}

fn snapshot(fields: &mut Fields) -> Result<Event, EventError> {
    let (request_id, request_idempotency_key) = request(fields.get("request"))?;
    let event = Event {
        id: id(fields)?,
        kind: required_text(fields, "type")?,
        created_s: created_s(fields)?,
        livemode: livemode(fields)?,
        account: account(fields.get("account"), "account")?,
        api_version: optional_text(fields.get("api_version"), "api_version")?,
        request_id,
        request_idempotency_key,
        pending_webhooks: fields.get("pending_webhooks").and_then(Value::as_i64),
        object: data(fields.remove("data"))?,
    };
    legality::check(&event)?;
    Ok(event)
}

fn data(data: Option<Value>) -> Result<EventObject, EventError> {
    let mut data = match data {
        Some(Value::Object(data)) => data,
        Some(_) => return Err(EventError::Invalid { field: "data" }),
        None => return Err(EventError::Missing { field: "data" }),
    };
    let object = match data.remove("object") {
        Some(object @ Value::Object(_)) => object,
        Some(_) => return Err(EventError::Invalid { field: "data.object" }),
        None => return Err(EventError::Missing { field: "data.object" }),
    };
    let previous_attributes = data.remove("previous_attributes").filter(|value| !value.is_null());
    Ok(EventObject::Snapshot { object, previous_attributes })
}

fn thin(fields: &mut Fields) -> Result<Event, EventError> {
    let cause = fields.get("reason").and_then(|reason| reason.get("request"));
    let (request_id, request_idempotency_key) = request(cause)?;
    Ok(Event {
        id: id(fields)?,
        kind: required_text(fields, "type")?,
        created_s: created_instant(fields)?,
        livemode: livemode(fields)?,
        account: context(fields.get("context"))?,
        api_version: None,
        request_id,
        request_idempotency_key,
        pending_webhooks: None,
        object: related(fields.get("related_object"), fields.get("snapshot_event"))?,
    })
}

fn related(related: Option<&Value>, snapshot: Option<&Value>) -> Result<EventObject, EventError> {
    let part = |key: &'static str, field: &'static str| {
        optional_text(related.and_then(|related| related.get(key)), field)
    };
    if related.is_some_and(|related| !related.is_object() && !related.is_null()) {
        return Err(EventError::Invalid { field: "related_object" });
    }
    Ok(EventObject::Thin {
        related_kind: part("type", "related_object.type")?,
        related_id: part("id", "related_object.id")?,
        related_url: part("url", "related_object.url")?,
        // A hint that saves a second look: one that is no id is as good as none.
        snapshot_event: snapshot.and_then(Value::as_str).and_then(|id| EventId::parse(id).ok()),
    })
}

fn id(fields: &Fields) -> Result<EventId, EventError> {
    match fields.get("id") {
        None | Some(Value::Null) => Err(EventError::Missing { field: "id" }),
        Some(Value::String(id)) => EventId::parse(id).map_err(|_| EventError::Invalid { field: "id" }),
        Some(_) => Err(EventError::Invalid { field: "id" }),
    }
}

fn created_s(fields: &Fields) -> Result<i64, EventError> {
    let created = fields.get("created").ok_or(EventError::Missing { field: "created" })?;
    created
        .as_i64()
        .filter(|created_s| (0..=CREATED_S_MAX).contains(created_s))
        .ok_or(EventError::Invalid { field: "created" })
}

/// Thin events carry an instant in text where snapshots carry seconds.
fn created_instant(fields: &Fields) -> Result<i64, EventError> {
    let created = fields.get("created").ok_or(EventError::Missing { field: "created" })?;
    created
        .as_str()
        .and_then(instant::seconds_of)
        .filter(|created_s| (0..=CREATED_S_MAX).contains(created_s))
        .ok_or(EventError::Invalid { field: "created" })
}

fn livemode(fields: &Fields) -> Result<bool, EventError> {
    let livemode = fields.get("livemode").ok_or(EventError::Missing { field: "livemode" })?;
    livemode.as_bool().ok_or(EventError::Invalid { field: "livemode" })
}

fn account(value: Option<&Value>, field: &'static str) -> Result<Option<AccountId>, EventError> {
    let account = optional_text(value, field)?;
    account.map(|id| AccountId::parse(&id).map_err(|_| EventError::Invalid { field })).transpose()
}

/// An account, or a path down to one inside an organisation: `org_…/acct_…`.
fn context(value: Option<&Value>) -> Result<Option<AccountId>, EventError> {
    let context = optional_text(value, "context")?;
    let last = context.as_deref().and_then(|context| context.rsplit('/').next());
    last.filter(|id| id.starts_with("acct_"))
        .map(|id| AccountId::parse(id).map_err(|_| EventError::Invalid { field: "context" }))
        .transpose()
}

/// An object with id and key, or, from versions before 2017-05-25, the id alone.
fn request(value: Option<&Value>) -> Result<(Option<String>, Option<String>), EventError> {
    match value {
        Some(Value::Object(request)) => Ok((
            optional_text(request.get("id"), "request.id")?,
            optional_text(request.get("idempotency_key"), "request.idempotency_key")?,
        )),
        other => Ok((optional_text(other, "request")?, None)),
    }
}

fn required_text(fields: &Fields, field: &'static str) -> Result<String, EventError> {
    optional_text(fields.get(field), field)?.ok_or(EventError::Missing { field })
}

fn optional_text(value: Option<&Value>, field: &'static str) -> Result<Option<String>, EventError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if is_plain(text) => Ok(Some(text.clone())),
        Some(_) => Err(EventError::Invalid { field }),
    }
}

/// Something, not endless, and nothing that a database or a log line chokes on.
pub(super) fn is_plain(text: &str) -> bool {
    (1..=TEXT_LENGTH_MAX).contains(&text.len()) && !text.contains(char::is_control)
}
