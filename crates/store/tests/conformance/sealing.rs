//! Bodies are sealed under their subject's key. Who destroys the key destroys the bodies, and the chain stays whole.

use bursar_domain::id::AuditId;
use bursar_store::{Error, audit, events};

use crate::rows::event;
use crate::scene::{AT, CUSTOMER, LANE, Scene, alter, entropy, number, open, write};

async fn with_two_customers() -> Scene {
    let scene = Scene::new().await;
    let keyring = scene.keyring();
    let other = events::NewEvent { subject: "cus_2".to_owned(), ..event("evt_2") };
    let batch = [event("evt_1"), other];
    let entry = AuditId::from_entropy(entropy(1));
    write!(scene.store, |tx| events::accept(tx, &keyring, &batch, entry, AT).await).unwrap();
    write!(scene.store, |tx| audit::seal(tx, 10).await).unwrap();
    scene
}

async fn body(scene: &Scene, id: &str) -> bursar_store::Result<Vec<u8>> {
    let mut db = scene.store.read().await?;
    let stored = events::get(&mut db, LANE, id).await?.unwrap();
    stored.body(&mut db, scene.store.keyring()).await
}

#[tokio::test]
async fn an_erased_customer_cannot_be_read_and_the_chain_still_verifies() {
    let scene = with_two_customers().await;
    body(&scene, "evt_1").await.unwrap();
    let erased = format!("DELETE FROM subject_keys WHERE subject = '{CUSTOMER}'");
    assert_eq!(alter(&mut scene.raw().await, &erased).await, 1);
    let scene = scene.reopen("node-2").await;
    assert!(matches!(body(&scene, "evt_1").await, Err(Error::Unsealable(_))));
    body(&scene, "evt_2").await.unwrap();
    let report = audit::verify(&mut scene.store.read().await.unwrap()).await.unwrap();
    assert!(report.ok, "{:?}", report.first_bad);
    assert_eq!((report.entries, report.unsealed), (1, 0));
}

#[tokio::test]
async fn another_master_key_opens_nothing() {
    let Scene { store, dir } = with_two_customers().await;
    drop(store);
    std::fs::write(dir.path().join("master.key"), "07".repeat(32)).unwrap();
    let refused = open(&dir, "node-2").await;
    assert!(matches!(refused, Err(Error::Unsealable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_body_moved_to_another_row_does_not_open() {
    let scene = with_two_customers().await;
    let mut raw = scene.raw().await;
    alter(
        &mut raw,
        "UPDATE events SET subject = 'cus_1', body = (SELECT body FROM events WHERE id = 'evt_1')",
    )
    .await;
    body(&scene, "evt_1").await.unwrap();
    assert!(matches!(body(&scene, "evt_2").await, Err(Error::Unsealable(_))));
}

#[tokio::test]
async fn one_key_a_subject_and_lane_however_many_ask_at_once() {
    let scene = Scene::new().await;
    let asks = (0..16).map(|place: u8| {
        let (store, keyring) = (scene.store.clone(), scene.keyring());
        async move {
            let lane = if place.is_multiple_of(2) { LANE } else { "acct_1/live" };
            write!(store, |tx| keyring.for_writing(tx, lane, CUSTOMER, AT).await.map(|_| ())).unwrap();
        }
    });
    futures_util::future::join_all(asks).await;
    assert_eq!(number(&mut scene.raw().await, "SELECT COUNT(*) FROM subject_keys").await, 2);
}
