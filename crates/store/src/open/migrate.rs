//! Migrations in order, each in a transaction of its own together with the note that it was made.
//!
//! Nodes are replaced one after the other, so for a while some know less of the schema than there is. A migration says who
//! may be there while it is made and afterwards ([`Beside`]). Whoever is *started* where a newer version has been is refused
//! in any case.

use std::time::Duration;

use super::{Options, predecessor};
use crate::dialect::{Database, Db, Tx, schema_text};
use crate::{Error, Result, nodes, params};

/// A number once released is never changed.
const MIGRATIONS: &[Script] = &[
    Script::new(1, "first", Beside::Older, include_str!("../../migrations/0001_first.sql")),
    Script::new(2, "alerts", Beside::Older, include_str!("../../migrations/0002_alerts.sql")),
    Script::new(3, "history", Beside::Older, include_str!("../../migrations/0003_history.sql")),
    Script::new(4, "restores", Beside::Older, include_str!("../../migrations/0004_restores.sql")),
    Script::new(5, "lines", Beside::Older, include_str!("../../migrations/0005_lines.sql")),
    Script::new(6, "beside", Beside::Older, include_str!("../../migrations/0006_beside.sql")),
];

/// The last one that this version knows.
#[cfg(feature = "scratch")]
pub(crate) const NEWEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].number;

/// From this one on the note has a mark for those that no older program may go on beside.
const MARKED_SINCE: i64 = 6;

/// Who of those that do not know a migration may go on working while it is made, and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Everybody: it adds tables, indexes and columns that may be left out.
    Older,
    /// Nobody: it waits until no other node is there. One that was only silent finds the mark and ends.
    Nobody,
}

/// One migration.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub number: i64,
    pub name: &'static str,
    pub beside: Beside,
    pub text: &'static str,
}

impl Script {
    pub const fn new(number: i64, name: &'static str, beside: Beside, text: &'static str) -> Self {
        Self { number, name, beside, text }
    }
}

/// What a version knows of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Schema(pub(crate) &'static [Script]);

impl Default for Schema {
    fn default() -> Self {
        Self(MIGRATIONS)
    }
}

impl Schema {
    fn newest(self) -> i64 {
        self.0.last().map_or(0, |script| script.number)
    }
}

/// A migration as it stands to a database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Migration {
    pub number: i64,
    pub name: &'static str,
    /// How many statements it runs.
    pub statements: usize,
    /// Whether no older program may go on beside it.
    pub alone: bool,
    pub state: MigrationState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationState {
    Pending,
    Applied,
    /// It was made with another text than this version has.
    Differs,
}

impl Migration {
    pub fn is_pending(&self) -> bool {
        self.state == MigrationState::Pending
    }
}

impl MigrationState {
    pub fn as_str(self) -> &'static str {
        match self {
            MigrationState::Pending => "pending",
            MigrationState::Applied => "applied",
            MigrationState::Differs => "differs",
        }
    }
}

/// Every one that is known, in order; none of them made where there is no database yet.
pub(crate) async fn all(db: &mut Db, schema: Schema) -> Result<Vec<Migration>> {
    newest(db, schema).await?;
    let made: Vec<(i64, String)> = if has_notes(db).await? {
        let rows = db.all("SELECT number, text_hash FROM migrations ORDER BY number", &[]).await?;
        rows.iter().map(|row| Ok((row.int("number")?, row.text("text_hash")?))).collect::<Result<_>>()?
    } else {
        Vec::new()
    };
    let of = |script: &Script| {
        let made = made.iter().find(|(made, _)| *made == script.number);
        let state = match made {
            None => MigrationState::Pending,
            Some((_, hash)) if *hash == hash_of(script.text) => MigrationState::Applied,
            Some(_) => MigrationState::Differs,
        };
        let (statements, alone) = (statements(script.text).len(), script.beside == Beside::Nobody);
        Migration { number: script.number, name: script.name, statements, alone, state }
    };
    Ok(schema.0.iter().map(of).collect())
}

fn hash_of(text: &str) -> String {
    bursar_domain::canonical::hash_hex(text.as_bytes())
}

async fn has_notes(db: &mut Db) -> Result<bool> {
    db.has_table("migrations").await
}

/// Makes what is missing. Whoever is killed meanwhile leaves whole migrations, and the next start goes on after them.
pub(super) async fn run(tx: &mut Tx, options: &Options) -> Result<()> {
    make_table(tx).await?;
    if newest(tx, options.schema).await? == options.schema.newest() {
        return Ok(());
    }
    let hurry = tx.unhurried();
    for script in options.schema.0 {
        tx.begin(false).await?;
        match one(tx, script, options).await {
            Ok(()) => tx.command("COMMIT").await?,
            Err(error) => {
                tx.command("ROLLBACK").await?;
                return Err(of(script, error));
            }
        }
    }
    tx.hurry_as(hurry);
    newest(tx, options.schema).await.map(|_| ())
}

