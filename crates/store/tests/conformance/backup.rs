//! A copy made while changes are made is one moment, whole, with everything that was acknowledged before it began; and one
//! that is put back writes over nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use bursar_domain::id::AuditId;
use bursar_store::audit::{self, Record};
use bursar_store::backup::{self, Restoring};
use bursar_store::open::database_path;
use bursar_store::{Error, Store, policies};
use serde_json::json;

use crate::scene::{AT, Scene, entropy, number, open, raw, write};

/// A change with its entry.
async fn change(store: &Store, place: u8) {
    write!(store, |tx| {
        let hash = format!("hash {place}");
        policies::keep_set(tx, &hash, &json!(["x".repeat(20_000)]), AT).await?;
        let record = Record {
            id: AuditId::from_entropy(entropy(place)),
            at: AT + i64::from(place),
            kind: "policy.kept",
            lane: None,
            actor: None,
            data: json!({}),
            commits: vec![audit::commitment(tx, audit::Table::PolicySets, &hash).await?],
        };
        audit::append(tx, record).await?;
        audit::seal(tx, 10).await
    })
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_under_load_is_one_moment_with_all_that_was_acknowledged() {
    let scene = Scene::new().await;
    for place in 0..20 {
        change(&scene.store, place).await;
    }
    let (store, acked, over) =
        (scene.store.clone(), Arc::new(AtomicU8::new(20)), Arc::new(AtomicBool::new(false)));
    let (count, end) = (Arc::clone(&acked), Arc::clone(&over));
    let busy = tokio::spawn(async move {
        for place in 20..=250 {
            if end.load(Ordering::SeqCst) {
                return;
            }
            change(&store, place).await;
            count.store(place + 1, Ordering::SeqCst);
        }
    });
    let before = i64::from(acked.load(Ordering::SeqCst));
    let target = scene.dir.path().join("copy.db");
    let copy = backup::write(scene.dir.path(), &target).await.unwrap();
    over.store(true, Ordering::SeqCst);
    busy.await.unwrap();
    let after = i64::from(acked.load(Ordering::SeqCst));
    assert!((before..=after).contains(&copy.audit.entries), "{before} {} {after}", copy.audit.entries);
    assert_eq!((copy.problems.as_slice(), copy.audit.rows), ([].as_slice(), copy.audit.entries));
    assert!(!scene.dir.path().join("copy.db.part").exists());
    let again = backup::write(scene.dir.path(), &target).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "a backup is not written over: {again:?}");
    let held = backup::examine(&target).await.unwrap();
    assert_eq!(held.sha256, copy.sha256);
}

#[tokio::test]
async fn a_copy_is_put_back_beside_what_was_there() {
    let scene = Scene::new().await;
    change(&scene.store, 1).await;
    let target = scene.dir.path().join("copy.db");
    backup::write(scene.dir.path(), &target).await.unwrap();
    change(&scene.store, 2).await;
    let options = scene.dir.options("node-2");
    let refused = Restoring::begin(&options, &target);
    assert!(matches!(refused, Err(Error::InUse(_))), "{refused:?}");
    let Scene { store, dir } = scene;
    drop(store);
    let restoring = Restoring::begin(&options, &target).unwrap();
    assert_eq!(restoring.examine().await.unwrap().problems, []);
    let kept = restoring.finish("now").await.unwrap().unwrap();
    assert!(!dir.path().join("restoring").exists());
    let store = open(&dir, "node-2").await.unwrap();
    assert_eq!(audit::head(&mut store.read().await.unwrap()).await.unwrap().0, 1);
    drop(store);
    // What was there is whole in the one file.
    assert!(!with_log(&kept).exists());
    let old = backup::examine(&kept).await.unwrap();
    assert_eq!((old.audit.entries, old.problems.as_slice()), (2, [].as_slice()));
}

/// A file's write-ahead log.
fn with_log(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

/// A picture of the data directory in which the newest change stands in the log only.
fn picture(scene: &Scene) -> PathBuf {
    let (database, folder) = (database_path(scene.dir.path()), scene.dir.path().join("picture"));
    std::fs::create_dir(&folder).unwrap();
    for file in [database.clone(), with_log(&database)] {
        std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    database_path(&folder)
}

#[tokio::test]
async fn what_stands_in_the_log_only_is_put_back_too_and_kept_too() {
    let scene = Scene::new().await;
    change(&scene.store, 1).await;
    change(&scene.store, 2).await;
    let picture = picture(&scene);
    let Scene { store, dir } = scene;
    drop(store);
    // As after a kill: what is there has a log as well.
    for (from, to) in [
        (picture.clone(), database_path(dir.path())),
        (with_log(&picture), with_log(&database_path(dir.path()))),
    ] {
        std::fs::copy(from, to).unwrap();
    }
    let restoring = Restoring::begin(&dir.options("node-2"), &picture).unwrap();
    assert_eq!(restoring.examine().await.unwrap().audit.entries, 2);
    let kept = restoring.finish("now").await.unwrap().unwrap();
    // The end could have come between keeping what was there and putting the copy there: then the file by itself was all there is.
    assert!(!with_log(&kept).exists(), "all of it is in the one file before anything is moved");
    assert_eq!(backup::examine(&kept).await.unwrap().audit.entries, 2);
    let store = open(&dir, "node-2").await.unwrap();
    assert_eq!(audit::head(&mut store.read().await.unwrap()).await.unwrap().0, 2);
}

#[tokio::test]
async fn a_copy_that_is_damaged_or_of_another_key_is_named() {
    let scene = Scene::new().await;
    change(&scene.store, 1).await;
    let target = scene.dir.path().join("copy.db");
    backup::write(scene.dir.path(), &target).await.unwrap();
    let Scene { store, dir } = scene;
    drop(store);
    let options = dir.options("node-2");
    std::fs::write(dir.path().join("master.key"), "0".repeat(64)).unwrap();
    let restoring = Restoring::begin(&options, &target).unwrap();
    assert_eq!(restoring.examine().await.unwrap().problems[0].what, "key");
    drop(restoring);
    let mut bytes = std::fs::read(&target).unwrap();
    let mark = b"xxxxxxxxxxxxxxxx";
    let at = bytes.windows(mark.len()).position(|window| window == mark).expect("the row is in the file");
    bytes[at] = b'y';
    std::fs::write(&target, bytes).unwrap();
    let restoring = Restoring::begin(&options, &target).unwrap();
    let named = restoring.examine().await.unwrap().problems;
    assert!(named.iter().any(|problem| problem.what == "audit"), "{named:?}");
    drop(restoring);
    std::fs::write(&target, "no database").unwrap();
    let restoring = Restoring::begin(&options, &target).unwrap();
    assert!(restoring.examine().await.is_err());
    drop(restoring);
    assert_eq!(number(&mut raw(&dir).await, "SELECT COUNT(*) FROM policy_sets").await, 1, "it is as it was");
}
