//! The thin layer over the drivers: one SQL text with `$n` parameters, typed values (a NULL keeps its type), rows read by
//! column name. Every true difference between the two databases stands here and nowhere else.

mod failure;
mod row;
mod text;

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection as _, Postgres, Sqlite};

use crate::fail_point::{FailPoint, FailPoints};
use crate::seal::FreshKey;
use crate::{Error, Result};

pub(crate) use failure::from_sqlx;
pub use row::Row;
pub(crate) use text::{ROWS_MAX, schema_text, values};

/// Which database a store lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A parameter. A missing value still has a type, as `PostgreSQL` wants it.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Text(Option<&'a str>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Blob(Option<&'a [u8]>),
}

impl Value<'_> {
    /// Nothing, of the same type.
    fn nothing(self) -> Self {
        match self {
            Value::Text(_) => Value::Text(None),
            Value::Int(_) => Value::Int(None),
            Value::Bool(_) => Value::Bool(None),
            Value::Blob(_) => Value::Blob(None),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $make:expr;)*) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Self {
                let make: fn($from) -> Value<'a> = $make;
                make(value)
            }
        }
    )*};
}

value_from! {
    &'a str => |text| Value::Text(Some(text));
    &'a String => |text| Value::Text(Some(text));
    Option<&'a str> => Value::Text;
    i64 => |number| Value::Int(Some(number));
    Option<i64> => Value::Int;
    bool => |flag| Value::Bool(Some(flag));
    &'a [u8] => |bytes| Value::Blob(Some(bytes));
    &'a Vec<u8> => |bytes| Value::Blob(Some(bytes));
    Option<&'a [u8]> => Value::Blob;
}

/// Builds a parameter list: `params![lane, id, at]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::Value::from($value)),*] };
}

/// The driver's connection.
pub(crate) enum Conn {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A connection that can be asked.
pub struct Db {
    conn: Conn,
    /// It sees what may still be taken back: nothing learnt through it may outlive its transaction.
    pub(crate) sees_uncommitted: bool,
    /// A statement failed: `PostgreSQL` keeps nothing of the transaction it stood in, so nobody may.
    failed: bool,
    /// How long a server may keep us waiting.
    patience: Duration,
    /// It kept us waiting for longer: nobody is there any more, or will ever be on this connection.
    silent: bool,
}

/// Longer than the server itself lets any statement take.
const PATIENCE: Duration = Duration::from_secs(35);
/// A change waits for locks for five seconds at most. When the other end of a connection is gone and nobody could tell us,
/// every writer finds out by this alone, so it is also how long nothing is acknowledged then.
const WRITER_PATIENCE: Duration = Duration::from_secs(6);
/// A migration takes as long as it takes: this is only for a server that will never answer.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(86_400);
/// An idle connection answers within this, or is not used.
pub(crate) const IDLE_PATIENCE: Duration = Duration::from_secs(1);

/// A connection inside a writer's transaction.
pub struct Tx {
    pub(crate) db: Db,
    node: Arc<str>,
    /// This writer's name and count in the audit.
    pub(crate) writer: String,
    pub(crate) writer_seq: i64,
    /// The last place in the order in which entries are chained.
    pub(crate) place: i64,
    /// Subject keys made in this transaction, cached once it commits.
    pub(crate) fresh_keys: Vec<FreshKey>,
    pub(crate) fail_points: Arc<FailPoints>,
}

impl std::ops::Deref for Tx {
    type Target = Db;
    fn deref(&self) -> &Db {
        &self.db
    }
}

impl std::ops::DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Db {
        &mut self.db
    }
}

