//! The disk is full, or somebody else holds the database: nothing is kept, whoever asked is told, and it goes on after.

use bursar_domain::id::AuditId;
use bursar_store::audit::{self, Record};
use bursar_store::{Error, Result, Store, params, policies};
use serde_json::json;

use crate::scene::{AT, Scene, alter, entropy, number, write};

/// A change with its entry: one page or many.
async fn change(store: &Store, place: u8, bytes: usize) -> Result<()> {
    write!(store, |tx| {
        let hash = format!("hash {place}");
        policies::keep_set(tx, &hash, &json!(["x".repeat(bytes)]), AT).await?;
        let record = Record {
            id: AuditId::from_entropy(entropy(place)),
            at: AT,
            kind: "policy.kept",
            lane: None,
            actor: None,
            data: json!({}),
            commits: vec![audit::commitment(tx, audit::Table::PolicySets, &hash).await?],
        };
        audit::append(tx, record).await
    })
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_kept_and_the_store_goes_on_when_there_is_room() {
    let scene = Scene::new().await;
    let store = &scene.store;
    change(store, 1, 10).await.unwrap();
    // As far as SQLite can tell, this is what a full disk is like.
    let limit =
        async |sql: &'static str| write!(store, |tx| tx.first(sql, params![]).await.map(|_| ())).unwrap();
    limit("PRAGMA max_page_count = 1").await;
    let full = change(store, 2, 5_000_000).await;
    assert!(matches!(full, Err(Error::Full(_))), "{full:?}");
    assert_eq!(number(&mut scene.raw().await, "SELECT COUNT(*) FROM policy_sets").await, 1);
    limit("PRAGMA max_page_count = 1000000").await;
    change(store, 2, 5_000_000).await.unwrap();
    write!(store, |tx| audit::seal(tx, 10).await).unwrap();
    let report = audit::verify(&mut store.read().await.unwrap()).await.unwrap();
    assert!(report.ok, "{:?}", report.first_bad);
    assert_eq!(report.entries, 2);
}

#[tokio::test]
async fn one_that_finds_the_disk_full_does_not_take_its_group_along() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let limit =
        async |sql: &'static str| write!(store, |tx| tx.first(sql, params![]).await.map(|_| ())).unwrap();
    limit("PRAGMA max_page_count = 300").await;
    let changes = (0..12).map(|place| change(store, place, if place == 5 { 5_000_000 } else { 10 }));
    let results = futures_util::future::join_all(changes).await;
    assert!(matches!(results[5], Err(Error::Full(_))), "{:?}", results[5]);
    let kept = results.iter().filter(|result| result.is_ok()).count();
    let rows = number(&mut scene.raw().await, "SELECT COUNT(*) FROM policy_sets").await;
    assert_eq!(rows, i64::try_from(kept).unwrap(), "exactly what was answered");
    limit("PRAGMA max_page_count = 1000000").await;
    for (place, result) in (0..).zip(&results) {
        if result.is_err() {
            change(store, place, 10).await.unwrap();
        }
    }
    write!(store, |tx| audit::seal(tx, 99).await).unwrap();
    let report = audit::verify(&mut store.read().await.unwrap()).await.unwrap();
    assert!(report.ok, "{:?}", report.first_bad);
    assert_eq!(report.entries, 12, "a writer's count has no hole");
}

#[tokio::test]
async fn while_somebody_else_holds_the_database_it_is_busy() {
    let scene = Scene::new().await;
    let mut holder = scene.raw().await;
    alter(&mut holder, "BEGIN IMMEDIATE").await;
    let busy = change(&scene.store, 1, 10).await;
    assert!(matches!(busy, Err(Error::Busy(_))), "{busy:?}");
    alter(&mut holder, "ROLLBACK").await;
    change(&scene.store, 1, 10).await.unwrap();
    assert_eq!(number(&mut holder, "SELECT COUNT(*) FROM audit").await, 1);
}
