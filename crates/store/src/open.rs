//! Opening a store: the lock on the data directory, migrations, the master key, readers and writers.

pub(crate) mod master_key;
pub(crate) mod migrate;
mod postgres;
pub(crate) mod sqlite;

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::{Pool, Postgres, Sqlite};
use tokio::sync::{mpsc, oneshot};

use crate::dialect::{Conn, Database, Db, Tx, from_sqlx};
use crate::fail_point::{FailPoint, FailPoints};
use crate::seal::Keyring;
use crate::writer::{self, Typed, Unit};
use crate::{Error, Result};

pub use migrate::{Beside, Migration, MigrationState, Schema, Script, Standing};
pub(crate) use postgres::acquire;
pub use sqlite::database_path;

/// Closures that may wait for a writer before callers are told to come back.
const INBOX_MAX: usize = 4096;

#[derive(Clone, Debug)]
pub struct Options {
    /// Where the lock and, unless it is given, the master key lie; the database too, unless another one is named.
    pub data_dir: PathBuf,
    /// The process's name in leases and in the audit; unique to this start.
    pub node: String,
    pub readers: u32,
    /// Nothing for `SQLite` in the data directory.
    pub postgres: Option<PostgresUrl>,
    /// What all nodes of an installation share; nothing to keep it in the data directory.
    pub master_key: Option<MasterKey>,
    /// The file that remembers where the audit chain had come to; nothing to keep it in the data directory.
    pub anchor: Option<PathBuf>,
    /// What this version knows of the tables. Tests and the proof are other versions.
    #[doc(hidden)]
    pub schema: Schema,
}

impl Options {
    /// `SQLite` in a data directory that no other process uses.
    pub fn sqlite(data_dir: impl Into<PathBuf>, node: impl Into<String>) -> Self {
        let (data_dir, node) = (data_dir.into(), node.into());
        Self {
            data_dir,
            node,
            readers: 8,
            postgres: None,
            master_key: None,
            anchor: None,
            schema: Schema::default(),
        }
    }

    /// Where the anchor lies.
    pub fn anchor_path(&self) -> PathBuf {
        self.anchor.clone().unwrap_or_else(|| self.data_dir.join(crate::anchor::FILE))
    }
}

/// Where a `PostgreSQL` database is, and the password where one is needed; never shown.
#[derive(Clone)]
pub struct PostgresUrl {
    /// `postgres://user@host:port/database`
    pub url: String,
    pub password: Option<String>,
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresUrl(…)")
    }
}

pub use master_key::MasterKey;

/// A handle; clones share one store.
#[derive(Clone)]
pub struct Store {
    readers: Readers,
    writer: mpsc::Sender<Box<dyn Unit>>,
    keyring: Arc<Keyring>,
    node: Arc<str>,
    predecessor: Option<Arc<str>>,
    data_dir: Arc<Path>,
    anchor: Arc<Path>,
    schema: Schema,
    fail_points: Arc<FailPoints>,
    // Held as long as any handle lives.
    _lock: Option<Arc<File>>,
}

#[derive(Clone)]
pub(crate) enum Readers {
    Sqlite(Pool<Sqlite>),
    Postgres(Pool<Postgres>),
}

