//! One entry of the audit as a row: whose act, on what, in a line.

use bursar_store::people::Person;
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use serde_json::Value;

use crate::http::console::reading::{amount, count, exact, micros};
use crate::http::console::view::{ActorIcon, AuditRow, Inert};
use crate::http::console::wording;

/// Fields that name what an entry is about, the most telling first.
const OBJECTS: [&str; 11] = [
    "approval",
    "case",
    "proposal",
    "execution",
    "task",
    "job",
    "person",
    "token",
    "playbook",
    "scope",
    "policy_set",
];
const SUMMARY_CHARS: usize = 160;

pub(super) fn row(document: &Value, people: &[Person]) -> AuditRow {
    let key = document["actor"].as_str().unwrap_or("engine");
    let object = object(document);
    AuditRow {
        id: document["id"].as_str().unwrap_or_default().to_owned(),
        sequence: document["seq"].as_i64().map(count).unwrap_or_default(),
        at: document["at"].as_str().and_then(micros).map(exact).unwrap_or_default(),
        actor_icon: icon(key),
        actor: Inert::capped(&name(key, people), 60),
        kind: document["kind"].as_str().unwrap_or_default().to_owned(),
        object_href: href(&object),
        object: object.chars().take(40).collect(),
        summary: Inert::capped(&summary(document), SUMMARY_CHARS),
        hash: document["hash"].as_str().map(|hash| hash.chars().take(8).collect()),
    }
}

/// Whether it is by this actor (a name, or the key as kept) and on this object (an id in any of its fields).
pub(super) fn matches(document: &Value, actor: &str, object: &str, people: &[Person]) -> bool {
    let key = document["actor"].as_str().unwrap_or("engine");
    let (wanted, name) = (actor.to_lowercase(), name(key, people).to_lowercase());
    let by = actor.is_empty() || key == actor || name.contains(&wanted);
    let on = object.is_empty()
        || holds(&document["data"], object)
        || document["commits"].as_array().into_iter().flatten().any(|commit| holds(commit, object));
    by && on
}

fn holds(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted || text.split(' ').any(|part| part == wanted),
        Value::Array(items) => items.iter().any(|item| holds(item, wanted)),
        Value::Object(fields) => fields.values().any(|field| holds(field, wanted)),
        _ => false,
    }
}

fn icon(key: &str) -> ActorIcon {
    wording::actor_icon(key.split(':').next().unwrap_or_default())
}

fn name(key: &str, people: &[Person]) -> String {
    match key.split_once(':') {
        Some(("person", id)) => people
            .iter()
            .find(|person| person.id.as_str() == id)
            .map_or_else(|| id.to_owned(), |person| person.name.clone()),
        Some(("playbook", playbook)) => wording::capitalised(playbook),
        Some((_, id)) => id.to_owned(),
        None => "Bursar".to_owned(),
    }
}

fn object(document: &Value) -> String {
    let data = &document["data"];
    OBJECTS.iter().find_map(|field| data[*field].as_str()).unwrap_or_default().to_owned()
}

fn href(object: &str) -> Option<String> {
    if object.starts_with("apreq_") {
        return Some(format!("/approvals/{object}"));
    }
    object.starts_with("case_").then(|| format!("/cases/{object}"))
}

fn summary(document: &Value) -> String {
    let data = &document["data"];
    let text = |field: &str| data[field].as_str().unwrap_or_default();
    let list = |field: &str| {
        data[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    match document["kind"].as_str().unwrap_or_default() {
        "verdict.given" => {
            let by = list("policies");
            let by = if by.is_empty() { "no policy".to_owned() } else { by };
            joined(&[
                text("verb"),
                &money(&data["amount"]),
                text("target"),
                &format!("{} by {by}", text("ruling")),
            ])
        }
        "vote.cast" => {
            joined(&[text("choice"), &format!("as {}", list("roles")), &format!("by {}", text("method"))])
        }
        "decision.made" => joined(&[&wording::class(text("class")), text("signal")]),
        "execution.intended" => joined(&[text("verb"), text("idempotency_key")]),
        "execution.outcome" => {
            joined(&[&wording::words(text("state")), text("code"), text("object"), text("request_id")])
        }
        "events.accepted" => match data["events"].as_i64().unwrap_or(0) {
            1 => "1 event".to_owned(),
            many => format!("{} events", count(many)),
        },
        "proposal.ended" => joined(&[text("state"), text("why")]),
        _ => plain(data, &object(document)),
    }
}

fn money(value: &Value) -> String {
    let currency = value["currency"].as_str().and_then(|code| Currency::parse(code).ok());
    match (value["amount"].as_i64(), currency) {
        (Some(minor), Some(currency)) => amount(Money::new(minor, currency)).text(),
        _ => String::new(),
    }
}

/// Those that say something, in a row; keys and message ids by their beginning.
fn joined(parts: &[&str]) -> String {
    let told = parts.iter().filter(|part| !part.is_empty()).map(|part| {
        let is_key = part.len() > 40 && !part.contains(' ');
        if is_key { format!("{}…", part.chars().take(24).collect::<String>()) } else { (*part).to_owned() }
    });
    told.collect::<Vec<_>>().join(" · ")
}

/// Fields that are short, by name; hashes say nothing to people, and the object has a column of its own.
fn plain(data: &Value, object: &str) -> String {
    let fields = data.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) if text == object || text.len() > 40 => return None,
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).take(4).collect::<Vec<_>>().join(", ")
            }
            _ => return None,
        };
        Some(format!("{} {text}", name.replace('_', " ")))
    });
    fields.collect::<Vec<_>>().join(" · ")
}
