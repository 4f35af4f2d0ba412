//! Shows which migrations the database lacks and runs them, each in a transaction of its own.

use bursar_store::open::Migration;
use bursar_store::{Error, Options, Store};
use serde_json::json;

use super::{place, unreadable};
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::serve::{newer, others_run};
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::{Outcome, runtime};

#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    /// Only show what would run
    #[arg(long)]
    dry_run: bool,
}

pub fn run(args: &MigrateArgs, session: &Session) -> Outcome {
    runtime::block_on(async {
        let options = place(session)?;
        let before = Store::migrations_of(&options).await.map_err(|error| refused(&error))?;
        let pending: Vec<&Migration> = before.iter().filter(|migration| migration.is_pending()).collect();
        let output = &session.output;
        if !output.is_json() && (args.dry_run || !pending.is_empty()) {
            output.table(&table(&before))?;
        }
        let run = !args.dry_run && (!pending.is_empty() || is_unfinished(&options).await);
        let after = if run { made(options).await.map_err(|error| not_made(&error))? } else { before.clone() };
        if output.is_json() {
            output.document(&json!({"object": "migrations", "run": run, "data": after}))?;
        } else if pending.is_empty() {
            output.note("the tables are up to date");
        } else if run {
            output.note(format_args!("{} run", migrations(pending.len())));
        } else {
            output.note(format_args!("{} would run: bursar db migrate", migrations(pending.len())));
        }
        Ok(Exit::Done)
    })
}

/// Whether all tables are there, and no key: the first start ended between the two.
async fn is_unfinished(options: &Options) -> bool {
    matches!(Store::open_read_only(options).await, Err(Error::Unfinished(_)))
}

/// All of them, now that what was missing is made.
async fn made(options: Options) -> bursar_store::Result<Vec<Migration>> {
    Store::open(options).await?.migrations().await
}

fn refused(error: &Error) -> Failure {
    match error {
        Error::InUse(_) => Failure::new(Code::CannotStart, error.to_string())
            .note("effect", "no table was changed")
            .help("stop `bursar serve` first; it brings the tables up to date by itself when it starts"),
        Error::Newer { .. } => newer(error.to_string()),
        Error::OthersRun { .. } => others_run(error.to_string()),
        _ => unreadable(error),
    }
}

fn not_made(error: &Error) -> Failure {
    match error {
        Error::Busy(_) | Error::Full(_) | Error::Database(_) => {
            Failure::new(Code::CannotStart, error.to_string())
                .note("effect", "it was taken back as a whole; those before it stay")
                .help("bursar db migrate goes on where this ended")
        }
        _ => refused(error),
    }
}

fn migrations(count: usize) -> String {
    if count == 1 { "one migration".to_owned() } else { format!("{count} migrations") }
}

fn table(migrations: &[Migration]) -> Table {
    let columns = [
        Column::Number("number"),
        Column::Text("name"),
        Column::Number("statements"),
        Column::Text("alone"),
        Column::Text("state"),
    ];
    let mut table = Table::new(columns, "no migration is known");
    for migration in migrations {
        table.row([
            migration.number.to_string(),
            migration.name.to_owned(),
            migration.statements.to_string(),
            if migration.alone { "yes" } else { "no" }.to_owned(),
            migration.state.as_str().to_owned(),
        ]);
    }
    table
}
