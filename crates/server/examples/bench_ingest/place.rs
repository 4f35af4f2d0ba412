//! Where an installation that is measured keeps its things: a folder, and on `PostgreSQL` a database of its own beside it.
//! Both go with it.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;
use bursar_store::Database;
use bursar_store::scratch::OwnDatabase;
use tempfile::TempDir;

pub struct Place {
    folder: TempDir,
    own: Option<OwnDatabase>,
}

impl Place {
    pub async fn new(database: Database) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("no folder for the run")?;
        let own = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(OwnDatabase::new().await),
        };
        Ok(Self { folder, own })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// What `storage.url` says; nothing for a file in the data directory.
    pub fn storage_url(&self) -> Option<String> {
        self.own.as_ref().map(OwnDatabase::url)
    }

    /// Where the bare loop finds what was kept.
    pub fn kept_in(&self) -> OsString {
        self.storage_url().map_or_else(|| self.data_dir().into(), OsString::from)
    }
}

/// What can be measured on: always `SQLite`, and `PostgreSQL` where a server for tests is named.
pub fn databases() -> Vec<Database> {
    let mut databases = vec![Database::Sqlite];
    if std::env::var_os("BURSAR_TEST_POSTGRES").is_some() {
        databases.push(Database::Postgres);
    } else {
        eprintln!("PostgreSQL is not measured: BURSAR_TEST_POSTGRES names no server to measure on.");
    }
    databases
}
