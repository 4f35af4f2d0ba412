//! From one version's tables to the next one's: what a start finds that was cut short, and what it says where it will not.

use bursar_store::open::{Beside, MigrationState, Script};
use bursar_store::scratch::{NEXT_VERSION, Scratch, newest_migration, version_of};
use bursar_store::{Database, Error, Options, Store, check};

use crate::DATABASE;
use crate::rows::job;
use crate::scene::{Scene, alter, number, open, raw, write};

/// As a version would open it that knows the tables up to a migration, and what is added to those.
pub fn as_version(dir: &Scratch, node: &str, up_to: i64, more: &[Script]) -> Options {
    Options { schema: version_of(up_to, more), ..dir.options(node) }
}

pub const fn newest_migration_and(later: i64) -> i64 {
    newest_migration() + later
}

/// What is left of a first start that was killed after so many migrations: the key is made after the last.
async fn cut_short_after(migrations: i64) -> Scratch {
    let dir = Scratch::new(DATABASE).await;
    drop(Store::open(as_version(&dir, "node-0", migrations, &[])).await.unwrap());
    std::fs::remove_file(dir.path().join("master.key")).unwrap();
    if migrations > 0 {
        alter(&mut raw(&dir).await, "DELETE FROM master_keys").await;
    }
    dir
}

#[tokio::test]
async fn a_first_start_that_was_cut_short_anywhere_goes_on() {
    for made in 1..=newest_migration() {
        let dir = cut_short_after(made).await;
        let options = dir.options("looks");
        let before = Store::migrations_of(&options).await.unwrap();
        let pending = before.iter().filter(|migration| migration.is_pending()).count();
        assert_eq!(i64::try_from(pending).unwrap(), newest_migration() - made);
        let looked = Store::open_read_only(&options).await;
        assert!(matches!(looked, Err(Error::Unfinished(_))), "{looked:?}");
        assert!(!dir.path().join("master.key").exists(), "whoever looks makes nothing");
        drop(open(&dir, "node-1").await.unwrap());
        let checked = check::installation(&options).await.unwrap();
        assert_eq!(checked.problems, [], "after {made}");
    }
}

#[tokio::test]
async fn before_anything_was_made_there_is_nothing_and_that_is_no_error() {
    let dir = Scratch::new(DATABASE).await;
    if DATABASE == Database::Sqlite {
        std::fs::write(dir.path().join("bursar.db"), "").unwrap();
    }
    let options = dir.options("looks");
    for begun in [false, true] {
        if begun {
            let sql = "CREATE TABLE migrations (number BIGINT PRIMARY KEY, text_hash TEXT NOT NULL)";
            alter(&mut raw(&dir).await, sql).await;
        }
        let all = Store::migrations_of(&options).await.unwrap();
        assert!(all.iter().all(|migration| migration.state == MigrationState::Pending), "{all:?}");
        let looked = Store::open_read_only(&options).await;
        assert!(matches!(looked, Err(Error::Unfinished(_))), "{looked:?}");
    }
    open(&dir, "node-1").await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_half_written_is_none_and_is_made_anew() {
    let dir = Scratch::new(DATABASE).await;
    std::fs::write(dir.path().join("master.key.new"), "0123").unwrap();
    drop(open(&dir, "node-1").await.unwrap());
    assert_eq!(std::fs::read_to_string(dir.path().join("master.key")).unwrap().len(), 64);
    assert!(!dir.path().join("master.key.new").exists());
    open(&dir, "node-2").await.unwrap();
}

#[tokio::test]
async fn rows_of_an_older_version_are_there_after_the_next_one_has_come() {
    let Scene { store, dir } = Scene::new().await;
    for id in 0..40 {
        let new = job(id, &format!("key {id}"));
        write!(store, |tx| bursar_store::jobs::add(tx, &new).await).unwrap();
    }
    drop(store);
    drop(Store::open(as_version(&dir, "node-2", newest_migration(), &NEXT_VERSION)).await.unwrap());
    let mut db = raw(&dir).await;
    assert_eq!(number(&mut db, "SELECT COUNT(*) FROM jobs").await, 40);
    let older = open(&dir, "node-3").await;
    assert!(matches!(older, Err(Error::Newer { .. })), "{older:?}");
    assert!(older.unwrap_err().to_string().contains("a newer version has brought the tables up to date"));
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_of_itself() {
    let Scene { store, dir } = Scene::new().await;
    drop(store);
    let text = "CREATE TABLE hints (id TEXT PRIMARY KEY);\nALTER TABLE nothing_here ADD COLUMN hint TEXT";
    let broken = Script::new(newest_migration_and(1), "broken", Beside::Older, text);
    let refused = Store::open(as_version(&dir, "node-2", newest_migration(), &[broken])).await;
    let told = refused.map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("(broken) was not made"), "{told}");
    let mut db = raw(&dir).await;
    let tables = match DATABASE {
        Database::Sqlite => "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'hints'",
        Database::Postgres => "SELECT COUNT(to_regclass('hints'))",
    };
    assert_eq!(number(&mut db, tables).await, 0);
    open(&dir, "node-3").await.unwrap();
}
