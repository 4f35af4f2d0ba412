//! `bursar audit`: checks and exports read the data directory itself, so that they work without a running installation
//! and without trusting one.

mod export;
mod tail;
mod verify;

use std::path::PathBuf;

use bursar_store::{Options, Store};

use super::Outcome;
use super::code::Code;
use super::failure::Failure;
use super::session::Session;
use crate::config::paths;

/// The name of a process that only looks.
const READER: &str = "audit";
const EXAMPLES: &str = "\
Examples:
  bursar audit verify --json
  bursar audit export --output audit.ndjson
  bursar audit tail --follow";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum AuditCommand {
    /// Check the whole chain and every row it commits to; exit 0 sound, 1 not
    Verify,
    /// Write sealed entries, one JSON document a line
    Export(export::ExportArgs),
    /// The newest entries of the running installation
    Tail(tail::TailArgs),
}

pub fn run(command: AuditCommand, session: &Session) -> Outcome {
    match command {
        AuditCommand::Verify => verify::run(session),
        AuditCommand::Export(args) => export::run(&args, session),
        AuditCommand::Tail(args) => tail::run(&args, session),
    }
}

/// The store of the installation, read-only, beside its owner or without one.
async fn open(session: &Session) -> Result<(Store, PathBuf), Failure> {
    let options = place(session)?;
    let data_dir = options.data_dir.clone();
    if options.postgres.is_none() && !data_dir.join(paths::DATABASE_NAME).is_file() {
        return Err(Failure::new(
            Code::NotFound,
            format!("there is no installation in {}", data_dir.display()),
        )
        .help("name the one you mean: --data-dir or --config"));
    }
    let failed = |error: bursar_store::Error| {
        Failure::new(Code::NotFound, format!("no audit can be read in {}", data_dir.display()))
            .note("cause", error.to_string())
            .help("name the installation: --data-dir or --config")
    };
    let store = Store::open_read_only(&options).await.map_err(failed)?;
    Ok((store, data_dir))
}

/// Where nothing names an installation and there is none, a demo will do, as for every other command.
fn place(session: &Session) -> Result<Options, Failure> {
    let own = session.store_options(READER)?;
    if own.postgres.is_some() {
        return Ok(own);
    }
    Ok(session.demo_instead_of(&own.data_dir).map_or(own, |dir| Options::sqlite(dir, READER)))
}

fn unreadable(error: &bursar_store::Error) -> Failure {
    Failure::new(Code::CannotRead, format!("the audit cannot be read: {error}"))
}