impl Readers {
    pub(crate) async fn get(&self) -> Result<Db> {
        let conn = match self {
            Readers::Sqlite(pool) => Conn::Sqlite(pool.acquire().await.map_err(from_sqlx)?),
            Readers::Postgres(pool) => Conn::Postgres(pool.acquire().await.map_err(from_sqlx)?),
        };
        Ok(Db::new(conn))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

const LOCK: &str = "bursar.lock";
/// Holds the name of the process that owns the directory, or did.
const NODE: &str = "node";

impl Store {
    /// Opens the store, making it where there is none. One process owns a data directory; a `PostgreSQL` database is
    /// shared by as many as like.
    pub async fn open(options: Options) -> Result<Store> {
        std::fs::create_dir_all(&options.data_dir).map_err(|error| full(&options.data_dir, &error))?;
        let lock = take_lock(&options.data_dir)?;
        let (sender, inbox) = mpsc::channel(INBOX_MAX);
        let (readers, keyring, writers) = match &options.postgres {
            None => sqlite::open(&options, sender.downgrade()).await?,
            Some(url) => postgres::open(&options, url).await?,
        };
        let fail_points = Arc::new(FailPoints::default());
        writer::start(writers, inbox, &keyring, &fail_points);
        Ok(Store {
            readers,
            writer: sender,
            keyring,
            predecessor: predecessor(&options),
            anchor: options.anchor_path().into(),
            schema: options.schema,
            node: options.node.into(),
            data_dir: options.data_dir.into(),
            fail_points,
            _lock: Some(Arc::new(lock)),
        })
    }

    /// Opens read-only, beside a running owner or without one: for verification and export.
    pub async fn open_read_only(options: &Options) -> Result<Store> {
        let readers = readers_beside(options).await?;
        let mut db = readers.get().await?;
        let is_made = migrate::newest(&mut db, options.schema).await? > 0;
        let key = master_key::to_look_with(if is_made { Some(&mut db) } else { None }, options).await?;
        drop(db);
        let keyring = Arc::new(Keyring::new(key));
        let (writer, _) = mpsc::channel(1);
        Ok(Store {
            readers,
            writer,
            keyring,
            node: "reader".into(),
            predecessor: None,
            data_dir: options.data_dir.as_path().into(),
            anchor: options.anchor_path().into(),
            schema: options.schema,
            fail_points: Arc::default(),
            _lock: None,
        })
    }

    /// The migrations that this version knows, and which of them the database has. One that has more is refused.
    pub async fn migrations(&self) -> Result<Vec<Migration>> {
        migrate::all(&mut self.readers.get().await?, self.schema).await
    }

    /// The same of a database that nobody opens: beside a running owner, before the first start, or where it ended early.
    pub async fn migrations_of(options: &Options) -> Result<Vec<Migration>> {
        migrate::all(&mut readers_beside(options).await?.get().await?, options.schema).await
    }

    /// How the tables stand to what this version knows, now that others may have brought them further.
    pub async fn standing(&self, db: &mut Db) -> Result<Standing> {
        migrate::standing(db, self.schema).await
    }

    /// A connection to read with.
    pub async fn read(&self) -> Result<Db> {
        self.readers.get().await
    }

    /// Hands a change to a writer and waits until it is on disk. The closure awaits nothing but the database.
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

    /// The node that owned this data directory before and did not sign off. Its lock is ours: that process is gone.
    pub fn predecessor(&self) -> Option<&str> {
        self.predecessor.as_deref()
    }

    /// From now on whoever opens the directory next finds this node's name.
    pub fn sign(&self) -> Result<()> {
        let path = self.data_dir.join(NODE);
        std::fs::write(&path, self.node.as_bytes()).map_err(|error| full(&path, &error))
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where the anchor of the audit lies.
    pub fn anchor_path(&self) -> &Path {
        &self.anchor
    }

    /// Where tests let things go wrong in this store and in the engine above it.
    pub fn fail_points(&self) -> &FailPoints {
        &self.fail_points
    }

    /// Comes by such a place.
    pub async fn pass(&self, here: FailPoint) -> Result<()> {
        self.fail_points.pass(here).await
    }

    pub fn database(&self) -> Database {
        match self.readers {
            Readers::Sqlite(_) => Database::Sqlite,
            Readers::Postgres(_) => Database::Postgres,
        }
    }
}

pub(crate) async fn readers_beside(options: &Options) -> Result<Readers> {
    match &options.postgres {
        None => sqlite::readers_beside(&options.data_dir).await,
        Some(url) => postgres::readers(url, &options.node, 2).await,
    }
}

/// What an opened database comes to: readers, keys, and those who write.
type Opened = (Readers, Arc<Keyring>, Vec<writer::Writer>);

/// Brings the schema up to date and finds the key that belongs to it.
async fn prepare(tx: &mut Tx, options: &Options) -> Result<Arc<Keyring>> {
    migrate::run(tx, options).await?;
    Ok(Arc::new(Keyring::new(master_key::of_installation(tx, options).await?)))
}

fn predecessor(options: &Options) -> Option<Arc<str>> {
    let name = std::fs::read_to_string(options.data_dir.join(NODE)).ok()?;
    (!name.is_empty() && name != options.node).then(|| name.into())
}

pub(crate) fn full(path: &Path, error: &std::io::Error) -> Error {
    Error::Full(format!("{}: {error}", path.display()))
}

/// Whether some process owns the data directory at this moment. Asking takes nothing.
pub fn is_owned(data_dir: &Path) -> bool {
    let lock = File::open(data_dir.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// One process owns the data directory; the lock goes with the process, however it ends.
pub(crate) fn take_lock(data_dir: &Path) -> Result<File> {
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
