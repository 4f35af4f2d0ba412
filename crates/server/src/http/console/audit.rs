//! `/audit`: who did what to which object, newest first, and whether the chain over it holds.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use bursar_domain::time::MachineTime;
use bursar_store::audit::Report;
use bursar_store::people::Person;
use serde::Deserialize;
use serde_json::Value;

use super::posted::{Nothing, Posted};
use super::reading::{Reading, count, exact};
use super::said::Said;
use super::view::{self, AuditPage, Chain, Icon, Section, Status, Tone};
use super::visit::{Visit, encoded};
use crate::http::auth::CHECKS_AUDIT;
use crate::http::problem::Problem;

mod entry;

/// What the last check of the whole chain found. Checking reads everything, so it is done when somebody asks for it.
#[derive(Default)]
pub struct LastCheck(Mutex<Option<(MachineTime, Report)>>);

impl LastCheck {
    fn get(&self) -> Option<(MachineTime, Report)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, at: MachineTime, report: Report) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, report));
    }
}

#[derive(Deserialize)]
pub struct Asked {
    actor: Option<String>,
    object: Option<String>,
    before: Option<i64>,
}

const ROWS: usize = 50;
const READ_AT_ONCE: i64 = 200;
/// A filter looks at this many entries and then says how far back it came.
const SEARCHED_MAX: usize = 4_000;

pub async fn show(
    visit: Visit,
    Extension(last): Extension<Arc<LastCheck>>,
    Query(asked): Query<Asked>,
) -> Response {
    let page = page(&visit, &last, &asked).await.map(|page| view::page(&page));
    visit.answer(page).await
}

async fn page(visit: &Visit, last: &LastCheck, asked: &Asked) -> Result<AuditPage, Problem> {
    let reading = Reading::machine(visit.engine().clocks().machine());
    let (actor, object) = (trimmed(asked.actor.as_deref()), trimmed(asked.object.as_deref()));
    let people = visit.engine().people().await?;
    let found = search(visit, (&actor, &object), asked.before, &people).await?;
    let filtered = !actor.is_empty() || !object.is_empty();
    let filter = format!("actor={}&object={}", encoded(&actor), encoded(&object));
    let searched = found.last_at.filter(|_| filtered && found.older_than.is_some());
    Ok(AuditPage {
        shell: visit.shell("Audit", Section::Audit, &visit.survey().await?),
        chain: chain(visit, last, reading).await?,
        searched_back_to: searched.map(exact),
        rows: found.entries.iter().map(|document| entry::row(document, &people)).collect(),
        newer_href: asked.before.map(|_| format!("/audit?{filter}")),
        older_href: found.older_than.map(|seq| format!("/audit?{filter}&before={seq}")),
        actor,
        object,
    })
}

fn trimmed(text: Option<&str>) -> String {
    text.unwrap_or_default().trim().chars().take(100).collect()
}

struct Found {
    entries: Vec<Value>,
    /// The next page begins before this place in the chain.
    older_than: Option<i64>,
    /// When the last entry looked at was made.
    last_at: Option<i64>,
}

async fn search(
    visit: &Visit,
    (actor, object): (&str, &str),
    mut before: Option<i64>,
    people: &[Person],
) -> Result<Found, Problem> {
    let mut found = Found { entries: Vec::new(), older_than: None, last_at: None };
    let mut searched = 0;
    loop {
        let page = visit.engine().audit_entries(READ_AT_ONCE, before).await?;
        for document in page.items {
            searched += 1;
            before = document["seq"].as_i64().or(before);
            found.last_at = document["at"].as_str().and_then(super::reading::micros);
            if entry::matches(&document, actor, object, people) {
                found.entries.push(document);
            }
            if found.entries.len() == ROWS || searched == SEARCHED_MAX {
                found.older_than = before.filter(|seq| *seq > 1);
                return Ok(found);
            }
        }
        if !page.has_more {
            return Ok(found);
        }
    }
}

async fn chain(visit: &Visit, last: &LastCheck, reading: Reading) -> Result<Chain, Problem> {
    let health = visit.engine().health().await?;
    let check = last.get();
    let status = match check.as_ref().map(|(_, report)| report) {
        None => Status::new(Tone::Quiet, "Not checked since the start").with_icon(Icon::Audit),
        Some(report) if report.ok => Status::new(Tone::Good, "Chain holds").with_icon(Icon::Audit),
        Some(report) => {
            let place =
                report.first_bad.as_ref().and_then(|bad| bad.seq).map(|seq| format!(" at {}", count(seq)));
            Status::new(Tone::Bad, format!("Chain broken{}", place.unwrap_or_default())).with_icon(Icon::Warn)
        }
    };
    let newest = visit.engine().audit_entries(1, Some(health.audit_head.saturating_add(1))).await?;
    let head = newest.items.first().and_then(|entry| entry["hash"].as_str()).unwrap_or("empty");
    Ok(Chain {
        status,
        entries: count(health.audit_head),
        unsealed: count(health.audit_unsealed),
        head: head.chars().take(12).collect(),
        verified: check.map(|(at, _)| reading.age(at.micros())),
    })
}

pub async fn verify(Extension(last): Extension<Arc<LastCheck>>, posted: Posted<Nothing>) -> Response {
    let visit = posted.visit.back_to("/audit");
    let checked = match visit.caller.require(CHECKS_AUDIT) {
        Ok(()) => visit.engine().verify_audit().await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    let answer = checked.map(|report| {
        last.set(visit.engine().clocks().machine(), report);
        Said::Verified.with(Redirect::to("/audit").into_response())
    });
    visit.answer(answer).await
}
