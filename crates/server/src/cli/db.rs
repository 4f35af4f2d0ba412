//! `bursar db`: upgrade, copies, checks, and what comes after a copy was put back. They read the data directory itself;
//! only `reconcile` speaks to the running installation.

mod backup;
mod check;
mod migrate;
mod reconcile;
mod restore;

use bursar_store::{Error, Options};
use jiff::Timestamp;

use super::Outcome;
use super::code::Code;
use super::failure::Failure;
use super::session::Session;
use crate::config::paths;

const EXAMPLES: &str = "\
Examples:
  bursar db migrate --dry-run
  bursar db backup --output /backup/bursar.db
  bursar db check && bursar db check /backup/bursar.db
  bursar db restore /backup/bursar.db
  bursar db reconcile";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum DbCommand {
    /// Bring the tables up to date; `serve` does so too when it starts
    Migrate(migrate::MigrateArgs),
    /// Copy the database while it is in use; the master key is not in the copy
    Backup(backup::BackupArgs),
    /// Put a copy in the place of the database; nothing leaves until it was compared with Stripe
    Restore(restore::RestoreArgs),
    /// Whether the database, or a copy, is sound; exit 0 sound, 1 not
    Check(check::CheckArgs),
    /// How a restored copy compares with Stripe, and the act that lets things leave again
    Reconcile(reconcile::ReconcileArgs),
}

pub fn run(command: DbCommand, session: &Session) -> Outcome {
    match command {
        DbCommand::Migrate(args) => migrate::run(&args, session),
        DbCommand::Backup(args) => backup::run(&args, session),
        DbCommand::Restore(args) => restore::run(&args, session),
        DbCommand::Check(args) => check::run(&args, session),
        DbCommand::Reconcile(args) => reconcile::run(&args, session),
    }
}

/// Where the installation's data lies, with its key. One that does not exist is said so.
fn place(session: &Session) -> Result<Options, Failure> {
    let options = session.config(Vec::new())?.store_options(crate::service::node_name())?;
    if options.postgres.is_none() && !options.data_dir.join(paths::DATABASE_NAME).is_file() {
        return Err(no_installation(&options));
    }
    Ok(options)
}

fn no_installation(options: &Options) -> Failure {
    Failure::new(Code::NotFound, format!("there is no installation in {}", options.data_dir.display()))
        .help("name the one you mean: --data-dir or --config")
}

fn unreadable(error: &bursar_store::Error) -> Failure {
    let why = format!("the database cannot be read: {error}");
    match error {
        Error::Newer { .. } => super::serve::newer(why),
        Error::Unfinished(_) => Failure::new(Code::CannotRead, why)
            .help("go on with it: bursar init, bursar serve or bursar db migrate"),
        _ => Failure::new(Code::CannotRead, why),
    }
}

/// `20261128T001500Z`: sorts by time, and stands in a file's name anywhere.
#[expect(clippy::disallowed_methods, reason = "a name for a file, made where people are")]
fn stamp() -> String {
    Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// `12.3 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_one_unit() {
        for (bytes, told) in [
            (0, "0 kB"),
            (1, "1 kB"),
            (999_999, "1000 kB"),
            (12_345_678, "12.3 MB"),
            (2_050_000_000, "2.0 GB"),
        ] {
            assert_eq!(size(bytes), told);
        }
    }
}
