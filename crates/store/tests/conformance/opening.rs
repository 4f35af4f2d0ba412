//! Who may open a store, and what is refused.

use bursar_store::installation::{self, Installation};
use bursar_store::{Error, Store};

use crate::scene::{AT, Scene, alter, number, open, raw, write};

#[tokio::test]
async fn one_process_owns_a_directory_and_readers_may_stand_beside_it() {
    let scene = Scene::new().await;
    let second = open(&scene.dir, "node-2").await;
    assert!(matches!(second, Err(Error::InUse(_))), "{second:?}");
    let reader = Store::open_read_only(&scene.dir.options("reader")).await.unwrap();
    reader.read().await.unwrap();
    let written = write!(reader, |tx| installation::set_single_operator(tx, true).await);
    assert!(matches!(written, Err(Error::Closing)), "a reader has no writer: {written:?}");
    let scene = scene.reopen("node-2").await;
    assert_eq!(scene.store.node(), "node-2");
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let scene = Scene::new().await;
    let mut file = scene.raw().await;
    alter(&mut file, "INSERT INTO migrations (number, text_hash) VALUES (999, '')").await;
    let Scene { store, dir } = scene;
    drop(store);
    let refused = open(&dir, "node-2").await;
    assert!(matches!(refused, Err(Error::Newer { found: 999, .. })), "{refused:?}");
    let refused = Store::open_read_only(&dir.options("reader")).await;
    assert!(matches!(refused, Err(Error::Newer { found: 999, .. })), "{refused:?}");
    alter(&mut raw(&dir).await, "DELETE FROM migrations WHERE number = 999").await;
    open(&dir, "node-2").await.unwrap();
}

#[tokio::test]
async fn a_database_without_its_key_is_refused_and_gets_no_new_one() {
    let scene = Scene::new().await;
    let Scene { store, dir } = scene;
    drop(store);
    let key = dir.path().join("master.key");
    let made = "SELECT COUNT(*) FROM migrations";
    let before = number(&mut raw(&dir).await, made).await;
    std::fs::remove_file(&key).unwrap();
    let refused = open(&dir, "node-2").await;
    assert!(matches!(refused, Err(Error::Unsealable(_))), "{refused:?}");
    assert!(!key.exists(), "a new key would open nothing");
    assert_eq!(number(&mut raw(&dir).await, made).await, before, "and nothing else was touched");
}

#[cfg(unix)]
#[tokio::test]
async fn the_key_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new().await;
    let mode = std::fs::metadata(scene.dir.path().join("master.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn an_installation_is_itself_for_ever() {
    let scene = Scene::new().await;
    let new = |id: &str| Installation { id: id.to_owned(), created_at: AT, single_operator: false };
    for id in ["inst_1", "inst_2"] {
        let new = new(id);
        write!(scene.store, |tx| installation::create(tx, &new).await).unwrap();
    }
    write!(scene.store, |tx| installation::set_single_operator(tx, true).await).unwrap();
    let scene = scene.reopen("node-2").await;
    let held = installation::get(&mut scene.store.read().await.unwrap()).await.unwrap();
    assert_eq!(held, Some(Installation { single_operator: true, ..new("inst_1") }));
}
