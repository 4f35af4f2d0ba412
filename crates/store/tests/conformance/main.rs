//! What storage means, as one suite: every promise of the store, stated once and tried on each database. This run is about
//! `SQLite`, with what only a file can go through; `postgres.rs` beside it is the other one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use bursar_store::Database;

const DATABASE: Database = Database::Sqlite;

mod additions;
mod alerts;
mod anchor;
mod approvals;
mod audit;
mod backup;
mod bytes;
mod cases;
mod checks;
mod disk;
mod events;
mod executions;
mod history;
mod jobs;
mod objects;
mod opening;
mod proposals;
mod records;
mod rows;
mod scene;
mod sealing;
mod statements;
mod tampering;
mod upgrades;
mod writer;
