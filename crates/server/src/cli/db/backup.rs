//! One moment of the database in a file of its own, whole and checked before it has its name. `serve` goes on meanwhile.

use std::path::PathBuf;

use bursar_store::backup::{self, Copy};
use bursar_store::{Error, PostgresUrl};
use serde_json::json;

use super::{place, size, stamp, unreadable};
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::{Outcome, runtime};

const NO_KEY: &str = "the master key is not in it: keep master.key as safe as your other keys, elsewhere. Without it nobody reads \
                      the sealed contents again";

#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// A new file; without it, one named after the time in `backups` of the data directory
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: &BackupArgs, session: &Session) -> Outcome {
    runtime::block_on(async {
        let options = place(session)?;
        if let Some(url) = &options.postgres {
            return Err(own_tools(url));
        }
        let target = if let Some(path) = &args.output {
            path.clone()
        } else {
            let folder = options.data_dir.join("backups");
            crate::setup::make_data_dir(&folder).map_err(|error| {
                Failure::new(Code::CannotWrite, format!("{} cannot be made: {error}", folder.display()))
            })?;
            folder.join(format!("bursar-{}.db", stamp()))
        };
        let copy = backup::write(&options.data_dir, &target).await.map_err(|error| failed(&error))?;
        if !copy.problems.is_empty() {
            return Err(super::check::unsound(&copy.problems, &options.data_dir.display().to_string())
                .note("effect", "no backup was kept"));
        }
        told(&copy, session)?;
        Ok(Exit::Done)
    })
}

fn told(copy: &Copy, session: &Session) -> Result<(), Failure> {
    let output = &session.output;
    let path = copy.path.display().to_string();
    if output.is_json() {
        return output.document(&json!({"object": "backup", "path": path, "bytes": copy.bytes, "sha256": copy.sha256,
            "installation": copy.installation, "audit_entries": copy.audit.entries, "audit_head": copy.audit.head,
            "master_key_included": false}));
    }
    output.line(&path)?;
    output.note(format_args!(
        "{}, checked: {} audit entries, sha256 {}\n{NO_KEY}",
        size(copy.bytes),
        copy.audit.entries,
        copy.sha256
    ));
    Ok(())
}

fn failed(error: &Error) -> Failure {
    match error {
        Error::Conflict(_) | Error::Full(_) => {
            Failure::new(Code::CannotWrite, format!("no backup was made: {error}"))
                .help("name a new file where there is room: --output FILE")
        }
        _ => unreadable(error),
    }
}

/// The same for `PostgreSQL`, in its own words.
fn own_tools(url: &PostgresUrl) -> Failure {
    Failure::new(Code::OwnTools, "the data lies in PostgreSQL, which makes its own backups")
        .note("effect", "nothing was copied")
        .note("copy", format!("pg_dump --format=custom --file=bursar.dump '{}'", url.url))
        .help("for a point in time archive its logs: docs/guide/backup.md. The master key is in neither")
}
