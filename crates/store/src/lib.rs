//! One durable store. Reads go to a pool; a write is a closure handed to the one writer, awaiting nothing but the
//! database, in its own savepoint, answered after its group is on disk. Nobody outside holds a transaction.

pub mod alerts;
pub mod anchor;
pub mod approvals;
pub mod audit;
pub mod backup;
pub mod budgets;
pub mod cases;
pub mod check;
pub mod decisions;
pub mod dialect;
pub mod events;
pub mod executions;
pub mod fail_point;
pub mod history;
pub mod installation;
pub mod jobs;
pub mod modes;
pub mod nodes;
pub mod objects;
pub mod open;
pub mod people;
pub mod planted;
pub mod policies;
pub mod pollers;
pub mod proposals;
pub mod quarantine;
pub mod request_keys;
pub mod restores;
#[cfg(feature = "scratch")]
pub mod scratch;
pub mod seal;
pub mod tasks;
pub mod timeline;
mod writer;

pub use dialect::{Database, Db, Row, Tx, Value};
pub use open::{MasterKey, Options, PostgresUrl, Store};

/// What went wrong, by what the caller does about it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Try again later; nothing was kept.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// Nothing was kept and nothing can be until somebody helps.
    #[error("the disk is full or not writable: {0}")]
    Full(String),
    /// A uniqueness rule says somebody else was first.
    #[error("already there: {0}")]
    Conflict(String),
    /// The lease was lost: whoever holds the newer fence token does the work.
    #[error("the lease on {0} was lost")]
    Fenced(String),
    /// A row that cannot be understood.
    #[error("{table}.{column} of {id} cannot be understood")]
    Corrupt { table: &'static str, column: &'static str, id: String },
    /// The key that sealed this was destroyed or is not ours.
    #[error("{0} cannot be unsealed")]
    Unsealable(String),
    /// Another process owns the data directory.
    #[error("{0} is in use by another bursar process")]
    InUse(String),
    /// The tables went further than this version knows. Nothing was changed.
    #[error(
        "a newer version has brought the tables up to date (migration {found}; this version knows {known})"
    )]
    Newer { found: i64, known: i64 },
    /// A migration that needs to be alone. Nothing was changed.
    #[error("migration {number} ({name}) cannot be made while other nodes run: {nodes}")]
    OthersRun { number: i64, name: &'static str, nodes: String },
    /// There is no installation here yet; the next start makes it.
    #[error("the first start in {0} ended before there was anything to read")]
    Unfinished(String),
    #[error("the store is closing")]
    Closing,
    #[error("database: {0}")]
    Database(String),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A row whose column does not parse.
    pub fn corrupt(table: &'static str, column: &'static str, id: impl Into<String>) -> Self {
        Error::Corrupt { table, column, id: id.into() }
    }
}
