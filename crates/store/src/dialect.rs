//! The thin layer over the driver: one SQL text with `$n` parameters, typed values (a NULL keeps its type), rows read by
//! column name. Every true difference between databases belongs here and nowhere else.

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Column as _, Row as _, Sqlite, SqliteConnection};

use crate::seal::FreshKey;
use crate::{Error, Result};

/// A parameter. A missing value still has a type, as `PostgreSQL` wants it.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Text(Option<&'a str>),
    Int(Option<i64>),
    Bool(bool),
    Blob(Option<&'a [u8]>),
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
    bool => Value::Bool;
    &'a [u8] => |bytes| Value::Blob(Some(bytes));
    &'a Vec<u8> => |bytes| Value::Blob(Some(bytes));
    Option<&'a [u8]> => Value::Blob;
}

/// Builds a parameter list: `params![lane, id, at]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::Value::from($value)),*] };
}

/// A connection that can be asked.
pub struct Db {
    pub(crate) conn: PoolConnection<Sqlite>,
    /// It sees what may still be taken back: nothing learnt through it may outlive its transaction.
    pub(crate) sees_uncommitted: bool,
}

/// A connection inside the writer's transaction.
pub struct Tx {
    pub(crate) db: Db,
    /// This process's name and count in the audit.
    pub(crate) writer: String,
    pub(crate) writer_seq: i64,
    /// Subject keys made in this transaction, cached once it commits.
    pub(crate) fresh_keys: Vec<FreshKey>,
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

impl Db {
    /// All rows.
    pub async fn all(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        let rows = bind(sqlx::query(sql), params).fetch_all(self.raw()).await.map_err(from_sqlx)?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// The first row, if there is one.
    pub async fn first(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<Option<Row>> {
        let row = bind(sqlx::query(sql), params).fetch_optional(self.raw()).await.map_err(from_sqlx)?;
        Ok(row.map(Row))
    }

    /// One number, zero where there is none.
    pub async fn number(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<i64> {
        match self.first(sql, params).await? {
            Some(row) => Ok(row.0.try_get::<Option<i64>, _>(0).map_err(from_sqlx)?.unwrap_or(0)),
            None => Ok(0),
        }
    }

    /// The database's own clock in microseconds: what leases are measured by.
    pub async fn now(&mut self) -> Result<i64> {
        self.number("SELECT CAST(unixepoch('subsec') * 1000000 AS BIGINT)", &[]).await
    }

    /// Statements whose text is built from constant pieces, such as multi-row `VALUES`.
    pub(crate) async fn built(&mut self, sql: String, params: &[Value<'_>]) -> Result<Vec<Row>> {
        let rows =
            bind(sqlx::query(AssertSqlSafe(sql)), params).fetch_all(self.raw()).await.map_err(from_sqlx)?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Connection-level commands (`BEGIN IMMEDIATE`, `SAVEPOINT`), one or several.
    pub(crate) async fn command(&mut self, sql: &'static str) -> Result<()> {
        sqlx::query(sql).persistent(true).execute(self.raw()).await.map_err(from_sqlx).map(|_| ())
    }

    fn raw(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }
}

impl Tx {
    /// Runs a change and says how many rows it touched.
    pub async fn execute(&mut self, sql: &'static str, params: &[Value<'_>]) -> Result<u64> {
        let done = bind(sqlx::query(sql), params).execute(self.db.raw()).await.map_err(from_sqlx)?;
        Ok(done.rows_affected())
    }

    /// A change that must touch exactly one row; anything else means the world moved.
    pub async fn execute_one(&mut self, what: &str, sql: &'static str, params: &[Value<'_>]) -> Result<()> {
        match self.execute(sql, params).await? {
            1 => Ok(()),
            _ => Err(Error::Conflict(what.to_owned())),
        }
    }
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind<'q>(mut query: Query<'q>, params: &[Value<'q>]) -> Query<'q> {
    for param in params {
        query = match *param {
            Value::Text(text) => query.bind(text),
            Value::Int(number) => query.bind(number),
            Value::Bool(flag) => query.bind(flag),
            Value::Blob(bytes) => query.bind(bytes),
        };
    }
    query
}

/// Rows that one statement carries at most.
pub(crate) const ROWS_MAX: usize = 64;

/// `(?, ?), (?, ?)`: room for so many rows, rounded up to a power of two, so that a few texts serve every number of rows
/// and stay prepared. What is left over is NULL, and the statement must leave it out. The parameters have no numbers:
/// `SQLite` looks for a numbered one among all of them.
pub(crate) fn values(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row; rows.next_power_of_two()].join(", ")
}

/// A row, read by column name. A column that is missing or of another type is a defect of ours and says which.
#[derive(Debug)]
pub struct Row(sqlx::sqlite::SqliteRow);

impl Row {
    pub fn text(&self, column: &'static str) -> Result<String> {
        self.0.try_get(column).map_err(from_sqlx)
    }

    pub fn opt_text(&self, column: &'static str) -> Result<Option<String>> {
        self.0.try_get(column).map_err(from_sqlx)
    }

    pub fn int(&self, column: &'static str) -> Result<i64> {
        self.0.try_get(column).map_err(from_sqlx)
    }

    pub fn opt_int(&self, column: &'static str) -> Result<Option<i64>> {
        self.0.try_get(column).map_err(from_sqlx)
    }

    pub fn flag(&self, column: &'static str) -> Result<bool> {
        self.0.try_get(column).map_err(from_sqlx)
    }

    pub fn blob(&self, column: &'static str) -> Result<Vec<u8>> {
        self.0.try_get(column).map_err(from_sqlx)
    }

    pub fn opt_blob(&self, column: &'static str) -> Result<Option<Vec<u8>>> {
        self.0.try_get(column).map_err(from_sqlx)
    }

    /// A column that parses into something, or a corrupt row named by table, column and id.
    pub fn parse<T>(
        &self,
        table: &'static str,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T> {
        let text = self.text(column)?;
        parse(&text).ok_or_else(|| Error::corrupt(table, column, self.id()))
    }

    /// A JSON column.
    pub fn json<T: serde::de::DeserializeOwned>(
        &self,
        table: &'static str,
        column: &'static str,
    ) -> Result<T> {
        self.parse(table, column, |text| serde_json::from_str(text).ok())
    }

    fn id(&self) -> String {
        let has_id = self.0.columns().iter().any(|column| column.name() == "id");
        if has_id { self.0.try_get("id").unwrap_or_default() } else { String::new() }
    }
}

pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    let sqlx::Error::Database(db) = &error else {
        return match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Error::Busy(error.to_string()),
            other => Error::Database(other.to_string()),
        };
    };
    if db.is_unique_violation() {
        return Error::Conflict(db.message().to_owned());
    }
    // Primary SQLite result codes: 5 busy, 6 locked, 8 read-only, 10 I/O error, 13 full.
    match db.code().as_deref().and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff) {
        Some(5 | 6) => Error::Busy(db.message().to_owned()),
        Some(8 | 10 | 13) => Error::Full(db.message().to_owned()),
        _ => Error::Database(db.message().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_room_for_all_rows_in_a_few_texts() {
        assert_eq!(super::values(1, 2), "(?, ?)");
        assert_eq!(super::values(2, 1), "(?), (?)");
        assert_eq!(super::values(33, 16), super::values(super::ROWS_MAX, 16));
    }
}
