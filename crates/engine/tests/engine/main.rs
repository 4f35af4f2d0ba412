//! The engine against a Stripe that behaves, and one that does not: over real sockets, on a real store, on clocks that the
//! tests hold. What counts is Stripe's ledger: exactly the effects that should be there, and the states that say so.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use bursar_store::Database;

const DATABASE: Database = Database::Sqlite;

mod ageing;
mod alerts;
mod anew;
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
