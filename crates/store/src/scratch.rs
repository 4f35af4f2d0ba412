//! A database of its own for each test, on either kind. For tests and measurements only.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tempfile::TempDir;

pub use crate::open::migrate::statements;
use crate::open::{Beside, Schema, Script};
use crate::{Database, Options, PostgresUrl};

/// A data directory, and on `PostgreSQL` a schema that goes with it. Nothing is in it yet.
#[derive(Debug)]
pub struct Scratch {
    pub database: Database,
    pub dir: TempDir,
}

impl Scratch {
    /// # Panics
    /// Where there is no server to test on, with a word on how to start one.
    pub async fn new(database: Database) -> Self {
        Self::within(database, &std::env::temp_dir()).await
    }

    /// The same below a directory.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub async fn within(database: Database, parent: &Path) -> Self {
        let dir = tempfile::tempdir_in(parent).expect("there is a place for temporary files");
        if database == Database::Postgres {
            let sql = format!("CREATE SCHEMA {}", schema_of(dir.path()));
            let mut admin = server().connect().await.expect("the server to test on answers");
            admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.expect("a schema can be made");
        }
        Self { database, dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn options(&self, node: &str) -> Options {
        let postgres = match self.database {
            Database::Sqlite => None,
            Database::Postgres => {
                let (url, schema) = (server_url(), schema_of(self.path()));
                let sign = if url.contains('?') { '&' } else { '?' };
                let url = format!("{url}{sign}options[search_path]={schema}");
                Some(PostgresUrl { url, password: None })
            }
        };
        Options { readers: 4, postgres, ..Options::sqlite(self.path(), node) }
    }

    /// Every lease runs out at this moment, as if its time had passed by the database's clock. False where somebody holds
    /// the tables too long.
    ///
    /// # Panics
    /// Where the database does not answer.
    pub async fn lapse_leases(&self) -> bool {
        let sql = sqlx::raw_sql("UPDATE jobs SET lease_until = 1 WHERE state = 'leased'");
        match self.database {
            Database::Postgres => self.postgres().await.execute(sql).await.is_ok(),
            Database::Sqlite => {
                let options = SqliteConnectOptions::new().filename(crate::open::database_path(self.path()));
                let beside = options.busy_timeout(std::time::Duration::from_millis(500)).connect().await;
                beside.expect("the file can be opened").execute(sql).await.is_ok()
            }
        }
    }

    /// A way to the tables past the store.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub async fn postgres(&self) -> PgConnection {
        let options = server().options([("search_path", schema_of(self.path()))]);
        options.connect().await.expect("the server to test on answers")
    }
}

/// Another version's schema: what this one knows up to a migration, and what is added to that.
pub fn version_of(up_to: i64, more: &[Script]) -> Schema {
    let ours = Schema::default().0.iter().filter(|script| script.number <= up_to);
    Schema(Box::leak(ours.chain(more).copied().collect()))
}

pub fn scripts(schema: Schema) -> &'static [Script] {
    schema.0
}

/// The number of the newest migration that this version knows.
pub const fn newest_migration() -> i64 {
    crate::open::migrate::NEWEST
}

/// What a next version might bring: the first may be made beside older programs, the second must be alone.
pub const NEXT_VERSION: [Script; 2] = [
    Script::new(
        newest_migration() + 1,
        "next",
        Beside::Older,
        "ALTER TABLE events ADD COLUMN mark BIGINT;\n\
         CREATE TABLE marks (id TEXT PRIMARY KEY, mark BIGINT NOT NULL);\n\
         CREATE UNIQUE INDEX marks_once ON marks (mark);\n\
         CREATE INDEX events_by_mark ON events (mark)",
    ),
    Script::new(
        newest_migration() + 2,
        "after_next",
        Beside::Nobody,
        "UPDATE events SET mark = created_s;\n\
         UPDATE jobs SET payload = payload;\n\
         DROP INDEX events_by_mark;\n\
         ALTER TABLE events RENAME COLUMN mark TO marked",
    ),
];

