//! `SQLite` in the data directory: a pool of readers, one connection that writes, one that moves the log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Pool, Sqlite};
use tokio::sync::mpsc;
use tokio::time::Instant;

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
        // A file does not go away: asking whether it is there costs as much as what is to be read.
        .test_before_acquire(false)
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

/// Pages of the log that are moved together. A move ends with the database's file flushed, which keeps waiting whoever commits
/// meanwhile; and a page that was written a hundred times since the last one is moved once.
const PAGES_TOGETHER: i64 = 16_384;
/// Never so many: whoever commits then waits until everything is moved, and the log begins anew.
const PAGES_MAX: i64 = 4 * PAGES_TOGETHER;
/// However few they are, they are moved after this.
const MOVE_WITHIN: Duration = Duration::from_mins(1);

/// Moves the log into the database on a connection of its own, so that no commit waits for it.
async fn checkpoint(connect: SqliteConnectOptions, alive: mpsc::WeakSender<Box<dyn Unit>>) {
    // Whoever waits for the whole log keeps all others waiting: not for long.
    let connect = connect.busy_timeout(Duration::from_millis(100));
    let Ok(pool) = SqlitePoolOptions::new().max_connections(1).connect_with(connect).await else { return };
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut moved = Instant::now();
    while alive.upgrade().is_some() {
        tick.tick().await;
        let Ok(conn) = pool.acquire().await else { continue };
        match move_log(&mut Db::new(Conn::Sqlite(conn)), moved.elapsed()).await {
            Ok(true) => moved = Instant::now(),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be moved into the database; trying again");
            }
        }
    }
}

/// Moves it where it is time to; says whether it was.
async fn move_log(db: &mut Db, since: Duration) -> Result<bool> {
    let (pages, moved) = log(db, "PRAGMA wal_checkpoint(NOOP)").await?;
    let waiting = pages - moved;
    if waiting <= 0 || (waiting < PAGES_TOGETHER && since < MOVE_WITHIN) {
        return Ok(false);
    }
    let (pages, _) = log(db, "PRAGMA wal_checkpoint(PASSIVE)").await?;
    // Commits came in between each time, so that it never began anew.
    if pages >= PAGES_MAX {
        log(db, "PRAGMA wal_checkpoint(FULL)").await?;
    }
    Ok(true)
}

/// Pages in the log, and how many of them are in the database already.
async fn log(db: &mut Db, look_or_move: &'static str) -> Result<(i64, i64)> {
    let row = db.first(look_or_move, &[]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.int("log")?, row.int("checkpointed")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that leaves the log alone, as the writer does.
    async fn connection(path: &Path) -> Db {
        let connect = connect_options(path).create_if_missing(true).pragma("wal_autocheckpoint", "0");
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(connect).await.unwrap();
        Db::new(Conn::Sqlite(pool.acquire().await.unwrap()))
    }

    #[tokio::test]
    async fn the_log_is_moved_when_it_is_long_or_old_and_else_left() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, mut mover) = (connection(folder.path()).await, connection(folder.path()).await);
        writer.command("CREATE TABLE notes (body BLOB)").await.unwrap();
        assert!(!move_log(&mut mover, Duration::ZERO).await.unwrap(), "short and young");
        let (pages, moved) = log(&mut mover, "PRAGMA wal_checkpoint(NOOP)").await.unwrap();
        assert!(pages > 0 && moved == 0, "{pages} {moved}");
        assert!(move_log(&mut mover, MOVE_WITHIN).await.unwrap(), "old");
        assert_eq!(log(&mut mover, "PRAGMA wal_checkpoint(NOOP)").await.unwrap(), (pages, pages));
        assert!(!move_log(&mut mover, MOVE_WITHIN).await.unwrap(), "nothing is left to be moved");
        writer
            .command("SAVEPOINT one; INSERT INTO notes VALUES (zeroblob(68000000)); RELEASE one")
            .await
            .unwrap();
        assert!(move_log(&mut mover, Duration::ZERO).await.unwrap(), "long");
    }

    #[tokio::test]
    async fn whoever_reads_for_long_holds_up_no_commit_however_long_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, mut reader) = (connection(folder.path()).await, connection(folder.path()).await);
        let mut mover = connection(folder.path()).await;
        writer.command("CREATE TABLE notes (body BLOB)").await.unwrap();
        reader.command("BEGIN; SELECT COUNT(*) FROM notes").await.unwrap();
        writer
            .command("SAVEPOINT one; INSERT INTO notes VALUES (zeroblob(272000000)); RELEASE one")
            .await
            .unwrap();
        mover.command("PRAGMA busy_timeout = 10").await.unwrap();
        assert!(move_log(&mut mover, Duration::ZERO).await.unwrap(), "tried");
        writer.command("SAVEPOINT one; INSERT INTO notes VALUES (1); RELEASE one").await.unwrap();
        reader.command("COMMIT").await.unwrap();
        assert!(move_log(&mut mover, Duration::ZERO).await.unwrap());
        let (pages, moved) = log(&mut mover, "PRAGMA wal_checkpoint(NOOP)").await.unwrap();
        assert_eq!(pages, moved, "all of it");
        writer.command("SAVEPOINT one; INSERT INTO notes VALUES (2); RELEASE one").await.unwrap();
        let (pages, _) = log(&mut mover, "PRAGMA wal_checkpoint(NOOP)").await.unwrap();
        assert!(pages < 100, "it began anew");
    }
}
