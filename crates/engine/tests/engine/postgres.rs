//! The same on `PostgreSQL`, and what several nodes do to one another.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use bursar_store::Database;

const DATABASE: Database = Database::Postgres;

mod ageing;
mod alerts;
mod answers;
mod apart;
mod budgets;
mod clocks;
mod connect;
mod crashes;
mod crowded;
mod doubt;
mod governance;
mod held;
mod history;
mod ingest;
mod letters;
mod lookups;
mod modes;
mod nodes;
mod outages;
mod recovery;
mod refunds;
mod restored;
mod reversals;
mod scene;
mod sellers;
mod separation;
mod stage;
mod stopped;
mod thin;
mod unsettled;
