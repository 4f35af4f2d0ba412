//! The anchor names an entry of the chain; whatever else stands there, or nothing, is noticed.

use bursar_domain::id::AuditId;
use bursar_store::anchor::{self, Anchor, Fit};
use bursar_store::audit::{self, Record};
use bursar_store::installation::{self, Installation};
use serde_json::json;

use crate::scene::{AT, Scene, alter, entropy, write};

/// Four sealed entries of an installation.
async fn sealed() -> (Scene, Anchor) {
    let scene = Scene::new().await;
    let own = Installation { id: "inst_1".to_owned(), created_at: AT, single_operator: false };
    write!(scene.store, |tx| installation::create(tx, &own).await).unwrap();
    for number in 1..=4 {
        let record = Record {
            id: AuditId::from_entropy(entropy(number)),
            at: AT,
            kind: "mode.set",
            lane: None,
            actor: None,
            data: json!({"number": number}),
            commits: Vec::new(),
        };
        write!(scene.store, |tx| audit::append(tx, record).await).unwrap();
    }
    let (_, seq, hash) = write!(scene.store, |tx| audit::seal(tx, 100).await).unwrap();
    (scene, Anchor { installation: "inst_1".to_owned(), seq, hash, at: AT })
}

async fn fit(scene: &Scene, anchor: &Anchor) -> Fit {
    anchor::compare(&mut scene.store.read().await.unwrap(), anchor).await.unwrap()
}

#[tokio::test]
async fn a_chain_fits_every_anchor_that_it_went_on_from() {
    let (scene, anchor) = sealed().await;
    assert_eq!(fit(&scene, &anchor).await, Fit::Fits);
    let earlier = audit::after(&mut scene.store.read().await.unwrap(), 1, 1).await.unwrap();
    let earlier = Anchor { seq: 2, hash: earlier[0].hash.clone().unwrap(), ..anchor.clone() };
    assert_eq!(fit(&scene, &earlier).await, Fit::Fits);
    assert_eq!(fit(&scene, &Anchor { seq: 0, hash: String::new(), ..anchor.clone() }).await, Fit::Fits);
    let others = Anchor { installation: "inst_2".to_owned(), ..anchor.clone() };
    assert_eq!(fit(&scene, &others).await, Fit::OtherInstallation);
    let elsewhere = Anchor { hash: "0".repeat(64), ..anchor };
    assert_eq!(fit(&scene, &elsewhere).await, Fit::OtherChain);
}

#[tokio::test]
async fn who_cuts_off_the_newest_entries_is_found_by_the_anchor_alone() {
    let (scene, anchor) = sealed().await;
    let (mut raw, mut db) = (scene.raw().await, scene.store.read().await.unwrap());
    assert!(audit::verify_against(&mut db, Some(&anchor)).await.unwrap().ok);
    // Whole writers go, so that no count has a hole.
    assert_eq!(alter(&mut raw, "DELETE FROM audit WHERE seq >= 3").await, 2);
    assert!(audit::verify(&mut db).await.unwrap().ok, "the chain by itself is sound");
    let report = audit::verify_against(&mut db, Some(&anchor)).await.unwrap();
    let bad = report.first_bad.unwrap();
    assert_eq!((report.ok, bad.what, bad.seq), (false, "anchor", Some(4)));
    assert_eq!(fit(&scene, &anchor).await, Fit::Behind);
}
