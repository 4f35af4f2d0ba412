//! The mirror never goes back in time, and says when it does not know.

use bursar_store::Store;
use bursar_store::objects::{self, CameBy, Kept, Snapshot};
use serde_json::json;

use crate::scene::{AT, CUSTOMER, LANE, Scene, write};

fn snapshot(second: i64, came_by: CameBy, status: &str) -> Snapshot {
    Snapshot {
        lane: LANE.to_owned(),
        kind: "invoice".to_owned(),
        id: "in_1".to_owned(),
        version_at: second * 1_000_000,
        came_by,
        deleted: false,
        customer: Some(CUSTOMER.to_owned()),
        body: json!({"id": "in_1", "status": status}),
    }
}

async fn put(store: &Store, new: Snapshot) -> Kept {
    let keyring = std::sync::Arc::clone(store.keyring());
    write!(store, |tx| objects::put(tx, &keyring, &new, AT).await).unwrap()
}

/// Status, staleness and deletion of what is held.
async fn held(store: &Store) -> (String, bool, bool) {
    let mut db = store.read().await.unwrap();
    let held = objects::get(&mut db, store.keyring(), LANE, "invoice", "in_1").await.unwrap().unwrap();
    (held.body["status"].as_str().unwrap().to_owned(), held.stale, held.deleted)
}

#[tokio::test]
async fn the_newest_wins_in_whatever_order_they_come() {
    use CameBy::{Event, Read};
    let deleted = |second| Snapshot { deleted: true, ..snapshot(second, Event, "gone") };
    let in_second = |micros: i64| Snapshot { version_at: 11_000_000 + micros, ..snapshot(0, Read, "read") };
    // What comes, how it is kept, and what is held afterwards.
    let table = [
        (snapshot(10, Event, "open"), Kept::Stored, ("open", false, false)),
        (snapshot(9, Event, "draft"), Kept::Older, ("open", false, false)),
        (snapshot(9, Read, "draft"), Kept::Older, ("open", false, false)),
        (snapshot(10, Event, "paid"), Kept::Tied, ("open", true, false)),
        (snapshot(11, Event, "paid"), Kept::Stored, ("paid", false, false)),
        (in_second(500), Kept::Stored, ("read", false, false)),
        (snapshot(11, Event, "void"), Kept::Tied, ("read", true, false)),
        (in_second(900), Kept::Stored, ("read", false, false)),
        (deleted(11), Kept::Stored, ("gone", false, true)),
        (snapshot(11, Event, "back"), Kept::Older, ("gone", false, true)),
        (snapshot(11, Read, "back"), Kept::Older, ("gone", false, true)),
        (deleted(10), Kept::Older, ("gone", false, true)),
    ];
    let scene = Scene::new().await;
    for (place, (new, kept, (status, stale, gone))) in table.into_iter().enumerate() {
        assert_eq!(put(&scene.store, new).await, kept, "step {place}");
        assert_eq!(held(&scene.store).await, (status.to_owned(), stale, gone), "step {place}");
    }
}

#[tokio::test]
async fn something_unseen_happened_marks_it_for_reading_again() {
    let scene = Scene::new().await;
    put(&scene.store, snapshot(10, CameBy::Read, "open")).await;
    write!(scene.store, |tx| objects::mark_stale(tx, LANE, "invoice", "in_1").await).unwrap();
    assert_eq!(held(&scene.store).await, ("open".to_owned(), true, false));
    put(&scene.store, snapshot(12, CameBy::Read, "paid")).await;
    assert_eq!(held(&scene.store).await, ("paid".to_owned(), false, false));
    let mut db = scene.store.read().await.unwrap();
    let elsewhere =
        objects::get(&mut db, scene.store.keyring(), "acct_1/live", "invoice", "in_1").await.unwrap();
    assert!(elsewhere.is_none(), "lanes never mix");
}
