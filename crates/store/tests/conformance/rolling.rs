//! Nodes that are replaced one after the other: who waits for whom, and who may go on beside a newer version.

use std::time::Duration;

use bursar_store::open::{Beside, Script, Standing};
use bursar_store::scratch::{NEXT_VERSION, Scratch, newest_migration, version_of};
use bursar_store::{Database, Error, MasterKey, Options, Store, nodes};
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::scene::{Scene, alter, number, raw, write};
use crate::upgrades::newest_migration_and;

fn key() -> Option<MasterKey> {
    MasterKey::parse(&"42".repeat(32))
}

/// A machine's options on this database, and its data directory.
fn machine(dir: &Scratch, node: &str, more: &[Script]) -> (Options, TempDir) {
    let own = tempfile::tempdir().unwrap();
    let schema = version_of(newest_migration(), more);
    let options = Options { data_dir: own.path().to_owned(), master_key: key(), schema, ..dir.options(node) };
    (options, own)
}

async fn standing(store: &Store) -> Standing {
    store.standing(&mut store.read().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn of_those_that_start_together_one_makes_the_tables() {
    let dir = Scratch::new(Database::Postgres).await;
    let machines: Vec<_> = (0..4).map(|number| machine(&dir, &format!("node-{number}"), &[])).collect();
    let opened = join_all(machines.iter().map(|(options, _)| Store::open(options.clone()))).await;
    for store in opened {
        store.unwrap();
    }
    assert_eq!(number(&mut raw(&dir).await, "SELECT COUNT(*) FROM migrations").await, newest_migration());
}

#[tokio::test]
async fn of_those_without_a_key_the_second_is_told_and_keeps_none_of_its_own() {
    let dir = Scratch::new(Database::Postgres).await;
    let machines: Vec<_> = (0..4).map(|number| machine(&dir, &format!("node-{number}"), &[])).collect();
    let without = machines.iter().map(|(options, _)| Options { master_key: None, ..options.clone() });
    let opened = join_all(without.map(Store::open)).await;
    assert_eq!(opened.iter().filter(|store| store.is_ok()).count(), 1);
    for (store, (_, own)) in opened.iter().zip(&machines) {
        assert_eq!(own.path().join("master.key").exists(), store.is_ok());
        assert!(store.is_ok() || matches!(store, Err(Error::Unsealable(_))), "{store:?}");
    }
}

#[tokio::test]
async fn who_starts_meanwhile_waits_for_the_migration_of_another() {
    let scene = Scene::new().await;
    let mut first = raw(&scene.dir).await;
    for sql in ["BEGIN", "LOCK TABLE migrations IN SHARE ROW EXCLUSIVE MODE"] {
        alter(&mut first, sql).await;
    }
    let (options, _own) = machine(&scene.dir, "node-2", &NEXT_VERSION[..1]);
    let options = Options { master_key: None, data_dir: scene.dir.path().join("second"), ..options };
    std::fs::create_dir(&options.data_dir).unwrap();
    std::fs::copy(scene.dir.path().join("master.key"), options.data_dir.join("master.key")).unwrap();
    let second = tokio::spawn(Store::open(options));
    let mut look = raw(&scene.dir).await;
    let waiting = "SELECT COUNT(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
         WHERE relname = 'migrations' AND NOT granted AND relnamespace = CAST(current_schema() AS REGNAMESPACE)";
    while number(&mut look, waiting).await == 0 {
        assert!(!second.is_finished(), "it did not wait");
        tokio::task::yield_now().await;
    }
    // Those that work look at what was made, and are not held up.
    let looked = tokio::time::timeout(Duration::from_secs(3), standing(&scene.store)).await;
    assert_eq!(looked.unwrap(), Standing::Known);
    alter(&mut first, "COMMIT").await;
    second.await.unwrap().unwrap();
    assert_eq!(standing(&scene.store).await, Standing::Added { found: NEXT_NUMBER });
}

const NEXT_NUMBER: i64 = newest_migration_and(1);

#[tokio::test]
async fn a_migration_takes_as_long_as_it_takes_and_waits_for_no_table_for_long() {
    let dir = Scratch::new(Database::Postgres).await;
    let text = "CREATE TABLE limits AS SELECT current_setting('statement_timeout') AS statement, \
                current_setting('lock_timeout') AS lock";
    let looks = Script::new(newest_migration_and(1), "looks", Beside::Older, text);
    let (options, _own) = machine(&dir, "node-1", &[looks]);
    let store = Store::open(options).await.unwrap();
    let mut look = raw(&dir).await;
    assert_eq!(
        number(&mut look, "SELECT COUNT(*) FROM limits WHERE statement = '0' AND lock = '5s'").await,
        1
    );
    let after = write!(store, |tx| {
        let sql = "SELECT COUNT(*) FROM (SELECT current_setting('statement_timeout') AS one) AS now WHERE one = '30s'";
        tx.number(sql, &[]).await
    });
    assert_eq!(after.unwrap(), 1, "and work has its limits again");
}

#[tokio::test]
async fn a_migration_that_must_be_alone_waits_until_the_others_are_gone() {
    let dir = Scratch::new(Database::Postgres).await;
    let (options, own) = machine(&dir, "node-1", &[]);
    let old = Store::open(options.clone()).await.unwrap();
    write!(old, |tx| nodes::beat(tx, "1").await).unwrap();
    let newer = |node: &str, data_dir: &TempDir| Options {
        data_dir: data_dir.path().to_owned(),
        node: node.to_owned(),
        schema: version_of(newest_migration(), &NEXT_VERSION),
        ..options.clone()
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = Store::open(newer("node-2", &elsewhere)).await;
    let told = refused.map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("(after_next)") && told.contains("node-1"), "{told}");
    assert_eq!(standing(&old).await, Standing::Added { found: NEXT_NUMBER }, "what adds was made before");

    // Told to end, it leaves; killed, its own directory says that it is gone.
    let leaves = write!(old, |tx| nodes::leave(tx).await);
    leaves.unwrap();
    write!(old, |tx| nodes::beat(tx, "1").await).unwrap();
    old.sign().unwrap();
    drop(old);
    let new = loop {
        match Store::open(newer("node-3", &own)).await {
            Err(Error::InUse(_)) => tokio::task::yield_now().await,
            opened => break opened.unwrap(),
        }
    };
    assert_eq!(standing(&new).await, Standing::Known);
}

#[tokio::test]
async fn one_that_was_only_silent_finds_that_it_must_end() {
    let dir = Scratch::new(Database::Postgres).await;
    let (options, _own) = machine(&dir, "node-1", &[]);
    let old = Store::open(options).await.unwrap();
    write!(old, |tx| nodes::beat(tx, "1").await).unwrap();
    alter(&mut raw(&dir).await, "UPDATE nodes SET seen_at = seen_at - 10000001").await;
    let (options, _own) = machine(&dir, "node-2", &NEXT_VERSION);
    Store::open(options).await.unwrap();
    assert_eq!(standing(&old).await, Standing::Changed { found: newest_migration_and(2) });
}