/// How often a migration [comes by a step](stand_still_after) in a database that lacks everything after a migration.
pub fn steps_after(number: i64, schema: Schema) -> u32 {
    let missing = schema.0.iter().filter(|script| script.number > number);
    let steps: usize = missing.map(|script| statements(script.text).len() + 2).sum();
    // Where there is nothing, the key is made too: while it is written, and before the database knows it.
    let steps = if number == 0 { steps + 2 } else { steps };
    u32::try_from(steps).unwrap_or(u32::MAX)
}

/// Steps of migrations that are still to be taken before the process stands still; none where it never does.
static STEPS_LEFT: AtomicU32 = AtomicU32::new(u32::MAX);

/// From now on a migration of this process stands still after so many steps, says `here` and waits for its end.
pub fn stand_still_after(steps: u32) {
    STEPS_LEFT.store(steps, Ordering::SeqCst);
}

#[expect(clippy::print_stdout, reason = "whoever waits for this process reads it")]
pub(crate) async fn step() {
    match STEPS_LEFT.load(Ordering::SeqCst) {
        u32::MAX => {}
        0 => {
            println!("here");
            std::future::pending::<()>().await;
        }
        left => STEPS_LEFT.store(left - 1, Ordering::SeqCst),
    }
}

/// What lies in each table that has rows: its name, and a hash over the rows in any order, of those columns that this version
/// knows.
///
/// # Panics
/// Where the database does not answer.
pub async fn contents(options: &Options) -> Vec<(String, String)> {
    let readers = crate::open::readers_beside(options).await.expect("the database can be read");
    let mut db = readers.get().await.expect("the database can be read");
    let texts: String = Schema::default().0.iter().map(|script| script.text).collect::<Vec<_>>().join(";\n");
    let mut found = Vec::new();
    for statement in statements(&texts) {
        let Some((name, columns)) = table_of(&statement) else { continue };
        if name == "migrations" {
            continue;
        }
        let texts: Vec<String> = columns.iter().map(|column| as_text(db.database(), column)).collect();
        let sql = format!("SELECT {} AS line FROM {name}", texts.join(" || '|' || "));
        let rows = db.built(sql, &[]).await.expect("a table that this version knows");
        let mut rows: Vec<String> = rows.iter().map(|row| row.text("line").expect("a text")).collect();
        rows.sort();
        if !rows.is_empty() {
            let all = rows.join("\n");
            found.push((name, bursar_domain::canonical::hash_hex(all.as_bytes())));
        }
    }
    found
}

/// Of a `CREATE TABLE`: the table's name, its columns and what is in them.
fn table_of(statement: &str) -> Option<(String, Vec<(String, String)>)> {
    let (name, rest) = statement.strip_prefix("CREATE TABLE ")?.split_once('(')?;
    let lines = rest.lines().flat_map(|line| line.split(", ")).map(str::trim);
    let columns = lines.filter_map(|line| {
        let (column, kind) = line.split_once(' ')?;
        let kind = kind.trim_end_matches(|end: char| !end.is_alphanumeric());
        let kind = kind.split_whitespace().next()?.trim_end_matches(',');
        ["TEXT", "BIGINT", "BOOLEAN", "BLOB"].contains(&kind).then(|| (column.to_owned(), kind.to_owned()))
    });
    Some((name.trim().to_owned(), columns.collect()))
}

fn as_text(database: Database, (column, kind): &(String, String)) -> String {
    let text = match (kind.as_str(), database) {
        ("BLOB", Database::Sqlite) => format!("HEX({column})"),
        ("BLOB", Database::Postgres) => format!("ENCODE({column}, 'hex')"),
        _ => format!("CAST({column} AS TEXT)"),
    };
    format!("COALESCE({text}, '-')")
}

