//! `/health`: how far behind, what is stuck, what may act.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use bursar_domain::role::Role;
use bursar_engine::{Health, LaneHealth};
use serde_json::Value;

use super::posted::{Nothing, Posted};
use super::reading::{Reading, count, exact, length, micros};
use super::said::Said;
use super::view::{
    self, ApartRow, DeadLetterRow, GapRow, HealthPage, Icon, Inert, ModeRow, PollerRow, Section, Stamp,
    Status, Tone,
};
use super::visit::Visit;
use super::wording;
use crate::http::problem::Problem;
use crate::http::troubles::{is_unsealed, troubles};

/// Those who may try a parked job again.
const RETRIES: [Role; 2] = [Role::Platform, Role::Operator];
const ROWS: i64 = 25;
/// Of the types that a gap held, so many characters are shown.
const TYPES_CAP: usize = 300;
/// Work that has been due longer than this is late.
const LATE_S: u64 = 60;

pub async fn show(visit: Visit) -> Response {
    let page = page(&visit).await.map(|page| view::page(&page));
    visit.answer(page).await
}

async fn page(visit: &Visit) -> Result<HealthPage, Problem> {
    let engine = visit.engine();
    let health = engine.health().await?;
    let (business, machine) = (visit.reading(), Reading::machine(engine.clocks().machine()));
    let (overall, sentence) = overall(&health);
    let now = engine.clocks().machine().micros();
    Ok(HealthPage {
        shell: visit.shell("Health", Section::Health, &visit.survey().await?),
        overall,
        sentence,
        readings: readings(&health),
        pollers: pollers(&health, now, business, machine),
        gaps: engine.gaps(ROWS).await?.items.iter().map(gap_row).collect(),
        dead_letters: engine.dead_letters(ROWS).await?.items.iter().map(dead_letter).collect(),
        apart: engine.quarantined(ROWS).await?.items.iter().filter_map(apart_row).collect(),
        may_retry: visit.caller.roles.iter().any(|role| RETRIES.contains(role)),
        modes: engine.modes().await?.items.iter().map(mode_row).collect(),
    })
}

fn overall(health: &Health) -> (Status, String) {
    // Every tile that says "Look" is told here too.
    let mut troubles = troubles(health);
    if is_late(health) {
        troubles.push("work is late".to_owned());
    }
    match (health.executions_waiting, health.executions_in_doubt) {
        (0, 0) => {}
        (waiting, 0) => troubles.push(format!("{} sent and not answered by Stripe yet", things(waiting))),
        (_, doubtful) => {
            troubles.push(format!("{} in doubt: nobody can tell what became of it", things(doubtful)));
        }
    }
    if !health.mail {
        troubles.push("no mail server is configured, so letters wait".to_owned());
    }
    match troubles.as_slice() {
        [] => (Status::new(Tone::Good, "Well"), "Everything that arrived is handled.".to_owned()),
        [one] => (
            Status::new(Tone::Warn, "One thing to look at").with_icon(Icon::Warn),
            super::notice::sentence(one),
        ),
        many => {
            let word = format!("{} things to look at", many.len());
            (Status::new(Tone::Warn, word).with_icon(Icon::Warn), super::notice::sentence(&many.join("; ")))
        }
    }
}

fn is_late(health: &Health) -> bool {
    health.oldest_due_age_s.is_some_and(|age| age > LATE_S)
}

fn things(number: i64) -> String {
    if number == 1 { "one execution is".to_owned() } else { format!("{} executions are", count(number)) }
}

/// What was sent and has no known end: by itself it comes right, in doubt it waits for a person.
fn waiting_at_stripe(health: &Health) -> (i64, String) {
    let (waiting, doubtful) = (health.executions_waiting, health.executions_in_doubt);
    let note = match doubtful {
        0 => "sent, not answered yet".to_owned(),
        _ => format!("{} in doubt", count(doubtful)),
    };
    (waiting + doubtful, note)
}

fn readings(health: &Health) -> Vec<view::Reading> {
    let oldest = |age: Option<u64>| {
        age.map_or_else(|| "nothing waits".to_owned(), |age| format!("oldest {}", span(age)))
    };
    let reading = |label: &str, value: i64, note: String, good: bool| view::Reading {
        label: label.to_owned(),
        value: count(value),
        note,
        status: if good { Status::new(Tone::Good, "Normal") } else { Status::new(Tone::Warn, "Look") },
    };
    let newest = health
        .last_event_age_s
        .map_or_else(|| "none yet".to_owned(), |age| format!("last {} ago", span(age)));
    let (unsettled, unsettled_note) = waiting_at_stripe(health);
    vec![
        reading("Events kept", health.events, newest, true),
        reading(
            "Work due",
            health.queue.due + health.queue.leased,
            oldest(health.oldest_due_age_s),
            !is_late(health),
        ),
        reading(
            "Gave up",
            health.queue.dead,
            format!("{} planned for later", count(health.queue.later)),
            health.queue.dead == 0,
        ),
        reading("Waits for Stripe", unsettled, unsettled_note, unsettled == 0),
        reading("Open approvals", health.approvals_pending, oldest(health.oldest_approval_age_s), true),
        reading(
            "Quarantined",
            health.quarantined,
            "from Stripe, unusable, not looked at".to_owned(),
            health.quarantined == 0,
        ),
        reading(
            "Audit, unsealed",
            health.audit_unsealed,
            "sealed within a second".to_owned(),
            !is_unsealed(health),
        ),
    ]
}

