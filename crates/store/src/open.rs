//! Opening a store: the lock on the data directory, the master key, migrations, the pool of readers and the writer.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ring::rand::{SecureRandom as _, SystemRandom};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Pool, Sqlite};
use tokio::sync::{mpsc, oneshot};

use crate::dialect::{Db, Tx, from_sqlx};
use crate::seal::Keyring;
use crate::writer::{self, Typed, Unit};
use crate::{Error, Result};

/// Before this version of `SQLite` resetting the write-ahead log could corrupt it.
const SQLITE_MIN: [u32; 3] = [3, 51, 3];
/// Closures that may wait for the writer before callers are told to come back.
const INBOX_MAX: usize = 4096;

#[derive(Clone, Debug)]
pub struct Options {
    pub data_dir: PathBuf,
    /// The process's name in leases and in the audit; unique to this start.
    pub node: String,
    pub readers: u32,
}

/// A handle; clones share one store.
#[derive(Clone)]
pub struct Store {
    readers: Pool<Sqlite>,
    writer: mpsc::Sender<Box<dyn Unit>>,
    keyring: Arc<Keyring>,
    node: Arc<str>,
    data_dir: Arc<Path>,
    // Held as long as any handle lives.
    _lock: Option<Arc<File>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

const LOCK: &str = "bursar.lock";

/// Where the database lies in a data directory.
pub fn database_path(data_dir: &Path) -> PathBuf {
    data_dir.join("bursar.db")
}

impl Store {
    /// Opens the store for the one process that owns it, making it where there is none.
    pub async fn open(options: Options) -> Result<Store> {
        std::fs::create_dir_all(&options.data_dir).map_err(|error| full(&options.data_dir, &error))?;
        let lock = take_lock(&options.data_dir)?;
        let keyring = Arc::new(Keyring::new(master_key(&options.data_dir)?));
        let connect = connect_options(&options.data_dir).create_if_missing(true);
        let write_pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(connect.clone().pragma("wal_autocheckpoint", "0"))
            .await
            .map_err(from_sqlx)?;
        let mut tx = Tx {
            db: Db { conn: write_pool.acquire().await.map_err(from_sqlx)?, sees_uncommitted: true },
            writer: options.node.clone(),
            writer_seq: 0,
            fresh_keys: Vec::new(),
        };
        check_version(&mut tx.db).await?;
        migrate(&mut tx).await?;
        let readers = open_readers(&connect, options.readers).await?;
        let (writer, inbox) = mpsc::channel(INBOX_MAX);
        tokio::spawn(writer::run(tx, inbox, Arc::clone(&keyring)));
        tokio::spawn(checkpoint(connect, writer.downgrade()));
        Ok(Store {
            readers,
            writer,
            keyring,
            node: options.node.into(),
            data_dir: options.data_dir.into(),
            _lock: Some(Arc::new(lock)),
        })
    }

    /// Opens read-only, beside a running owner or without one: for verification and export.
    pub async fn open_read_only(data_dir: &Path) -> Result<Store> {
        let keyring = Arc::new(Keyring::new(read_master_key(data_dir)?));
        let readers = open_readers(&connect_options(data_dir), 2).await?;
        let (writer, _) = mpsc::channel(1);
        let store =
            Store { readers, writer, keyring, node: "reader".into(), data_dir: data_dir.into(), _lock: None };
        newest_migration(&mut store.read().await?).await?;
        Ok(store)
    }

    /// A connection to read with.
    pub async fn read(&self) -> Result<Db> {
        Ok(Db { conn: self.readers.acquire().await.map_err(from_sqlx)?, sees_uncommitted: false })
    }

