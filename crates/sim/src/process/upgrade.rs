//! Migrations that are killed at any of their statements, or between one and its commit, in an empty database and in one that
//! has been worked on: the next start makes what is missing, and what was there before is there afterwards. Those that the
//! next version might bring are made here ([`next`]); [`super::rolling`] lets the program work on beside them.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use bursar_store::open::Schema;
use bursar_store::scratch::{NEXT_VERSION, newest_migration, stand_still_after, steps_after, version_of};
use bursar_store::{Database, Options, PostgresUrl, Store, check, scratch};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::draw::Draw;
use super::postgres::Scratch;
use super::program::said;
use super::site::{Site, Wish};
use super::{block_on, databases, first_start, name, rolling};
use crate::goals::{Effort, Run};
use crate::report::Row;

/// The first word of a process that stands still in a migration.
pub(crate) const STOPPED: &str = "--stand-still";
const REACHED: Duration = Duration::from_secs(30);
/// What the program does before it is replaced.
const LIFE: Duration = Duration::from_secs(2);
const SENDERS: u64 = 4;

/// The schema of a version that knows so many more migrations than this one: the first only adds, the second needs to be
/// alone.
pub(super) fn next(more: usize) -> Schema {
    version_of(newest_migration(), &NEXT_VERSION[..more])
}

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for database in databases(run) {
        rows.push(block_on(killed(run, database))?);
        rows.push(block_on(first_start::killed(run, database))?);
        if let Some(older) = &run.older {
            rows.push(block_on(rolling::carried_over(run, older, database))?);
        }
    }
    if run.postgres.is_some() {
        rows.push(block_on(rolling::beside(run))?);
        if let Some(older) = &run.older {
            rows.push(block_on(rolling::replaced(run, older))?);
        }
    }
    Ok(rows)
}

/// What an upgrade begins with: nothing at all, or what the program has done with the tables that it knows.
struct Before {
    /// The data directory.
    folder: TempDir,
    database: Option<Scratch>,
    migration: i64,
    schema: Schema,
    holds: Vec<(String, String)>,
}

async fn killed(run: &Run, database: Database) -> anyhow::Result<Row> {
    let (mut n, mut failures) = (0, 0);
    for before in [empty(run, database).await?, lived(run, database).await?] {
        let steps = steps_after(before.migration, before.schema);
        let mut chosen: Vec<u32> = (0..steps).collect();
        let quick = if before.migration == 0 { 6 } else { 8 };
        let times = run.times.unwrap_or(if run.effort == Effort::Quick { quick } else { u64::from(steps) });
        let mut draw = Draw::new(run.seed, "upgrade", before.migration.unsigned_abs());
        while chosen.len() as u64 > times {
            let lot = usize::try_from(draw.below(chosen.len() as u64))?;
            chosen.swap_remove(lot);
        }
        for step in &chosen {
            n += 1;
            if let Err(error) = kill_at(run, &before, *step).await {
                let (from, on) = (before.migration, name(database));
                eprintln!(
                    "  BROKEN G24: killed at step {step} of {steps} from migration {from} on {on}: {error:#}"
                );
                failures += 1;
            }
        }
        eprintln!(
            "  {}: killed at {} of {steps} steps from migration {}, with {} tables of rows in it",
            name(database),
            chosen.len(),
            before.migration,
            before.holds.len()
        );
        if let Some(database) = before.database {
            database.drop().await?;
        }
    }
    Ok(Row::new("G24", name(database), n, failures))
}

fn own_database(run: &Run, what: &str) -> String {
    format!("upgrade_{}_{}_{what}", std::process::id(), run.seed)
}

async fn empty(run: &Run, database: Database) -> anyhow::Result<Before> {
    let folder = tempfile::Builder::new().prefix("bursar-prove-").tempdir()?;
    let database = match (database, &run.postgres) {
        (Database::Postgres, Some(server)) => Some(Scratch::new(server, &own_database(run, "empty")).await?),
        _ => None,
    };
    Ok(Before { folder, database, migration: 0, schema: Schema::default(), holds: Vec::new() })
}

/// Events came, money moved, and then it was killed.
async fn lived(run: &Run, database: Database) -> anyhow::Result<Before> {
    let folder = tempfile::Builder::new().prefix("bursar-prove-").tempdir()?;
    let mut site = Site::start(&Wish::new(run, database, 5_000)).await?;
    let load = site.load(SENDERS, run.seed);
    tokio::time::sleep(LIFE).await;
    site.kill(0).await?;
    load.end_now().await;
    copy(&site.data_dir(), folder.path())?;
    let database = match site.database() {
        Some(database) => Some(database.twin(&own_database(run, "lived")).await?),
        None => None,
    };
    site.close().await?;
    let mut before =
        Before { folder, database, migration: newest_migration(), schema: next(2), holds: Vec::new() };
    let options = before.options(before.folder.path(), before.database.as_ref());
    before.holds = scratch::contents(&options).await;
    anyhow::ensure!(before.holds.len() > 10, "it did not live: {:?}", before.holds);
    Ok(before)
}

