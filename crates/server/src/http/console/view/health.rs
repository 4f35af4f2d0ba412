//! Whether the installation is well: how far behind, what is stuck, what may act.

use askama::Template;

use super::icon::Icon;
use super::inert::Inert;
use super::shell::Shell;
use super::stamp::Stamp;
use super::status::Status;

/// `/health`.
#[derive(Template)]
#[template(path = "health.html")]
pub struct HealthPage {
    pub shell: Shell,
    pub overall: Status,
    /// One sentence: `Everything that arrived is handled.`
    pub sentence: String,
    /// Ingest lag, queue depth and the like; four to six.
    pub readings: Vec<Reading>,
    pub pollers: Vec<PollerRow>,
    pub gaps: Vec<GapRow>,
    pub dead_letters: Vec<DeadLetterRow>,
    /// What was set aside and nobody has looked at.
    pub apart: Vec<ApartRow>,
    /// The reader may try them again.
    pub may_retry: bool,
    pub modes: Vec<ModeRow>,
}

pub struct Reading {
    pub label: String,
    /// With its unit: `1.2 s`, `14`.
    pub value: String,
    /// `p99 over 5 min`, `oldest 3 s`.
    pub note: String,
    pub status: Status,
}

pub struct PollerRow {
    pub source: String,
    pub status: Status,
    /// When it was last asked; nothing before the first time.
    pub last: Option<Stamp>,
    /// Up to when nothing is missing.
    pub complete_to: Option<Stamp>,
    /// What it said last, where that was an error.
    pub error: Option<Inert>,
}

/// A time in which events may have been missed.
pub struct GapRow {
    pub from: Stamp,
    pub to: Stamp,
    /// `4 min 10 s`.
    pub length: String,
    /// `12 events found by polling`.
    pub held: String,
    /// `9 charge.succeeded, 3 invoice.paid`.
    pub types: Inert,
    pub status: Status,
}

/// A job that gave up and waits for a person.
pub struct DeadLetterRow {
    pub id: String,
    /// `decide evt_… (invoice.payment_failed)`.
    pub job: String,
    pub error: Inert,
    pub attempts: i64,
    pub since: Stamp,
}

/// An event of Stripe's that cannot be used.
pub struct ApartRow {
    pub id: String,
    /// `id_with_other_content`.
    pub reason: Inert,
    /// The way it came, and its lane where that is known.
    pub source: Inert,
    pub received: Stamp,
}

/// How far a playbook may go on a lane.
pub struct ModeRow {
    pub playbook: String,
    pub lane: String,
    pub status: Status,
    /// `asks an operator for everything that leaves Bursar`.
    pub note: String,
}