/// Copies of a whole database.
impl Scratch {
    /// One moment of it, while it is in use; known by the name that is answered.
    ///
    /// # Panics
    /// Where there is nothing to be copied.
    pub async fn keep_copy(&self, name: &str) -> String {
        if self.database == Database::Sqlite {
            let target = self.path().join(format!("{name}.db"));
            let made = crate::backup::write(self.path(), &target).await.expect("a copy can be made");
            assert!(made.problems.is_empty(), "{:?}", made.problems);
            return target.display().to_string();
        }
        let (schema, mut admin) = (schema_of(self.path()), self.postgres().await);
        let copy = format!("{schema}_{name}");
        let mut sql = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; CREATE SCHEMA {copy};");
        for table in tables(&mut admin, &schema).await {
            let _ = write!(sql, "CREATE TABLE {copy}.{table} AS TABLE {schema}.{table};");
        }
        sql.push_str("COMMIT");
        admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.expect("a copy can be made");
        copy
    }

    /// Puts it in the place of the database, which nobody uses any more.
    ///
    /// # Panics
    /// Where somebody does.
    pub async fn put_back(&self, copy: &str) {
        if self.database == Database::Sqlite {
            let options = self.options("restorer");
            let restoring = loop {
                match crate::backup::Restoring::begin(&options, Path::new(copy)) {
                    Err(crate::Error::InUse(_)) => tokio::task::yield_now().await,
                    begun => break begun.expect("the copy is there"),
                }
            };
            restoring.finish("before").await.expect("the copy can be put back");
            return;
        }
        let (schema, mut admin) = (schema_of(self.path()), self.postgres().await);
        let mut sql = "BEGIN;".to_owned();
        for table in tables(&mut admin, &schema).await {
            let _ = write!(
                sql,
                "TRUNCATE {schema}.{table}; INSERT INTO {schema}.{table} SELECT * FROM {copy}.{table};"
            );
        }
        sql.push_str("COMMIT");
        admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.expect("the copy can be put back");
    }
}

/// A whole database on the server for tests, dropped with whoever holds it: a measurement leaves gigabytes.
#[derive(Debug)]
pub struct OwnDatabase {
    name: String,
}

impl OwnDatabase {
    /// # Panics
    /// Where there is no server to test on, with a word on how to start one.
    pub async fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("bursar_own_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let mut admin = server().connect().await.expect("the server to test on answers");
        for sql in [dropping(&name), format!("CREATE DATABASE {name}")] {
            admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.expect("a database can be made");
        }
        Self { name }
    }

    pub fn url(&self) -> String {
        let whole = server_url();
        let (place, options) = whole.split_once('?').unwrap_or((&whole, ""));
        let (scheme, rest) = place.split_once("://").unwrap_or(("postgres", place));
        let sign = if options.is_empty() { "" } else { "?" };
        format!("{scheme}://{}/{}{sign}{options}", rest.split('/').next().unwrap_or_default(), self.name)
    }

    /// A way to the tables past the store.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub async fn connect(&self) -> PgConnection {
        server().database(&self.name).connect().await.expect("the server to test on answers")
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        let sql = dropping(&self.name);
        // Whoever drops this stands inside a runtime, which must not be blocked from within.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut admin = server().connect().await.map_err(std::io::Error::other)?;
                let sql = sqlx::raw_sql(AssertSqlSafe(sql));
                admin.execute(sql).await.map(|_| ()).map_err(std::io::Error::other)
            })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            tracing::error!(name = self.name, "a database made for a measurement could not be dropped");
        }
    }
}

fn dropping(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}

async fn tables(admin: &mut PgConnection, schema: &str) -> Vec<String> {
    let sql = "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = $1 ORDER BY 1";
    sqlx::query_scalar(sql).bind(schema).fetch_all(admin).await.expect("the server to test on answers")
}

fn server() -> PgConnectOptions {
    server_url().parse().expect("BURSAR_TEST_POSTGRES is a postgres:// address")
}

fn server_url() -> String {
    std::env::vars_os()
        .find(|(name, _)| name == "BURSAR_TEST_POSTGRES")
        .and_then(|(_, url)| url.into_string().ok())
        .expect("BURSAR_TEST_POSTGRES names no PostgreSQL server to test on: `scripts/postgres start` starts one and prints its address")
}

fn schema_of(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().as_encoded_bytes();
    name.iter().fold("t".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