fn span(seconds: u64) -> String {
    length(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn pollers(health: &Health, now: i64, business: Reading, machine: Reading) -> Vec<PollerRow> {
    let unconnected = health.unconnected.iter().map(|name| PollerRow {
        source: name.clone(),
        status: Status::new(Tone::Bad, "Not connected").with_icon(Icon::Warn),
        last: None,
        complete_to: None,
        error: None,
    });
    health.lanes.iter().map(|lane| poller(lane, now, business, machine)).chain(unconnected).collect()
}

fn poller(lane: &LaneHealth, now: i64, business: Reading, machine: Reading) -> PollerRow {
    let status = match (&lane.stopped, &lane.last_error) {
        (Some(_), _) => Status::new(Tone::Bad, "Stopped"),
        (None, Some(_)) => Status::new(Tone::Bad, "Does not answer").with_icon(Icon::Warn),
        (None, None) => Status::new(Tone::Good, "Reading"),
    };
    let polled = lane.polled_age_s.and_then(|age| i64::try_from(age).ok());
    PollerRow {
        source: format!("{} ({})", lane.lane, lane.sources.join(" and ")),
        status,
        last: polled.map(|age_s| machine.age(now.saturating_sub(age_s.saturating_mul(1_000_000)))),
        complete_to: lane.complete_to.as_deref().and_then(micros).map(|at| business.when(at)),
        error: lane.last_error.as_deref().or(lane.stopped.as_deref()).map(Inert::line),
    }
}

fn gap_row(gap: &Value) -> GapRow {
    let stamp = |field: &str| gap[field].as_str().and_then(micros).map_or_else(Stamp::default, exact);
    let events = gap["events"].as_i64().unwrap_or(0);
    let types = crate::held::in_words(&gap["held"]);
    GapRow {
        from: stamp("from"),
        to: stamp("to"),
        length: length(gap["length_s"].as_i64().unwrap_or(0)),
        held: match events {
            0 => "nothing".to_owned(),
            1 => "1 event, found by polling".to_owned(),
            many => format!("{} events, found by polling", count(many)),
        },
        types: Inert::capped(&types, TYPES_CAP),
        status: Status::new(Tone::Good, "Filled"),
    }
}

/// What nobody has looked at yet.
fn apart_row(row: &Value) -> Option<ApartRow> {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    (text("state") == "waiting").then(|| ApartRow {
        id: text("id").to_owned(),
        reason: Inert::line(text("reason")),
        source: Inert::line(&format!("{} {}", text("source"), text("lane"))),
        received: micros(text("received_at")).map_or_else(Stamp::default, exact),
    })
}

fn dead_letter(row: &Value) -> DeadLetterRow {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let about = row["about"].as_object().into_iter().flatten().find_map(|(_, value)| value.as_str());
    DeadLetterRow {
        id: text("id").to_owned(),
        job: format!("{} {}", text("kind"), about.unwrap_or_default()),
        error: Inert::capped(text("error"), 400),
        attempts: row["attempts"].as_i64().unwrap_or(0),
        since: micros(text("created_at")).map_or_else(Stamp::default, exact),
    }
}

fn mode_row(row: &Value) -> ModeRow {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let (tone, note) = match text("mode") {
        "automate" => (Tone::Good, "Follows policy: acts by itself where policy allows"),
        "assist" => (Tone::Active, "Asks people about everything that leaves Bursar"),
        _ => (Tone::Quiet, "Records what it would have done"),
    };
    ModeRow {
        playbook: wording::capitalised(text("playbook")),
        lane: text("lane").to_owned(),
        status: Status::new(tone, wording::capitalised(text("mode"))),
        note: note.to_owned(),
    }
}

pub async fn retry(Path(id): Path<String>, posted: Posted<Nothing>) -> Response {
    let visit = posted.visit.back_to("/health");
    let retried = try_again(&visit, &id).await;
    visit.answer(retried).await
}

async fn try_again(visit: &Visit, id: &str) -> Result<Response, Problem> {
    visit.caller.require(&RETRIES)?;
    visit.engine().retry_dead_letter(&visit.caller.actor, id).await?;
    Ok(Said::Retried.with(Redirect::to("/health").into_response()))
}

#[cfg(test)]
mod tests {
    use bursar_store::jobs::Depth;

    use super::*;

    fn health() -> Health {
        Health {
            events: 1,
            last_event_age_s: Some(1),
            approvals_pending: 3,
            oldest_approval_age_s: Some(90),
            audit_head: 1,
            mail: true,
            ..Health::default()
        }
    }

    #[test]
    fn the_headline_never_contradicts_a_tile() {
        let sick = [
            Health { quarantined: 2, ..health() },
            Health { executions_waiting: 1, ..health() },
            Health { executions_in_doubt: 1, ..health() },
            Health { queue: Depth { dead: 1, ..health().queue }, ..health() },
            Health { oldest_due_age_s: Some(3_600), ..health() },
            Health { audit_unsealed: 5_000, ..health() },
            Health { audit_unsealed: 1, audit_unsealed_age_s: Some(61), ..health() },
        ];
        for health in [health()].into_iter().chain(sick) {
            let looks = readings(&health).iter().filter(|reading| reading.status.word == "Look").count();
            let (headline, sentence) = overall(&health);
            assert_eq!(headline.word == "Well", looks == 0, "{sentence}");
        }
    }
}
