//! `PostgreSQL`, shared by any number of nodes: a pool of readers and a few writers, each change in a transaction of its
//! own.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Pool, Postgres};

use super::{Opened, Options, PostgresUrl, Readers, prepare};
use crate::dialect::{Conn, Db, IDLE_PATIENCE, Tx, from_sqlx};
use crate::writer::Writer;
use crate::{Error, Result};

const VERSION_MIN: i64 = 130_000;
/// Changes that commit beside one another: the database makes one flush of them.
const WRITERS: u32 = 8;

pub(super) async fn open(options: &Options, url: &PostgresUrl) -> Result<Opened> {
    let connect = connect_options(url, &options.node)?;
    // A writer whose connection broke gets another one while it still holds the first.
    let pool = tested()
        .max_connections(WRITERS * 2)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(connect)
        .await
        .map_err(unreachable)?;
    let mut first = Tx::new(acquire(&pool).await?, &options.node, format!("{}.0", options.node));
    check_server(&mut first).await?;
    let keyring = prepare(&mut first, options).await?;
    let readers = readers(url, &options.node, options.readers).await?;
    let doubt = Arc::default();
    let mut writers = vec![Writer::among(first, pool.clone(), &doubt)];
    for number in 1..WRITERS {
        let tx = Tx::new(acquire(&pool).await?, &options.node, format!("{}.{number}", options.node));
        writers.push(Writer::among(tx, pool.clone(), &doubt));
    }
    Ok((readers, keyring, writers))
}

pub(super) async fn readers(url: &PostgresUrl, node: &str, count: u32) -> Result<Readers> {
    let connect = connect_options(url, node)?.options([("default_transaction_read_only", "on")]);
    let pool = tested()
        .max_connections(count.max(1))
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(connect)
        .await
        .map_err(unreachable)?;
    Ok(Readers::Postgres(pool))
}

/// A pool that asks an idle connection whether anybody is there before it is handed out, and does not wait long for the
/// answer: of those that were idle when the other end went away none is of any use, and each would be waited for in turn.
fn tested() -> PgPoolOptions {
    PgPoolOptions::new().test_before_acquire(false).before_acquire(|conn, _| {
        Box::pin(async move {
            let answer = tokio::time::timeout(IDLE_PATIENCE, conn.ping()).await;
            answer
                .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
                .map(|()| true)
        })
    })
}

pub(crate) async fn acquire(pool: &Pool<Postgres>) -> Result<Conn> {
    pool.acquire().await.map(Conn::Postgres).map_err(from_sqlx)
}

fn connect_options(url: &PostgresUrl, node: &str) -> Result<PgConnectOptions> {
    let mut options = PgConnectOptions::from_str(&url.url)
        .map_err(|_| Error::Database("storage.url is no postgres:// address".to_owned()))?;
    if let Some(password) = &url.password {
        options = options.password(password);
    }
    // Whatever is set for the role: an acknowledged change is on disk, and nobody waits for ever.
    let settings = [
        ("synchronous_commit", "on"),
        ("lock_timeout", "5s"),
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "60s"),
        ("timezone", "UTC"),
    ];
    Ok(options
        .application_name(&format!("bursar {node}"))
        .statement_cache_capacity(256)
        .options(settings)
        .disable_statement_logging())
}

fn unreachable(error: sqlx::Error) -> Error {
    match from_sqlx(error) {
        Error::Busy(why) | Error::Database(why) => {
            Error::Busy(format!("PostgreSQL does not let us in: {why}"))
        }
        other => other,
    }
}

async fn check_server(db: &mut Db) -> Result<()> {
    let version = db.number("SELECT CAST(current_setting('server_version_num') AS BIGINT)", &[]).await?;
    if version < VERSION_MIN {
        return Err(Error::Database(format!("PostgreSQL {version} is too old: 13 or newer is needed")));
    }
    for setting in ["fsync", "full_page_writes"] {
        let row = db.first("SELECT current_setting($1) AS value", crate::params![setting]).await?;
        let value = row.map(|row| row.text("value")).transpose()?.unwrap_or_default();
        if value != "on" {
            return Err(Error::Database(format!(
                "{setting} is {value} on this PostgreSQL server: a crash would take back what was acknowledged"
            )));
        }
    }
    Ok(())
}