macro_rules! bind {
    ($query:expr, $params:expr) => {{
        let mut query = $query;
        for param in $params {
            query = match *param {
                Value::Text(text) => query.bind(text),
                Value::Int(number) => query.bind(number),
                Value::Bool(flag) => query.bind(flag),
                Value::Blob(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}

/// A statement with its parameters, run on whichever database this is.
macro_rules! run {
    ($db:expr, $sql:expr, $params:expr, $how:ident, $done:expr) => {
        run!($db, $sql, $params, $how, $done, true)
    };
    ($db:expr, $sql:expr, $params:expr, $how:ident, $done:expr, $kept:expr) => {{
        let done = match &mut $db.conn {
            Conn::Sqlite(conn) => bind!(sqlx::query($sql), $params).$how(&mut **conn).await.map($done),
            Conn::Postgres(conn) => {
                let answer = bind!(sqlx::query($sql).persistent($kept), $params).$how(&mut **conn);
                heard($db.patience, &mut $db.silent, answer).await.map($done)
            }
        };
        $db.failed |= done.is_err();
        done.map_err(from_sqlx)
    }};
}

/// What a server answers, unless it has fallen silent.
async fn heard<T>(
    patience: Duration,
    silent: &mut bool,
    answer: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let gone =
        || sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "PostgreSQL does not answer"));
    if *silent {
        return Err(gone());
    }
    let answer = tokio::time::timeout(patience, answer).await;
    *silent = answer.is_err();
    answer.unwrap_or_else(|_| Err(gone()))
}

impl Drop for Db {
    fn drop(&mut self) {
        self.forsake();
    }
}

impl Db {
    pub(crate) fn new(conn: Conn) -> Self {
        Self { conn, sees_uncommitted: false, failed: false, patience: PATIENCE, silent: false }
    }

    /// Keeps a connection on which nobody answers from being waited for once more, by the pool it came from.
    fn forsake(&mut self) {
        if let Conn::Postgres(conn) = &mut self.conn
            && self.silent
        {
            conn.close_on_drop();
        }
    }

    pub fn database(&self) -> Database {
        match self.conn {
            Conn::Sqlite(_) => Database::Sqlite,
            Conn::Postgres(_) => Database::Postgres,
        }
    }

    /// All rows.
    pub async fn all(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        run!(self, sql, params, fetch_all, row::all)
    }

    /// The first row, if there is one.
    pub async fn first(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<Option<Row>> {
        run!(self, sql, params, fetch_optional, row::one)
    }

    /// One number, zero where there is none.
    pub async fn number(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<i64> {
        match self.first(sql, params).await? {
            Some(row) => row.number(),
            None => Ok(0),
        }
    }

    /// The database's own clock in microseconds: what leases are measured by.
    pub async fn now(&mut self) -> Result<i64> {
        let sql = match self.database() {
            Database::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000000 AS BIGINT)",
            Database::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        };
        self.number(sql, &[]).await
    }

    /// Statements whose text is built from constant pieces, such as multi-row `VALUES`.
    pub(crate) async fn built(&mut self, sql: String, params: &[Value<'_>]) -> Result<Vec<Row>> {
        self.built_as(sql, params, true).await
    }

    /// The same, planned for the tables as they are now. A plan that is kept is of the moment it was made: made while a table
    /// was empty it reads that table from end to end, and goes on doing so when ten thousand rows have come.
    pub(crate) async fn built_anew(&mut self, sql: String, params: &[Value<'_>]) -> Result<Vec<Row>> {
        self.built_as(sql, params, false).await
    }

    async fn built_as(&mut self, sql: String, params: &[Value<'_>], kept: bool) -> Result<Vec<Row>> {
        match self.database() {
            Database::Sqlite => run!(self, AssertSqlSafe(sql), params, fetch_all, row::all),
            Database::Postgres => {
                let (sql, places) = text::numbered(sql);
                let missing = places.saturating_sub(params.len());
                let padded = (0..missing).map(|place| params[place % params.len()].nothing());
                let params: Vec<Value<'_>> = params.iter().copied().chain(padded).collect();
                run!(self, AssertSqlSafe(sql), &params, fetch_all, row::all, kept)
            }
        }
    }

    /// What a `SELECT` ends with whose rows are about to be changed: read inside a change, nobody else may change them before
    /// it ends. `SQLite` has one writer: nobody else can.
    pub(crate) fn for_update(&self) -> &'static str {
        match self.database() {
            Database::Postgres if self.sees_uncommitted => "FOR UPDATE",
            _ => "",
        }
    }

    /// Whether there is such a table.
    pub(crate) async fn has_table(&mut self, name: &str) -> Result<bool> {
        let sql = match self.database() {
            Database::Sqlite => "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = $1",
            Database::Postgres => "SELECT CAST(COUNT(to_regclass($1)) AS BIGINT)",
        };
        Ok(self.number(sql, &[Value::from(name)]).await? > 0)
    }

    /// Begins to read everything at one moment; `ROLLBACK` ends it.
    pub(crate) async fn begin_reading(&mut self) -> Result<()> {
        self.command(match self.database() {
            Database::Sqlite => "BEGIN",
            Database::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        })
        .await
    }

    /// Connection-level commands (`BEGIN`, `SAVEPOINT`), one or several.
    pub(crate) async fn command(&mut self, sql: &'static str) -> Result<()> {
        let done = match &mut self.conn {
            Conn::Sqlite(conn) => sqlx::query(sql).persistent(true).execute(&mut **conn).await.map(|_| ()),
            Conn::Postgres(conn) => {
                let answer = sqlx::raw_sql(sql).execute(&mut **conn);
                heard(self.patience, &mut self.silent, answer).await.map(|_| ())
            }
        };
        done.map_err(from_sqlx)
    }
}

impl Tx {
    pub(crate) fn new(conn: Conn, node: &str, writer: String) -> Self {
        let mut db = Db::new(conn);
        db.sees_uncommitted = true;
        let fail_points = Arc::default();
        Self { db, node: node.into(), writer, writer_seq: 0, place: 0, fresh_keys: Vec::new(), fail_points }
    }

    /// Whether anybody is at the other end.
    pub(crate) async fn answers(&mut self) -> bool {
        match &mut self.db.conn {
            Conn::Sqlite(_) => true,
            Conn::Postgres(conn) => heard(IDLE_PATIENCE, &mut self.db.silent, conn.ping()).await.is_ok(),
        }
    }

    /// From now on it waits as long as a change may take, and no longer.
    pub(crate) fn hurry(&mut self) {
        self.db.patience = WRITER_PATIENCE;
    }

    /// From now on it waits as long as a migration may take; answers how long it waited so far.
    pub(crate) fn unhurried(&mut self) -> Duration {
        std::mem::replace(&mut self.db.patience, MIGRATION_PATIENCE)
    }

    pub(crate) fn hurry_as(&mut self, before: Duration) {
        self.db.patience = before;
    }

    /// The process this is, as leases name it.
    pub(crate) fn node(&self) -> Arc<str> {
        Arc::clone(&self.node)
    }

    /// Goes on with another connection and under another name, after one that broke.
    pub(crate) fn renew(&mut self, conn: Conn, writer: String) {
        self.db.forsake();
        (self.db.conn, self.db.silent) = (conn, false);
        self.rename(writer);
    }

    /// Goes on under another name, and counts from the beginning.
    pub(crate) fn rename(&mut self, writer: String) {
        (self.writer, self.writer_seq) = (writer, 0);
    }

    /// Comes by a place where a test may let things go wrong.
    pub async fn pass(&mut self, here: FailPoint) -> Result<()> {
        self.fail_points.pass(here).await
    }

    /// Begins a transaction, together with the first savepoint where several changes are going to share it.
    pub(crate) async fn begin(&mut self, shared: bool) -> Result<()> {
        self.db.failed = false;
        // Every command is a trip to the connection and back: they travel together.
        let command = match (self.database(), shared) {
            (Database::Sqlite, true) => "BEGIN IMMEDIATE; SAVEPOINT unit",
            (Database::Sqlite, false) => "BEGIN IMMEDIATE",
            (Database::Postgres, true) => "BEGIN; SAVEPOINT unit",
            (Database::Postgres, false) => "BEGIN",
        };
        self.command(command).await
    }

    /// Whether a statement failed since this was last asked.
    pub(crate) fn take_failed(&mut self) -> bool {
        std::mem::take(&mut self.db.failed)
    }

    /// Runs a change and says how many rows it touched.
    pub async fn execute(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<u64> {
        let db = &mut self.db;
        let done = match &mut db.conn {
            Conn::Sqlite(conn) => {
                bind!(sqlx::query(sql), params).execute(&mut **conn).await.map(|done| done.rows_affected())
            }
            Conn::Postgres(conn) => {
                let answer = bind!(sqlx::query(sql), params).execute(&mut **conn);
                heard(db.patience, &mut db.silent, answer).await.map(|done| done.rows_affected())
            }
        };
        db.failed |= done.is_err();
        done.map_err(from_sqlx)
    }

    /// A change that must touch exactly one row; anything else means the world moved.
    pub async fn execute_one(&mut self, what: &str, sql: &'static str, params: &[Value<'_>]) -> Result<()> {
        match self.execute(sql, params).await? {
            1 => Ok(()),
            _ => Err(Error::Conflict(what.to_owned())),
        }
    }

    /// The moment by which changes of several writers follow one another, as a part of a statement. A single writer needs
    /// none: it counts.
    pub(crate) fn moment(&self) -> &'static str {
        match self.database() {
            Database::Sqlite => "0",
            Database::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        }
    }

    /// What a `SELECT` ends with that takes rows of `due`, leaving out those that somebody else is about to take.
    pub(crate) fn for_claim(&self) -> &'static str {
        match self.database() {
            Database::Sqlite => "",
            Database::Postgres => "FOR UPDATE OF due SKIP LOCKED",
        }
    }
}
