//! Rows, read by column name. A column that is missing or of another type is a defect of ours and says which.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _};

use super::failure::from_sqlx;
use crate::{Error, Result};

#[derive(Debug)]
pub struct Row(Inner);

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self(Inner::Sqlite(row))
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self(Inner::Postgres(row))
    }
}

pub(super) fn all<R: Into<Row>>(rows: Vec<R>) -> Vec<Row> {
    rows.into_iter().map(Into::into).collect()
}

pub(super) fn one<R: Into<Row>>(row: Option<R>) -> Option<Row> {
    row.map(Into::into)
}

macro_rules! get {
    ($row:expr, $column:expr) => {
        match &$row.0 {
            Inner::Sqlite(row) => row.try_get($column),
            Inner::Postgres(row) => row.try_get($column),
        }
        .map_err(from_sqlx)
    };
}

impl Row {
    pub fn text(&self, column: &'static str) -> Result<String> {
        get!(self, column)
    }

    pub fn opt_text(&self, column: &'static str) -> Result<Option<String>> {
        get!(self, column)
    }

    pub fn int(&self, column: &'static str) -> Result<i64> {
        get!(self, column)
    }

    pub fn opt_int(&self, column: &'static str) -> Result<Option<i64>> {
        get!(self, column)
    }

    pub fn flag(&self, column: &'static str) -> Result<bool> {
        get!(self, column)
    }

    pub fn blob(&self, column: &'static str) -> Result<Vec<u8>> {
        get!(self, column)
    }

    pub fn opt_blob(&self, column: &'static str) -> Result<Option<Vec<u8>>> {
        get!(self, column)
    }

    /// The first column as a number, zero where it is nothing.
    pub(super) fn number(&self) -> Result<i64> {
        let number: Result<Option<i64>> = get!(self, 0);
        number.map(Option::unwrap_or_default)
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
        let has_id = match &self.0 {
            Inner::Sqlite(row) => row.columns().iter().any(|column| column.name() == "id"),
            Inner::Postgres(row) => row.columns().iter().any(|column| column.name() == "id"),
        };
        if has_id { self.text("id").unwrap_or_default() } else { String::new() }
    }
}
