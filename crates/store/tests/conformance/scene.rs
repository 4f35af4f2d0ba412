//! A store in a directory of its own, and a second, raw way to its file for those who bypass us.

use std::path::Path;

use bursar_store::open::database_path;
use bursar_store::seal::Keyring;
use bursar_store::{Error, Options, Result, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;

pub const LANE: &str = "acct_1/test";
pub const CUSTOMER: &str = "cus_1";
/// Machine time of everything that happens here, microseconds.
pub const AT: i64 = 1_795_219_200_000_000;

pub struct Scene {
    pub store: Store,
    pub dir: TempDir,
}

impl Scene {
    pub async fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), "node-1").await.unwrap();
        Scene { store, dir }
    }

    /// Ends this process's hold on the store and opens it as another process would.
    pub async fn reopen(self, node: &str) -> Scene {
        let Scene { store, dir } = self;
        drop(store);
        let store = open(dir.path(), node).await.unwrap();
        Scene { store, dir }
    }

    pub fn keyring(&self) -> std::sync::Arc<Keyring> {
        std::sync::Arc::clone(self.store.keyring())
    }

    pub async fn raw(&self) -> SqliteConnection {
        raw(self.dir.path()).await
    }
}

pub async fn open(dir: &Path, node: &str) -> Result<Store> {
    Store::open(Options { data_dir: dir.to_owned(), node: node.to_owned(), readers: 2 }).await
}

/// The file as an intruder, or a person with a database tool, would open it.
pub async fn raw(dir: &Path) -> SqliteConnection {
    let busy = std::time::Duration::from_secs(5);
    SqliteConnectOptions::new().filename(database_path(dir)).busy_timeout(busy).connect().await.unwrap()
}

/// Runs one statement past the store.
pub async fn alter(raw: &mut SqliteConnection, sql: &str) -> u64 {
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(raw).await.unwrap().rows_affected()
}

/// One number, asked past the store.
pub async fn number(raw: &mut SqliteConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(raw).await.unwrap()
}

/// Sixteen bytes that make an id.
pub fn entropy(number: u8) -> [u8; 16] {
    [number; 16]
}

pub fn is_conflict<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Conflict(_)))
}

/// Hands a change to the writer: `write!(store, |tx| jobs::add(tx, &job).await)`.
macro_rules! write {
    ($store:expr, |$tx:ident| $work:expr) => {
        $store
            .write::<_, bursar_store::Error, _>(move |$tx| {
                futures_util::FutureExt::boxed(async move { $work })
            })
            .await
    };
}
pub(crate) use write;
