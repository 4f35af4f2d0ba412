//! The same suite on `PostgreSQL`, with what only several nodes can do to one another.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use bursar_store::Database;

const DATABASE: Database = Database::Postgres;

mod alerts;
mod anchor;
mod approvals;
mod audit;
mod cases;
mod checks;
mod events;
mod executions;
mod history;
mod jobs;
mod nodes;
mod objects;
mod opening;
mod proposals;
mod records;
mod rolling;
mod rows;
mod scene;
mod sealing;
mod statements;
mod tampering;
mod upgrades;
mod writer;