impl Before {
    fn options(&self, folder: &Path, database: Option<&Scratch>) -> Options {
        options(folder, database.map(Scratch::url), self.schema)
    }
}

fn options(folder: &Path, url: Option<String>, schema: Schema) -> Options {
    let mut options = Options::sqlite(folder, "upgrade");
    options.postgres = url.map(|url| PostgresUrl { url, password: None });
    options.schema = schema;
    options
}

/// Files of a data directory that nobody uses.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Kills an upgrade at a step, looks at it as people would, and upgrades again.
async fn kill_at(run: &Run, before: &Before, step: u32) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("bursar-prove-").tempdir()?;
    copy(before.folder.path(), folder.path())?;
    let database = match &before.database {
        Some(database) => Some(database.twin(&own_database(run, &format!("at_{step}"))).await?),
        None => None,
    };
    stand_and_die(before.migration, folder.path(), database.as_ref(), step).await?;
    let options = before.options(folder.path(), database.as_ref());
    let asks = Asks { run, folder: folder.path(), url: database.as_ref().map(Scratch::url) };
    if before.migration == 0 {
        asks.program_goes_on().await?;
    } else {
        asks.program_of_before_says_what_it_may(&options).await?;
        drop(Store::open(options.clone()).await.context("the next start")?);
        let checked = check::installation(&options).await?;
        anyhow::ensure!(checked.problems.is_empty(), "{:?}", checked.problems);
        let holds = scratch::contents(&options).await;
        let missing: Vec<_> = before.holds.iter().filter(|table| !holds.contains(table)).collect();
        anyhow::ensure!(missing.is_empty(), "not as it was: {missing:?}");
    }
    match database {
        Some(database) => database.drop().await,
        None => Ok(()),
    }
}

/// Somebody with the program at hand.
struct Asks<'a> {
    run: &'a Run,
    folder: &'a Path,
    url: Option<String>,
}

impl Asks<'_> {
    async fn says(&self, line: &str) -> anyhow::Result<(i32, serde_json::Value)> {
        let storage =
            self.url.clone().unwrap_or_else(|| format!("sqlite://{}/bursar.db", self.folder.display()));
        std::fs::write(self.folder.join("bursar.toml"), format!("[storage]\nurl = \"{storage}\"\n"))?;
        let line = format!("{line} --json --config bursar.toml --data-dir {}", self.folder.display());
        said(&self.run.bursar, self.folder, &line).await
    }

    async fn program_goes_on(&self) -> anyhow::Result<()> {
        for line in ["db migrate", "db check"] {
            let (code, document) = self.says(line).await?;
            anyhow::ensure!(code == 0, "{line} ended with {code}: {document}");
        }
        Ok(())
    }

    /// As long as nothing was committed it finds its own tables sound, and refuses those of the next version.
    async fn program_of_before_says_what_it_may(&self, options: &Options) -> anyhow::Result<()> {
        let made = Store::migrations_of(options).await?.iter().filter(|made| !made.is_pending()).count();
        let is_ours = i64::try_from(made)? <= newest_migration();
        let said = self.says("db check").await;
        match said {
            Ok((0, _)) if is_ours => Ok(()),
            Err(error) if !is_ours && format!("{error:#}").contains("BUR-DB-004") => Ok(()),
            other => anyhow::bail!("with {made} migrations it says {other:?}"),
        }
    }
}

/// A process of our own goes so far and is killed there.
async fn stand_and_die(
    from: i64,
    folder: &Path,
    database: Option<&Scratch>,
    step: u32,
) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([STOPPED.to_owned(), from.to_string(), step.to_string()]).arg(folder);
    command.args(database.map(Scratch::url));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    let line = timeout(REACHED, lines.next_line()).await.context("the step is not reached")??;
    anyhow::ensure!(line.as_deref() == Some("here"), "the step is not reached: {line:?}");
    child.start_kill()?;
    child.wait().await?;
    Ok(())
}

/// The other side of it: opens the store of a data directory, and stands still in its migrations.
pub(crate) fn stop(words: &[String]) -> ExitCode {
    let [from, step, folder, url @ ..] = words else { return ExitCode::from(2) };
    let Ok(step) = step.parse() else { return ExitCode::from(2) };
    let schema = if from == "0" { Schema::default() } else { next(2) };
    let options = options(&PathBuf::from(folder), url.first().cloned(), schema);
    stand_still_after(step);
    let opened = block_on(async { Store::open(options).await.context("the store") });
    eprintln!("not stopped: {opened:?}");
    ExitCode::FAILURE
}
