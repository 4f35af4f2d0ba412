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
        doubtful: false,
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
    held_as(store, "in_1").await
}

async fn held_as(store: &Store, id: &str) -> (String, bool, bool) {
    let mut db = store.read().await.unwrap();
    let held = objects::get(&mut db, store.keyring(), LANE, "invoice", id).await.unwrap().unwrap();
    (held.body["status"].as_str().unwrap().to_owned(), held.stale, held.deleted)
}

/// A read that begins and ends with nothing in between.
async fn read(store: &Store, second: i64, status: &str) -> Kept {
    let over = objects::version(&mut store.read().await.unwrap(), LANE, "invoice", "in_1").await.unwrap();
    put(store, snapshot(second, CameBy::Read { over }, status)).await
}

/// What comes in.
enum Comes {
    Event(i64, &'static str),
    Deletion(i64),
    Read(i64, &'static str),
}

#[tokio::test]
async fn the_newest_wins_in_whatever_order_they_come() {
    use Comes::{Deletion, Event, Read};
    // What comes, how it is kept, and what is held afterwards.
    let table = [
        (Event(10, "open"), Kept::Stored, ("open", false, false)),
        (Event(9, "draft"), Kept::Older, ("open", false, false)),
        (Read(9, "draft"), Kept::Older, ("open", false, false)),
        (Event(10, "paid"), Kept::Tied, ("open", true, false)),
        (Read(10, "paid"), Kept::Stored, ("paid", false, false)),
        (Event(11, "void"), Kept::Stored, ("void", false, false)),
        (Read(11, "read"), Kept::Stored, ("read", false, false)),
        (Event(11, "void"), Kept::Tied, ("read", true, false)),
        (Read(12, "later"), Kept::Stored, ("later", false, false)),
        (Deletion(12), Kept::Stored, ("gone", false, true)),
        (Event(12, "back"), Kept::Older, ("gone", false, true)),
        (Read(12, "back"), Kept::Older, ("gone", false, true)),
        (Deletion(10), Kept::Older, ("gone", false, true)),
    ];
    let scene = Scene::new().await;
    for (place, (comes, expected, (status, stale, gone))) in table.into_iter().enumerate() {
        let kept = match comes {
            Event(second, status) => put(&scene.store, snapshot(second, CameBy::Event, status)).await,
            Deletion(second) => {
                let deleted = Snapshot { deleted: true, ..snapshot(second, CameBy::Event, "gone") };
                put(&scene.store, deleted).await
            }
            Read(second, status) => read(&scene.store, second, status).await,
        };
        assert_eq!(kept, expected, "step {place}");
        assert_eq!(held(&scene.store).await, (status.to_owned(), stale, gone), "step {place}");
    }
}

/// The same object many times in one change: what is held afterwards is what it would be one by one.
#[tokio::test]
async fn many_of_one_object_are_judged_in_their_order() {
    let event = |second, status| snapshot(second, CameBy::Event, status);
    let gone = |second| Snapshot { deleted: true, ..event(second, "gone") };
    let doubtful = |second, status| Snapshot { doubtful: true, ..event(second, status) };
    let stories = [
        vec![event(9, "draft"), event(10, "open"), event(11, "paid")],
        vec![event(11, "paid"), event(10, "open"), event(9, "draft")],
        vec![event(10, "open"), event(10, "paid")],
        vec![event(10, "open"), event(10, "paid"), event(11, "void")],
        vec![event(10, "open"), gone(10), event(10, "back")],
        vec![doubtful(10, "open"), event(9, "draft")],
        vec![doubtful(10, "open"), event(11, "paid")],
        vec![event(10, "open"), doubtful(11, "paid")],
    ];
    let (one_by_one, together) = (Scene::new().await, Scene::new().await);
    for (number, held_before) in [None, Some(9), Some(10), Some(11)].into_iter().enumerate() {
        for (place, story) in stories.iter().enumerate() {
            let named = |new: &Snapshot| Snapshot { id: format!("in_{number}_{place}"), ..new.clone() };
            let story: Vec<Snapshot> = story.iter().map(named).collect();
            for scene in [&one_by_one, &together] {
                if let Some(second) = held_before {
                    put(&scene.store, named(&event(second, "before"))).await;
                }
            }
            let mut expected = Vec::new();
            for new in &story {
                expected.push(put(&one_by_one.store, new.clone()).await);
            }
            let (keyring, all) = (together.keyring(), story.clone());
            let kept = write!(together.store, |tx| {
                objects::put_many(tx, &keyring, &all.iter().collect::<Vec<_>>(), AT).await
            });
            assert_eq!(kept.unwrap(), expected, "story {place} over {held_before:?}");
            let id = story[0].id.as_str();
            let held = (held_as(&together.store, id).await, held_as(&one_by_one.store, id).await);
            assert_eq!(held.0, held.1, "story {place} over {held_before:?}");
        }
    }
}

#[tokio::test]
async fn a_read_that_was_overtaken_while_it_was_under_way_is_not_taken_for_the_truth() {
    for (what, over_nothing) in [("first ever", true), ("renewed", false)] {
        let scene = Scene::new().await;
        if !over_nothing {
            put(&scene.store, snapshot(9, CameBy::Event, "draft")).await;
        }
        let over =
            objects::version(&mut scene.store.read().await.unwrap(), LANE, "invoice", "in_1").await.unwrap();
        // Stripe answers, changes the invoice and tells us; only then is the answer kept.
        put(&scene.store, snapshot(10, CameBy::Event, "paid")).await;
        let kept = put(&scene.store, snapshot(10, CameBy::Read { over }, "open")).await;
        assert_eq!(kept, Kept::Tied, "{what}");
        assert_eq!(held(&scene.store).await, ("paid".to_owned(), true, false), "{what}: to be read again");
        assert_eq!(read(&scene.store, 10, "paid").await, Kept::Stored);
        assert_eq!(held(&scene.store).await, ("paid".to_owned(), false, false), "{what}");
    }
}

#[tokio::test]
async fn something_unseen_happened_marks_it_for_reading_again() {
    let scene = Scene::new().await;
    let store = &scene.store;
    read(store, 10, "open").await;
    let over = objects::version(&mut store.read().await.unwrap(), LANE, "invoice", "in_1").await.unwrap();
    write!(store, |tx| objects::mark_stale(tx, LANE, "invoice", "in_1").await).unwrap();
    assert_eq!(held(store).await, ("open".to_owned(), true, false));
    assert_eq!(put(store, snapshot(10, CameBy::Read { over }, "open")).await, Kept::Tied, "read before that");
    assert_eq!(held(store).await, ("open".to_owned(), true, false));
    read(store, 10, "paid").await;
    assert_eq!(held(store).await, ("paid".to_owned(), false, false));
    let mut db = store.read().await.unwrap();
    let elsewhere = objects::get(&mut db, store.keyring(), "acct_1/live", "invoice", "in_1").await.unwrap();
    assert!(elsewhere.is_none(), "lanes never mix");
}

#[tokio::test]
async fn many_are_kept_at_once_each_judged_by_itself() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let named = |id: String, second| Snapshot {
        body: json!({"id": id, "status": "paid"}),
        id,
        customer: (second % 2 == 0).then(|| format!("cus_{second}")),
        ..snapshot(second, CameBy::Event, "paid")
    };
    for id in ["in_older", "in_tied"] {
        put(store, named(id.to_owned(), 10)).await;
    }
    // More than one statement carries, and at both of its ends.
    let mut new: Vec<Snapshot> = (0..100).map(|place| named(format!("in_new_{place}"), 10 + place)).collect();
    new.insert(0, named("in_older".to_owned(), 9));
    new.insert(64, named("in_tied".to_owned(), 10));
    new.push(Snapshot { lane: "acct_1/live".to_owned(), ..named("in_older".to_owned(), 9) });
    let (keyring, all) = (scene.keyring(), new.clone());
    let kept = write!(store, |tx| objects::put_many(tx, &keyring, &all.iter().collect::<Vec<_>>(), AT).await);
    let expected: Vec<Kept> = (0..new.len())
        .map(|place| match place {
            0 => Kept::Older,
            64 => Kept::Tied,
            _ => Kept::Stored,
        })
        .collect();
    assert_eq!(kept.unwrap(), expected, "answered in their order");
    let mut db = store.read().await.unwrap();
    for (snapshot, kept) in new.iter().zip(expected) {
        let held = objects::get(&mut db, store.keyring(), &snapshot.lane, "invoice", &snapshot.id).await;
        let held = held.unwrap().unwrap();
        assert_eq!(held.body, snapshot.body, "{}", snapshot.id);
        assert_eq!(held.stale, kept == Kept::Tied, "{}", snapshot.id);
        let second = if kept == Kept::Older { 10_000_000 } else { snapshot.version_at };
        assert_eq!(held.version_at.div_euclid(1_000_000), second / 1_000_000, "{}", snapshot.id);
    }
}
