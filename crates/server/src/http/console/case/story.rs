//! One line of a case's timeline: who, what, and how it came out.

use serde_json::Value;

use crate::http::console::documents::LineDocument;
use crate::http::console::reading::{Reading, micros};
use crate::http::console::view::{ActorIcon, Inert, Status, TimelineEntry, Tone};
use crate::http::console::wording;

pub(super) fn entry(line: &LineDocument, reading: Reading) -> TimelineEntry {
    let mut entry = TimelineEntry {
        actor: wording::actor_icon(&line.actor.kind),
        name: Inert::capped(&name(&line.actor.label), 60),
        what: wording::words(&line.kind).to_lowercase(),
        amount: None,
        detail: None,
        href: None,
        status: None,
        at: micros(&line.at).map(|at| reading.when(at)).unwrap_or_default(),
    };
    let data = &line.data;
    match line.kind.as_str() {
        "event" => event(&mut entry, data),
        "decision" => decision(&mut entry, data, reading),
        "proposal" => proposal(&mut entry, data),
        "vote" => vote(&mut entry, data),
        "execution" => execution(&mut entry, data),
        "stopped" => {
            "stopped working on it: a person must look".clone_into(&mut entry.what);
            entry.detail = joined([text(data, "why")]);
        }
        "waits" => {
            entry.what = format!("waits: {}", headline(data));
            entry.detail = joined([text(data, "why")]);
        }
        "closed" => entry.what = format!("closed the case: {}", text(data, "outcome")),
        _ => {}
    }
    entry
}

/// What stays inside Bursar: neither allowed nor carried out in a way that anybody outside sees.
const TASK: &str = "task.create";

/// `playbook recovery` -> `Recovery`.
fn name(label: &str) -> String {
    let bare = ["playbook ", "agent ", "API key "].iter().find_map(|kind| label.strip_prefix(kind));
    wording::capitalised(bare.unwrap_or(label))
}

fn text<'d>(data: &'d Value, field: &str) -> &'d str {
    data[field].as_str().unwrap_or_default()
}

/// It may hold the customer's name, whatever that is made of.
fn headline(data: &Value) -> String {
    Inert::line(text(data, "headline")).text()
}

/// Those that say something, in a row.
fn joined<'t>(parts: impl IntoIterator<Item = &'t str>) -> Option<Inert> {
    let told: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    (!told.is_empty()).then(|| Inert::line(&told.join(" · ")))
}

fn event(entry: &mut TimelineEntry, data: &Value) {
    entry.actor = ActorIcon::Stripe;
    entry.name = Inert::line("Stripe");
    text(data, "type").clone_into(&mut entry.what);
    if data["opened"] == true {
        entry.detail = Some(Inert::line("opened this case"));
    }
}

fn decision(entry: &mut TimelineEntry, data: &Value, reading: Reading) {
    entry.what = format!("found: {}", wording::class(text(data, "class")).to_lowercase());
    let again = micros(text(data, "wake_at")).map(|at| format!("looks again {}", reading.when(at).text));
    entry.detail =
        joined([text(data, "rule"), text(data, "incomplete"), again.as_deref().unwrap_or_default()]);
}

fn proposal(entry: &mut TimelineEntry, data: &Value) {
    let headline = headline(data);
    let by_people = matches!(entry.actor, ActorIcon::Person | ActorIcon::Agent | ActorIcon::ApiKey);
    if text(data, "verb") == TASK {
        entry.what = format!("asks a person: {headline}");
        entry.detail = joined([text(data, "reason")]);
        return;
    }
    let again = data["supersedes"].is_string();
    entry.what = match (by_people, again) {
        (true, true) => format!("asked for, again with what holds now: {headline}"),
        (true, false) => format!("asked for: {headline}"),
        (false, _) => format!("proposed: {headline}"),
    };
    entry.status = Some(wording::ruling_status(text(data, "ruling")));
    entry.href = data["approval"].as_str().map(|id| format!("/approvals/{id}"));
    let policies: Vec<&str> =
        data["policies"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let notes: Vec<&str> = data["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let claim = data["claimed"].as_str().map(|claim| format!("“{claim}”"));
    let why = if again { text(data, "reason") } else { "" };
    let reason = if by_people { claim.as_deref().unwrap_or_default() } else { text(data, "reason") };
    entry.detail = joined([why, reason, &policies.join(", "), &notes.join("; ")]);
}

fn vote(entry: &mut TimelineEntry, data: &Value) {
    entry.href = data["approval"].as_str().map(|id| format!("/approvals/{id}"));
    let (what, status) = match (text(data, "choice"), text(data, "state")) {
        ("approve", _) => ("approved it", Status::new(Tone::Good, "Yes")),
        ("reject", _) => ("rejected it", Status::new(Tone::Bad, "No")),
        (_, "expired") => ("let the approval expire: nobody decided", wording::proposal_status("expired")),
        _ => ("voted", Status::new(Tone::Quiet, "Vote")),
    };
    what.clone_into(&mut entry.what);
    entry.status = Some(status);
    entry.detail = data["reason"]
        .as_str()
        .filter(|reason| !reason.is_empty())
        .map(|reason| Inert::line(&format!("“{reason}”")));
}

fn execution(entry: &mut TimelineEntry, data: &Value) {
    let headline = match headline(data) {
        headline if headline.is_empty() => text(data, "verb").to_owned(),
        headline => headline,
    };
    let state = text(data, "state");
    let by_hand = matches!(entry.actor, ActorIcon::Person);
    entry.what = match state {
        "done" if text(data, "verb") == TASK => {
            "put it among what is to do".clone_into(&mut entry.what);
            return;
        }
        "done" if by_hand => format!("said that it happened: {headline}"),
        "done" => format!("carried out: {headline}"),
        "looking_again" => format!("asked to look again: {headline}"),
        "no_effect" if by_hand => format!("said that it did not happen: {headline}"),
        "void" => format!("did not carry out: {headline}"),
        _ => format!("tried to carry out: {headline}"),
    };
    entry.status = Some(wording::proposal_status(state));
    entry.detail =
        joined([text(data, "why"), text(data, "code"), text(data, "object"), text(data, "request_id")]);
}