    /// Hands a change to the writer and waits until it is on disk. The closure awaits nothing but the database.
    pub async fn write<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, std::result::Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let unit = Box::new(Typed { work: Some(work), result: None, reply });
        self.writer.send(unit).await.map_err(|_| Error::Closing)?;
        answer.await.map_err(|_| Error::Closing)?
    }

    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    pub fn node(&self) -> &str {
        &self.node
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

fn full(path: &Path, error: &std::io::Error) -> Error {
    Error::Full(format!("{}: {error}", path.display()))
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

/// Whether some process owns the data directory at this moment. Asking takes nothing.
pub fn is_owned(data_dir: &Path) -> bool {
    let lock = File::open(data_dir.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// One process owns the data directory; the lock goes with the process, however it ends.
fn take_lock(data_dir: &Path) -> Result<File> {
    let path = data_dir.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| full(&path, &error))?;
    file.try_lock().map_err(|_| Error::InUse(data_dir.display().to_string()))?;
    Ok(file)
}

fn key_path(data_dir: &Path) -> PathBuf {
    data_dir.join("master.key")
}

fn master_key(data_dir: &Path) -> Result<[u8; 32]> {
    let path = key_path(data_dir);
    if path.exists() {
        return read_master_key(data_dir);
    }
    if database_path(data_dir).exists() {
        return Err(Error::Unsealable(format!("{} is missing: the database beside it", path.display())));
    }
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| Error::Database("no randomness".to_owned()))?;
    let mut open = OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut file = open.open(&path).map_err(|error| full(&path, &error))?;
    file.write_all(hex::encode(key).as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| full(&path, &error))?;
    Ok(key)
}

fn read_master_key(data_dir: &Path) -> Result<[u8; 32]> {
    let path = key_path(data_dir);
    let mut text = String::new();
    File::open(&path)
        .and_then(|mut file| file.read_to_string(&mut text))
        .map_err(|_| Error::Unsealable(path.display().to_string()))?;
    let bytes = hex::decode(text.trim()).map_err(|_| Error::Unsealable(path.display().to_string()))?;
    bytes.try_into().map_err(|_| Error::Unsealable(path.display().to_string()))
}

async fn check_version(db: &mut Db) -> Result<()> {
    let row = db.first("SELECT sqlite_version() AS version", &[]).await?;
    let version = row.map(|row| row.text("version")).transpose()?.unwrap_or_default();
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if parts.as_slice() < SQLITE_MIN.as_slice() {
        return Err(Error::Database(format!("SQLite {version} is too old: 3.51.3 or newer is needed")));
    }
    Ok(())
}

/// Migrations in order. A number once released is never changed.
const MIGRATIONS: &[(i64, &str)] = &[(1, include_str!("../migrations/0001_first.sql"))];

async fn migrate(tx: &mut Tx) -> Result<()> {
    tx.command("CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, text_hash TEXT NOT NULL)")
        .await?;
    let found = newest_migration(tx).await?;
    for (number, text) in MIGRATIONS.iter().filter(|(number, _)| *number > found) {
        tx.command("BEGIN IMMEDIATE").await?;
        for statement in statements(text) {
            tx.built(statement, &[]).await?;
        }
        let hash = bursar_domain::canonical::hash_hex(text.as_bytes());
        let sql = "INSERT INTO migrations (number, text_hash) VALUES ($1, $2)";
        tx.execute(sql, crate::params![*number, &hash]).await?;
        tx.command("COMMIT").await?;
    }
    Ok(())
}

/// How far the schema has come; an error when it went further than this version knows.
async fn newest_migration(db: &mut Db) -> Result<i64> {
    let known = MIGRATIONS.last().map_or(0, |(number, _)| *number);
    let found = db.number("SELECT MAX(number) FROM migrations", &[]).await?;
    if found > known { Err(Error::Newer { found, known }) } else { Ok(found) }
}

/// The statements of a migration: comments away, split at semicolons (none stand inside literals there).
fn statements(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    code.join("\n").split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Moves the log into the database on a connection of its own, so that no commit waits for it.
async fn checkpoint(connect: SqliteConnectOptions, alive: mpsc::WeakSender<Box<dyn Unit>>) {
    let Ok(pool) = SqlitePoolOptions::new().max_connections(1).connect_with(connect).await else { return };
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    while alive.upgrade().is_some() {
        tick.tick().await;
        let Ok(conn) = pool.acquire().await else { continue };
        if let Err(error) =
            (Db { conn, sees_uncommitted: false }).command("PRAGMA wal_checkpoint(PASSIVE)").await
        {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database; trying again");
        }
    }
}
