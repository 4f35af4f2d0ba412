//! What storage means, as one suite: every promise of the store, stated once and tried. Whoever adds a database runs this
//! and nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod approvals;
mod audit;
mod cases;
mod disk;
mod events;
mod executions;
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
mod writer;
