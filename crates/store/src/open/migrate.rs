//! Migrations in order, each in a transaction of its own together with the note that it was made.

use crate::dialect::{Database, Db, Tx, schema_text};
use crate::{Error, Result, params};

/// A number once released is never changed.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../../migrations/0001_first.sql")),
    (2, "alerts", include_str!("../../migrations/0002_alerts.sql")),
    (3, "history", include_str!("../../migrations/0003_history.sql")),
    (4, "restores", include_str!("../../migrations/0004_restores.sql")),
    (5, "lines", include_str!("../../migrations/0005_lines.sql")),
];

/// A migration as it stands to a database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Migration {
    pub number: i64,
    pub name: &'static str,
    /// How many statements it runs.
    pub statements: usize,
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

/// Every one that is known, in order.
pub(crate) async fn all(db: &mut Db) -> Result<Vec<Migration>> {
    newest(db).await?;
    let rows = db.all("SELECT number, text_hash FROM migrations ORDER BY number", &[]).await?;
    let made: Vec<(i64, String)> =
        rows.iter().map(|row| Ok((row.int("number")?, row.text("text_hash")?))).collect::<Result<_>>()?;
    let of = |(number, name, text): &(i64, &'static str, &str)| {
        let made = made.iter().find(|(made, _)| made == number);
        let state = match made {
            None => MigrationState::Pending,
            Some((_, hash)) if *hash == hash_of(text) => MigrationState::Applied,
            Some(_) => MigrationState::Differs,
        };
        Migration { number: *number, name, statements: statements(text).len(), state }
    };
    Ok(MIGRATIONS.iter().map(of).collect())
}

fn hash_of(text: &str) -> String {
    bursar_domain::canonical::hash_hex(text.as_bytes())
}

pub(super) async fn run(tx: &mut Tx) -> Result<()> {
    make_table(tx).await?;
    for (number, _, text) in MIGRATIONS {
        tx.begin(false).await?;
        match one(tx, *number, text).await {
            Ok(()) => tx.command("COMMIT").await?,
            Err(error) => {
                tx.command("ROLLBACK").await?;
                return Err(error);
            }
        }
    }
    newest(tx).await.map(|_| ())
}

/// Nodes that start together may both want to make it; then one of them is told that it is there.
async fn make_table(tx: &mut Tx) -> Result<()> {
    let sql = "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, text_hash TEXT NOT NULL)";
    match tx.command(sql).await {
        Err(Error::Conflict(_)) => tx.command(sql).await,
        done => done,
    }
}

async fn one(tx: &mut Tx, number: i64, text: &str) -> Result<()> {
    if tx.database() == Database::Postgres {
        // Others who start wait here, and then find it done.
        tx.execute("LOCK TABLE migrations IN ACCESS EXCLUSIVE MODE", &[]).await?;
    }
    if newest(tx).await? >= number {
        return Ok(());
    }
    for statement in statements(text) {
        let statement = schema_text(tx.database(), &statement);
        tx.built(statement, &[]).await?;
    }
    let hash = hash_of(text);
    let sql = "INSERT INTO migrations (number, text_hash) VALUES ($1, $2)";
    tx.execute(sql, params![number, &hash]).await.map(|_| ())
}

/// How far the schema has come; an error when it went further than this version knows.
pub(super) async fn newest(db: &mut Db) -> Result<i64> {
    let known = MIGRATIONS.last().map_or(0, |(number, _, _)| *number);
    let found = db.number("SELECT MAX(number) FROM migrations", &[]).await?;
    if found > known { Err(Error::Newer { found, known }) } else { Ok(found) }
}

/// The statements of a migration: comments away, split at semicolons (none stand inside literals there).
fn statements(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    code.join("\n").split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
