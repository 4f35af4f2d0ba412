//! A store of its own for each test, on the database that this run of the suite is about, and a second, raw way to it for
//! those who bypass us.

use bursar_store::open::database_path;
use bursar_store::scratch::Scratch;
use bursar_store::seal::Keyring;
use bursar_store::{Database, Error, Result, Store};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection};

use crate::DATABASE;

pub const LANE: &str = "acct_1/test";
pub const CUSTOMER: &str = "cus_1";
/// Machine time of everything that happens here, microseconds.
pub const AT: i64 = 1_795_219_200_000_000;

pub struct Scene {
    pub store: Store,
    pub dir: Scratch,
}

impl Scene {
    pub async fn new() -> Scene {
        let dir = Scratch::new(DATABASE).await;
        let store = open(&dir, "node-1").await.unwrap();
        Scene { store, dir }
    }

    /// Ends this process's hold on the store and opens it as another process would.
    pub async fn reopen(self, node: &str) -> Scene {
        let Scene { store, dir } = self;
        drop(store);
        let store = open(&dir, node).await.unwrap();
        Scene { store, dir }
    }

    pub fn keyring(&self) -> std::sync::Arc<Keyring> {
        std::sync::Arc::clone(self.store.keyring())
    }

    pub async fn raw(&self) -> Raw {
        raw(&self.dir).await
    }
}

pub async fn open(dir: &Scratch, node: &str) -> Result<Store> {
    Store::open(dir.options(node)).await
}

/// The database as an intruder, or a person with a database tool, would open it.
pub enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

pub async fn raw(dir: &Scratch) -> Raw {
    match DATABASE {
        Database::Sqlite => Raw::Sqlite(sqlite(dir).await),
        Database::Postgres => Raw::Postgres(dir.postgres().await),
    }
}

pub async fn sqlite(dir: &Scratch) -> SqliteConnection {
    let (path, busy) = (database_path(dir.path()), std::time::Duration::from_secs(5));
    SqliteConnectOptions::new().filename(path).busy_timeout(busy).connect().await.unwrap()
}

/// Runs one statement past the store.
pub async fn alter(raw: &mut Raw, sql: &str) -> u64 {
    let sql = AssertSqlSafe(sql.to_owned());
    match raw {
        Raw::Sqlite(raw) => sqlx::query(sql).execute(raw).await.unwrap().rows_affected(),
        Raw::Postgres(raw) => sqlx::query(sql).execute(raw).await.unwrap().rows_affected(),
    }
}

/// One number, asked past the store.
pub async fn number(raw: &mut Raw, sql: &str) -> i64 {
    let sql = AssertSqlSafe(sql.to_owned());
    match raw {
        Raw::Sqlite(raw) => sqlx::query_scalar(sql).fetch_one(raw).await.unwrap(),
        Raw::Postgres(raw) => sqlx::query_scalar(sql).fetch_one(raw).await.unwrap(),
    }
}

/// A condition: a column of sealed bytes shows these words to whoever reads it without a key.
pub fn shows(column: &str, words: &str) -> String {
    match DATABASE {
        Database::Sqlite => format!("INSTR(CAST({column} AS TEXT), '{words}') > 0"),
        Database::Postgres => format!("POSITION(CAST('{words}' AS BYTEA) IN {column}) > 0"),
    }
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
