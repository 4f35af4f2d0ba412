//! `SQLite` in the data directory: a pool of readers, one connection that writes, one that moves the log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Pool, Sqlite};
use tokio::sync::mpsc;

use super::{Opened, Options, Readers, prepare};
use crate::dialect::{Conn, Db, Tx, from_sqlx};
use crate::writer::{Unit, Writer};
use crate::{Error, Result};

/// Before this version of `SQLite` resetting the write-ahead log could corrupt it.
const VERSION_MIN: [u32; 3] = [3, 51, 3];

/// Where the database lies in a data directory.
pub fn database_path(data_dir: &Path) -> PathBuf {
    data_dir.join("bursar.db")
}

pub(super) async fn open(options: &Options, alive: mpsc::WeakSender<Box<dyn Unit>>) -> Result<Opened> {
    let connect = connect_options(&options.data_dir).create_if_missing(true);
    let write_pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        // What a savepoint would take back is remembered in memory: a file for it would cost as much as the log itself.
        .connect_with(connect.clone().pragma("wal_autocheckpoint", "0").pragma("temp_store", "MEMORY"))
        .await
        .map_err(from_sqlx)?;
    let conn = Conn::Sqlite(write_pool.acquire().await.map_err(from_sqlx)?);
    let mut tx = Tx::new(conn, &options.node, options.node.clone());
    check_version(&mut tx).await?;
    let keyring = prepare(&mut tx, options).await?;
    // After what the process before may have left to be chained.
    tx.place = tx.number("SELECT MAX(place) FROM audit", &[]).await?.max(tx.now().await?);
    let readers = open_readers(&connect, options.readers).await?;
    tokio::spawn(checkpoint(connect, alive));
    Ok((Readers::Sqlite(readers), keyring, vec![Writer::alone(tx)]))
}

pub(super) async fn readers_beside(data_dir: &Path) -> Result<Readers> {
    open_readers(&connect_options(data_dir), 2).await.map(Readers::Sqlite)
}

fn connect_options(data_dir: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(database_path(data_dir))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(256)
        .disable_statement_logging()
}

async fn open_readers(connect: &SqliteConnectOptions, count: u32) -> Result<Pool<Sqlite>> {
    SqlitePoolOptions::new()
        .max_connections(count.max(1))
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(connect.clone().create_if_missing(false).pragma("query_only", "1"))
        .await
        .map_err(from_sqlx)
}

/// A file by itself, to be looked at as it is: its journal stays of the kind that it has.
pub(crate) async fn alone(path: &Path) -> Result<Db> {
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(connect).await.map_err(from_sqlx)?;
    pool.acquire().await.map(|conn| Db::new(Conn::Sqlite(conn))).map_err(from_sqlx)
}

async fn check_version(db: &mut Db) -> Result<()> {
    let row = db.first("SELECT sqlite_version() AS version", &[]).await?;
    let version = row.map(|row| row.text("version")).transpose()?.unwrap_or_default();
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if parts.as_slice() < VERSION_MIN.as_slice() {
        return Err(Error::Database(format!("SQLite {version} is too old: 3.51.3 or newer is needed")));
    }
    Ok(())
}

/// Moves the log into the database on a connection of its own, so that no commit waits for it.
async fn checkpoint(connect: SqliteConnectOptions, alive: mpsc::WeakSender<Box<dyn Unit>>) {
    let Ok(pool) = SqlitePoolOptions::new().max_connections(1).connect_with(connect).await else { return };
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    while alive.upgrade().is_some() {
        tick.tick().await;
        let Ok(conn) = pool.acquire().await else { continue };
        if let Err(error) = Db::new(Conn::Sqlite(conn)).command("PRAGMA wal_checkpoint(PASSIVE)").await {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database; trying again");
        }
    }
}
