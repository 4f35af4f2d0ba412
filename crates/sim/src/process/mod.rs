//! Whole processes under faults: the program itself, on either database, with the fake Stripe in this process. It is
//! killed, frozen, cut off and told to end while events arrive and money moves; [`crate::checker`] says what came of it.
//!
//! What is random comes from the seed. When things happen depends on the machine too: a seed names a kind of run, and a
//! run that fails is kept as its folder.

mod backups;
mod by_hand;
mod disk;
mod draw;
mod first_start;
mod hostile;
mod kills;
mod load;
mod overload;
mod partitions;
mod people;
mod postgres;
mod pressure;
mod program;
mod proxy;
mod rolling;
mod shutdown;
mod site;
mod survivors;
mod upgrade;
mod zombies;

pub(crate) use backups::run as backups;
pub(crate) use disk::run as disk;
pub(crate) use hostile::run as hostile;
pub(crate) use kills::run as kills;
pub(crate) use overload::run as overload;
pub(crate) use partitions::run as partitions;
pub(crate) use shutdown::run as shutdown;
pub(crate) use survivors::run as survivors;
pub(crate) use upgrade::{STOPPED, run as upgrade, stop as stop_in_upgrade};
pub(crate) use zombies::run as zombies;

use bursar_store::Database;

use crate::goals::Run;

/// The databases that this run can prove something on.
fn databases(run: &Run) -> Vec<Database> {
    let postgres = run.postgres.as_ref().map(|_| Database::Postgres);
    [Some(Database::Sqlite), postgres].into_iter().flatten().collect()
}

fn name(database: Database) -> &'static str {
    match database {
        Database::Sqlite => "sqlite",
        Database::Postgres => "postgres",
    }
}

/// Runs what waits for processes.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // Somebody may have been first, and wanted the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(work)
}
