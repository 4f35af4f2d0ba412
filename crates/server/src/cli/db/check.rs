//! Whether the database of an installation, or a copy of one, is sound, and what to do about what is not.

use std::path::{Path, PathBuf};

use bursar_store::check::{self, Problem};
use bursar_store::{audit, backup};
use serde_json::json;

use super::{place, unreadable};
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inert::inert;
use crate::cli::session::Session;
use crate::cli::{Outcome, runtime};

#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// A copy to be checked by itself, instead of the installation's database
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub fn run(args: &CheckArgs, session: &Session) -> Outcome {
    runtime::block_on(async {
        let (place, problems, audit, more) = if let Some(file) = &args.file {
            of_copy(file).await?
        } else {
            let options = place(session)?;
            let checked = check::installation(&options).await.map_err(|error| unreadable(&error))?;
            let place = match &options.postgres {
                Some(_) => "PostgreSQL".to_owned(),
                None => options.data_dir.display().to_string(),
            };
            let more = json!({"database": checked.database, "migrations": checked.migrations});
            (place, checked.problems, checked.audit, more)
        };
        let output = &session.output;
        if output.is_json() {
            let mut document = more;
            document["object"] = "database".into();
            document["ok"] = problems.is_empty().into();
            document["problems"] = json!(problems);
            document["audit"] = json!(audit);
            output.document(&document)?;
            return Ok(if problems.is_empty() { Exit::Done } else { Exit::Failed });
        }
        if !problems.is_empty() {
            return Err(unsound(&problems, &place));
        }
        let anchored = audit.anchor.map(|seq| format!(", anchored at {seq}")).unwrap_or_default();
        output.line(format_args!(
            "sound: {} audit entries, {} rows that they commit to{anchored}",
            audit.entries, audit.rows
        ))?;
        output.note(place);
        Ok(Exit::Done)
    })
}

type Found = (String, Vec<Problem>, audit::Report, serde_json::Value);

async fn of_copy(file: &Path) -> Result<Found, Failure> {
    let place = file.display().to_string();
    if !file.is_file() {
        return Err(Failure::new(Code::NotFound, format!("there is no file {place}"))
            .help("bursar db backup makes one"));
    }
    let copy = backup::examine(file).await.map_err(|error| {
        Failure::new(Code::CopyUnusable, format!("{place} cannot be read: {error}"))
            .help("is it a backup of Bursar's, and this version not older than it?")
    })?;
    let more = json!({"database": "sqlite", "bytes": copy.bytes, "sha256": copy.sha256, "installation": copy.installation});
    Ok((place, copy.problems, copy.audit, more))
}

/// Everything that is off, and what to do about the first of it.
pub fn unsound(problems: &[Problem], place: &str) -> Failure {
    let mut failure = Failure::new(Code::DatabaseUnsound, format!("the database in {place} is not sound"));
    for problem in problems {
        failure = failure.note(problem.what, inert(&problem.detail));
    }
    let help = match problems.first().map_or("", |problem| problem.what) {
        "schema" => "bursar db migrate, or the version that wrote it",
        "key" => {
            "put back the master key that was in use: master.key in the data directory, or storage.master_key"
        }
        "audit" | "anchor" => {
            "keep a copy of the data directory as it is; then: bursar audit verify. Bursar sends nothing from a copy until \
             it was compared with Stripe: bursar db reconcile"
        }
        _ => "keep a copy of the data directory as it is, stop, and restore a backup: bursar db restore FILE",
    };
    failure.help(help)
}
