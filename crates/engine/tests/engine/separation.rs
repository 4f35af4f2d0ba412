//! Whether people may decide on what they asked for: the configuration can take it away, and only `init` can give it.

use bursar_engine::{Error, Separation};

use crate::scene::{Scene, Wish};

#[tokio::test]
async fn the_configuration_takes_it_away_and_the_audit_says_so() {
    let mut scene = Scene::new(Wish::default()).await;
    scene.engine().set_single_operator(true).await.unwrap();
    scene.wish.separation = Separation::Waived;
    scene.restart().await;
    assert!(scene.engine().is_single_operator(), "both say so");
    scene.wish.separation = Separation::Kept;
    scene.restart().await;
    assert!(!scene.engine().is_single_operator());
    assert!(!scene.engine().health().await.unwrap().single_operator);
    let entries = scene.engine().audit_entries(50, None).await.unwrap().items;
    let said = entries.iter().find(|entry| entry["data"]["by"] == "configuration").unwrap();
    assert_eq!(
        (&said["kind"], &said["data"]["single_operator"]),
        (&"single_operator.set".into(), &false.into())
    );
    scene.wish.separation = Separation::AsInstalled;
    scene.restart().await;
    assert!(!scene.engine().is_single_operator(), "it stays taken away");
    scene.assert_audit().await;
}

#[tokio::test]
async fn the_configuration_alone_gives_nothing() {
    let mut scene = Scene::new(Wish::default()).await;
    scene.wish.separation = Separation::Waived;
    let refused = scene.refused_restart().await;
    let named = matches!(&refused, Error::Invalid { param: "approvals.single_operator", .. });
    assert!(named && refused.to_string().contains("bursar init --single-operator"), "{refused}");
    scene.wish.separation = Separation::AsInstalled;
    scene.restart().await;
    assert!(!scene.engine().is_single_operator());
}
