//! Puts a copy in the place of the database, after it was checked and somebody agreed. What was there is kept beside it.
//! From then on nothing leaves Bursar until the copy was compared with Stripe.

use std::path::{Path, PathBuf};

use bursar_engine::{Clocks, hold_restored};
use bursar_store::backup::{Copy, Restoring};
use bursar_store::{Error, Options, PostgresUrl, Store};
use serde_json::json;

use super::{no_installation, size, stamp, unreadable};
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::{Outcome, ask, instant, runtime};
use crate::config::paths;

#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// A backup
    #[arg(value_name = "FILE", required_unless_present = "in_place", conflicts_with = "in_place")]
    file: Option<PathBuf>,
    /// The copy lies where it belongs already, as after a restore of `PostgreSQL`: only hold what would leave
    #[arg(long)]
    in_place: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub fn run(args: &RestoreArgs, session: &Session) -> Outcome {
    let config = session.config(Vec::new())?;
    let options = config.store_options(crate::service::node_name())?;
    runtime::block_on_threads(async {
        match (&args.file, &options.postgres) {
            (None, _) => in_place(options, session).await,
            (Some(_), Some(url)) => Err(own_tools(url)),
            (Some(file), None) => from_file(file, &options, args.yes, session).await,
        }
    })
}

async fn in_place(options: Options, session: &Session) -> Outcome {
    if options.postgres.is_none() && !options.data_dir.join(paths::DATABASE_NAME).is_file() {
        return Err(no_installation(&options));
    }
    let store = Store::open(options).await.map_err(|error| refused(&error))?;
    hold_restored(&store, &Clocks::system()).await.map_err(|error| held(&error))?;
    if session.output.is_json() {
        session.output.document(&json!({"object": "restore", "restored": null, "held": true}))?;
    } else {
        session.output.line("held: nothing leaves Bursar until this copy was compared with Stripe")?;
        session.output.note(NEXT);
    }
    Ok(Exit::Done)
}

const NEXT: &str = "people, tokens, modes and kill switches are those of the copy: look at them\n\nNext:\n  bursar serve\n  bursar db reconcile";

async fn from_file(file: &Path, options: &Options, yes: bool, session: &Session) -> Outcome {
    if !file.is_file() {
        return Err(Failure::new(
            Code::NotFound,
            format!("nothing was put back: there is no file {}", file.display()),
        )
        .help("name a copy that `bursar db backup` made"));
    }
    crate::setup::make_data_dir(&options.data_dir).map_err(|error| {
        Failure::new(Code::CannotWrite, format!("{} cannot be made: {error}", options.data_dir.display()))
    })?;
    let restoring = Restoring::begin(options, file).map_err(|error| refused(&error))?;
    let copy = restoring.examine().await.map_err(|error| unusable(file, &error.to_string()))?;
    if let Some(problem) = copy.problems.first() {
        return Err(unusable(file, &problem.detail));
    }
    let there = options.data_dir.join(paths::DATABASE_NAME).exists();
    session.output.note(summary(file, &copy, there));
    agreed(yes)?;
    let store = Store::open(restoring.options().map_err(|error| refused(&error))?).await;
    let store = store.map_err(|error| unusable(file, &error.to_string()))?;
    hold_restored(&store, &Clocks::system()).await.map_err(|error| held(&error))?;
    drop(store);
    let kept = restoring.finish(&stamp()).await.map_err(|error| refused(&error))?;
    let kept = kept.map(|path| path.display().to_string());
    let output = &session.output;
    if output.is_json() {
        output
            .document(&json!({"object": "restore", "restored": file.display().to_string(), "held": true,
            "audit_entries": copy.audit.entries, "kept": kept}))?;
        return Ok(Exit::Done);
    }
    output.line(format_args!("restored {} to {}", file.display(), options.data_dir.display()))?;
    if let Some(kept) = kept {
        output.note(format_args!("what was there is kept as {kept}"));
    }
    output.note(format_args!("nothing leaves Bursar until this copy was compared with Stripe\n{NEXT}"));
    Ok(Exit::Done)
}

fn summary(file: &Path, copy: &Copy, there: bool) -> String {
    let newest = copy
        .newest_at
        .map_or_else(String::new, |at| format!(", the newest of {}", instant::shown(&json!(at), true)));
    let fate = if there {
        "The database that is there is kept under another name."
    } else {
        "There is no database yet."
    };
    format!(
        "{}: {}, {} audit entries{newest}; it is sound. {fate}\nWhatever was done since is not in it: Bursar looks it up at Stripe first, and \
         sends nothing meanwhile.",
        file.display(),
        size(copy.bytes),
        copy.audit.entries
    )
}

fn agreed(yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let not = |why: &str| {
        Failure::new(Code::NotConfirmed, format!("nothing was restored{why}")).exits(Exit::Failed)
    };
    if !ask::somebody_is_there() {
        return Err(not(": nobody is at the terminal to say yes").help("say that you mean it: --yes"));
    }
    if ask::yes("Put this copy in the place of the database?")? { Ok(()) } else { Err(not("")) }
}

fn unusable(file: &Path, why: &str) -> Failure {
    Failure::new(Code::CopyUnusable, format!("{} cannot be restored: {why}", file.display()))
        .note("effect", "the database is as it was")
        .help("try another backup, or put back the master key that was in use when it was made")
}

fn refused(error: &Error) -> Failure {
    match error {
        Error::InUse(_) => Failure::new(Code::CannotStart, error.to_string())
            .note("effect", "nothing was restored")
            .help("stop `bursar serve` first"),
        Error::Unsealable(_) => Failure::new(Code::CopyUnusable, error.to_string())
            .note("effect", "nothing was restored")
            .help("put back the master key that was in use: master.key in the data directory, or storage.master_key"),
        Error::Full(_) => Failure::new(Code::CannotWrite, error.to_string()).note("effect", "nothing was restored"),
        _ => unreadable(error),
    }
}

fn held(error: &bursar_engine::Error) -> Failure {
    Failure::new(Code::CannotWrite, format!("what leaves could not be held: {error}"))
        .note("effect", "the database is as it was")
}

fn own_tools(url: &PostgresUrl) -> Failure {
    Failure::new(Code::OwnTools, "the data lies in PostgreSQL, which restores its own backups")
        .note("effect", "nothing was restored")
        .note("restore", format!("pg_restore --exit-on-error --single-transaction --dbname='{}' bursar.dump", url.url))
        .help("stop every node, restore into a new, empty database, then before they start: bursar db restore --in-place")
}
