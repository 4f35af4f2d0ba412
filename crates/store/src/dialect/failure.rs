//! What a driver's error means to whoever asked.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::Error;

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`, everywhere")]
pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    let db = match &error {
        sqlx::Error::Database(db) => db,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
            return Error::Busy(error.to_string());
        }
        _ => return Error::Database(error.to_string()),
    };
    if db.is_unique_violation() {
        return Error::Conflict(db.message().to_owned());
    }
    match db.try_downcast_ref::<PgDatabaseError>() {
        Some(postgres) => from_postgres(postgres),
        None => from_sqlite(&**db),
    }
}

/// Primary result codes: 5 busy, 6 locked, 8 read-only, 10 I/O error, 13 full.
fn from_sqlite(error: &dyn DatabaseError) -> Error {
    let message = error.message().to_owned();
    match error.code().as_deref().and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff) {
        Some(5 | 6) => Error::Busy(message),
        Some(8 | 10 | 13) => Error::Full(message),
        _ => Error::Database(message),
    }
}

/// Classes of `PostgreSQL`'s appendix A: 08 connection, 40 rolled back, 53 resources, 55P03 lock not to be had, 57 stopping
/// or starting, 58 system error, 25006 read-only.
fn from_postgres(error: &PgDatabaseError) -> Error {
    let message = error.message().to_owned();
    match error.code() {
        "53100" | "25006" => Error::Full(message),
        "55P03" => Error::Busy(message),
        // Two that make the same thing at the same moment.
        "42710" | "42P07" => Error::Conflict(message),
        code if ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) => Error::Busy(message),
        code if code.starts_with("58") => Error::Full(message),
        code => Error::Database(format!("{message} ({code})")),
    }
}
