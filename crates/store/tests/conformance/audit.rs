//! The audit: appended with its change, chained without forks, and what is missing shows.

use bursar_domain::audit::GENESIS;
use bursar_domain::id::AuditId;
use bursar_store::audit::{self, Record, Report};
use bursar_store::{Error, Store, policies};
use serde_json::json;

use crate::scene::{AT, Scene, alter, entropy, is_conflict, write};

fn record(place: u8) -> Record {
    Record {
        id: AuditId::from_entropy(entropy(place)),
        at: AT,
        kind: "mode.set",
        lane: None,
        actor: Some("engine".to_owned()),
        data: json!({"place": place}),
        commits: Vec::new(),
    }
}

async fn append(store: &Store, place: u8) {
    let record = record(place);
    write!(store, |tx| audit::append(tx, record).await).unwrap();
}

#[tokio::test]
async fn what_is_appended_together_is_chained_in_that_order() {
    let scene = Scene::new().await;
    append(&scene.store, 0).await;
    let records: Vec<Record> = (1..=70).map(record).collect();
    write!(scene.store, |tx| audit::append_many(tx, records).await).unwrap();
    append(&scene.store, 71).await;
    assert_eq!(seal(&scene.store, 99).await, (72, 72));
    assert!(verify(&scene.store).await.ok);
    let chained = audit::after(&mut scene.store.read().await.unwrap(), 0, 99).await.unwrap();
    let places: Vec<_> = chained.iter().map(|stored| stored.entry.data["place"].clone()).collect();
    assert_eq!(places, (0..=71).map(|place| json!(place)).collect::<Vec<_>>());
}

async fn seal(store: &Store, limit: i64) -> (u64, i64) {
    let (sealed, head, _) = write!(store, |tx| audit::seal(tx, limit).await).unwrap();
    (sealed, head)
}

async fn verify(store: &Store) -> Report {
    audit::verify(&mut store.read().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn an_empty_chain_verifies_and_a_long_one_in_batches() {
    let scene = Scene::new().await;
    let empty = verify(&scene.store).await;
    assert!(empty.ok);
    assert_eq!((empty.entries, empty.head.as_str()), (0, GENESIS));
    for place in 0..25 {
        append(&scene.store, place).await;
    }
    assert_eq!(verify(&scene.store).await.unsealed, 25, "what is not sealed is counted, not vouched for");
    assert_eq!(seal(&scene.store, 10).await, (10, 10));
    assert_eq!(seal(&scene.store, 10).await, (10, 20));
    assert_eq!(seal(&scene.store, 10).await, (5, 25));
    assert_eq!(seal(&scene.store, 10).await, (0, 25), "nothing waits, nothing changes");
    let report = verify(&scene.store).await;
    assert!(report.ok, "{:?}", report.first_bad);
    assert_eq!((report.entries, report.unsealed), (25, 0));
    let mut db = scene.store.read().await.unwrap();
    assert_eq!(audit::head(&mut db).await.unwrap(), (25, report.head));
    let exported = audit::after(&mut db, 20, 99).await.unwrap();
    assert_eq!(exported.iter().filter_map(|stored| stored.seq).collect::<Vec<_>>(), [21, 22, 23, 24, 25]);
    assert_eq!(audit::newest(&mut db, 3, Some(10)).await.unwrap()[0].seq, Some(9));
    append(&scene.store, 26).await;
    let newest = audit::newest(&mut db, 3, None).await.unwrap();
    let numbers: Vec<Option<i64>> = newest.iter().map(|stored| stored.seq).collect();
    assert_eq!(numbers, [None, Some(25), Some(24)], "what waits for the sealer is the newest");
}

#[tokio::test]
async fn every_process_counts_its_own_entries_and_the_chain_goes_on() {
    let scene = Scene::new().await;
    append(&scene.store, 1).await;
    append(&scene.store, 2).await;
    let scene = scene.reopen("node-2").await;
    append(&scene.store, 3).await;
    assert_eq!(seal(&scene.store, 99).await, (3, 3), "also what the one before left");
    let scene = scene.reopen("node-3").await;
    append(&scene.store, 4).await;
    seal(&scene.store, 99).await;
    let report = verify(&scene.store).await;
    assert!(report.ok, "{:?}", report.first_bad);
    assert_eq!(report.entries, 4);
}

#[tokio::test]
async fn two_sealers_make_one_chain() {
    let scene = Scene::new().await;
    for place in 0..20 {
        append(&scene.store, place).await;
    }
    let sealers = (0..6).map(|_| async { write!(scene.store, |tx| audit::seal(tx, 7).await) });
    for sealed in futures_util::future::join_all(sealers).await {
        assert!(sealed.is_ok() || is_conflict(&sealed), "the second of two changes nothing: {sealed:?}");
    }
    seal(&scene.store, 99).await;
    let report = verify(&scene.store).await;
    assert!(report.ok, "{:?}", report.first_bad);
    assert_eq!(report.entries, 20);
}

#[tokio::test]
async fn an_entry_that_was_removed_before_it_was_sealed_leaves_a_hole_in_its_writers_count() {
    let scene = Scene::new().await;
    for place in 1..=30 {
        append(&scene.store, place).await;
    }
    let one_that_is_not_its_writers_last = "DELETE FROM audit WHERE writer_seq = 2 AND EXISTS (
        SELECT 1 FROM audit AS later WHERE later.writer = audit.writer AND later.writer_seq = 3)";
    assert!(alter(&mut scene.raw().await, one_that_is_not_its_writers_last).await > 0);
    seal(&scene.store, 99).await;
    let report = verify(&scene.store).await;
    let bad = report.first_bad.unwrap();
    assert_eq!((report.ok, bad.what), (false, "writer"));
    assert!(bad.detail.contains("node-1") && bad.detail.contains('2'), "{}", bad.detail);
}

#[tokio::test]
async fn a_change_whose_entry_cannot_be_written_does_not_happen() {
    let scene = Scene::new().await;
    append(&scene.store, 1).await;
    let twice = Record {
        id: AuditId::from_entropy(entropy(1)),
        at: AT,
        kind: "policy.activated",
        lane: None,
        actor: None,
        data: json!({}),
        commits: Vec::new(),
    };
    let result = write!(scene.store, |tx| {
        policies::activate(tx, "act_1", "hash", AT, "engine").await?;
        audit::append(tx, twice).await
    });
    assert!(matches!(result, Err(Error::Conflict(_))), "{result:?}");
    assert_eq!(policies::active(&mut scene.store.read().await.unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_row_that_is_not_there_cannot_be_committed_to() {
    let scene = Scene::new().await;
    let result = write!(scene.store, |tx| {
        audit::commitment(tx, audit::Table::Executions, "exec_none").await.map(|_| ())
    });
    assert!(matches!(result, Err(Error::Conflict(_))), "{result:?}");
}