/// Says which one it was that could not be made.
fn of(script: &Script, error: Error) -> Error {
    let told = |why: String| format!("migration {} ({}) was not made: {why}", script.number, script.name);
    match error {
        Error::Busy(why) => Error::Busy(told(why)),
        Error::Full(why) => Error::Full(told(why)),
        Error::Database(why) | Error::Conflict(why) => Error::Database(told(why)),
        other => other,
    }
}

/// Nodes that start together may both want to make it; then one of them is told that it is there.
async fn make_table(tx: &mut Tx) -> Result<()> {
    let sql = "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, text_hash TEXT NOT NULL)";
    match tx.command(sql).await {
        Err(Error::Conflict(_)) => tx.command(sql).await,
        done => done,
    }
}

async fn one(tx: &mut Tx, script: &Script, options: &Options) -> Result<()> {
    if tx.database() == Database::Postgres {
        take_turn(tx).await?;
    }
    let found = newest(tx, options.schema).await?;
    if found >= script.number {
        return Ok(());
    }
    if script.beside == Beside::Nobody {
        refuse_beside_others(tx, script, options).await?;
    }
    if found > 0 {
        tracing::info!(number = script.number, name = script.name, "bringing the tables up to date");
    }
    for statement in statements(script.text) {
        step().await;
        let statement = schema_text(tx.database(), &statement);
        tx.built(statement, &[]).await?;
    }
    step().await;
    note(tx, script).await?;
    step().await;
    Ok(())
}

async fn note(tx: &mut Tx, script: &Script) -> Result<()> {
    let hash = hash_of(script.text);
    let sql = "INSERT INTO migrations (number, text_hash) VALUES ($1, $2)";
    tx.execute(sql, params![script.number, &hash]).await?;
    if script.beside == Beside::Nobody {
        let sql = "UPDATE migrations SET alone = TRUE WHERE number = $1";
        tx.execute(sql, params![script.number]).await?;
    }
    Ok(())
}

/// A wait that somebody should know about.
const LONG: Duration = Duration::from_secs(2);

/// Others who start wait here, and then find it done. Tables may be large, and so the work of whoever is first may be long:
/// neither it nor the wait is cut short by what is good for work. Those that work beside it may look at what was made, and
/// wait for a table for as long as its locks may take, and not longer.
async fn take_turn(tx: &mut Tx) -> Result<()> {
    tx.command("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
    {
        let turn = tx.command("LOCK TABLE migrations IN SHARE ROW EXCLUSIVE MODE");
        tokio::pin!(turn);
        if let Ok(turn) = tokio::time::timeout(LONG, &mut turn).await {
            turn?;
        } else {
            tracing::warn!("another node brings the tables up to date: waiting for it");
            turn.await?;
        }
    }
    tx.command("SET LOCAL lock_timeout = '5s'").await
}

/// A node that has not been heard of for so long is not there: others have taken up its work.
const GONE_AFTER_US: i64 = 10_000_000;

async fn refuse_beside_others(tx: &mut Tx, script: &Script, options: &Options) -> Result<()> {
    // A file has one process.
    if tx.database() == Database::Sqlite {
        return Ok(());
    }
    let since = tx.now().await? - GONE_AFTER_US;
    let before = predecessor(options);
    let others = nodes::all(tx).await?.into_iter().filter(|node| node.seen_at > since);
    // Our own last process is gone: its directory is ours.
    let others: Vec<String> =
        others.map(|node| node.id).filter(|id| Some(id.as_str()) != before.as_deref()).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Error::OthersRun { number: script.number, name: script.name, nodes: others.join(", ") })
}

/// Where the proof stops a process: before each statement and before each commit, and where the key is made.
#[cfg(not(feature = "scratch"))]
pub(super) async fn step() {}

#[cfg(feature = "scratch")]
pub(super) use crate::scratch::step;

/// How far the schema has come; an error when it went further than this version knows.
pub(super) async fn newest(db: &mut Db, schema: Schema) -> Result<i64> {
    let known = schema.newest();
    let found =
        if has_notes(db).await? { db.number("SELECT MAX(number) FROM migrations", &[]).await? } else { 0 };
    if found > known { Err(Error::Newer { found, known }) } else { Ok(found) }
}

/// How the schema stands to a program that is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is what the program knows.
    Known,
    /// A newer version has added to it. The program may go on until it ends.
    Added { found: i64 },
    /// A newer version has changed what the program uses: it must write no more.
    Changed { found: i64 },
}

/// Asked again and again by whoever shares its database with others.
pub(super) async fn standing(db: &mut Db, schema: Schema) -> Result<Standing> {
    let known = schema.newest();
    if known < MARKED_SINCE {
        return Ok(Standing::Known);
    }
    let sql =
        "SELECT MAX(number) AS found, MAX(CASE WHEN alone THEN number ELSE 0 END) AS changed FROM migrations";
    let Some(row) = db.first(sql, &[]).await? else { return Ok(Standing::Known) };
    let (found, changed) = (row.int("found")?, row.int("changed")?);
    Ok(match found {
        _ if changed > known => Standing::Changed { found },
        _ if found > known => Standing::Added { found },
        _ => Standing::Known,
    })
}

/// The statements of a migration: comments away, split at semicolons (none stand inside literals there).
pub fn statements(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    code.join("\n").split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
