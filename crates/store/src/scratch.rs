//! A database of its own for each test, on either kind. For tests and measurements only.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tempfile::TempDir;

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
