//! Each event is accepted once, whatever way it comes.

use bursar_domain::id::AuditId;
use bursar_store::events::{self, Accepted, Filter, NewEvent, Resolved};
use bursar_store::{Store, audit, jobs};

use crate::rows::{event, job};
use crate::scene::{AT, LANE, Scene, entropy, is_conflict, write};

async fn accept(store: &Store, batch: Vec<NewEvent>, entry: u8) -> Vec<Accepted> {
    let keyring = std::sync::Arc::clone(store.keyring());
    let entry = AuditId::from_entropy(entropy(entry));
    loop {
        let (keyring, batch, entry) = (std::sync::Arc::clone(&keyring), batch.clone(), entry.clone());
        let accepted = write!(store, |tx| events::accept(tx, &keyring, &batch, entry, AT).await);
        // Somebody else is just keeping one of them: nothing of this batch was kept, and now it is known.
        if !is_conflict(&accepted) {
            return accepted.unwrap();
        }
    }
}

#[tokio::test]
async fn a_copy_is_no_duplicate_of_what_is_not_held() {
    let scene = Scene::new().await;
    accept(&scene.store, vec![event("evt_1")], 1).await;
    let batch = [event("evt_1"), event("evt_2"), event("evt_2")];
    let mut db = scene.store.read().await.unwrap();
    let judged = events::judge_each(&mut db, &batch).await.unwrap();
    assert_eq!(judged, [Accepted::Duplicate, Accepted::New, Accepted::New]);
    let together = events::judge(&mut db, &batch).await.unwrap();
    assert_eq!(together, [Accepted::Duplicate, Accepted::New, Accepted::Duplicate]);
}

#[tokio::test]
async fn the_same_again_is_a_duplicate_and_other_contents_are_a_conflict() {
    let scene = Scene::new().await;
    assert_eq!(accept(&scene.store, vec![event("evt_1")], 1).await, [Accepted::New]);
    let other_version = Some("2020-08-27".to_owned());
    let table: [(&str, NewEvent, Accepted); 6] = [
        ("the same by another way", NewEvent { source: "poll", ..event("evt_1") }, Accepted::Duplicate),
        (
            "rendered in another version",
            NewEvent {
                api_version: other_version.clone(),
                sameness: "rendered".to_owned(),
                ..event("evt_1")
            },
            Accepted::Duplicate,
        ),
        ("other data", NewEvent { sameness: "other".to_owned(), ..event("evt_1") }, Accepted::Conflict),
        (
            "other data in another version",
            NewEvent {
                api_version: other_version,
                sameness: "other".to_owned(),
                sameness_any_version: "other".to_owned(),
                ..event("evt_1")
            },
            Accepted::Conflict,
        ),
        ("another event", event("evt_2"), Accepted::New),
        (
            "the same id in another lane",
            NewEvent { lane: "acct_1/live".to_owned(), ..event("evt_1") },
            Accepted::New,
        ),
    ];
    for (number, (what, new, expected)) in (2..).zip(table) {
        assert_eq!(accept(&scene.store, vec![new], number).await, [expected], "{what}");
    }
    let mut db = scene.store.read().await.unwrap();
    assert_eq!(events::count_received(&mut db, i64::MIN, AT).await.unwrap(), 3, "one row an event");
    assert_eq!(events::count_received(&mut db, AT, i64::MAX).await.unwrap(), 0);
    assert_eq!(events::newest_receipt(&mut db).await.unwrap(), Some(AT));
}

#[tokio::test]
async fn a_mixed_batch_is_judged_one_by_one_and_commits_with_its_jobs_and_one_entry() {
    let scene = Scene::new().await;
    accept(&scene.store, vec![event("evt_1")], 1).await;
    let with_job = |id: &str, number| NewEvent { job: Some(job(number, id)), ..event(id) };
    let batch = vec![
        with_job("evt_1", 1),
        with_job("evt_2", 2),
        with_job("evt_2", 3),
        NewEvent { sameness: "other".to_owned(), ..with_job("evt_2", 4) },
        with_job("evt_3", 5),
    ];
    let verdicts = accept(&scene.store, batch, 2).await;
    let [new, duplicate, conflict] = [Accepted::New, Accepted::Duplicate, Accepted::Conflict];
    assert_eq!(verdicts, [duplicate, new, duplicate, conflict, new]);
    let mut db = scene.store.read().await.unwrap();
    let depth = jobs::depth(&mut db, 0, AT).await.unwrap();
    assert_eq!(depth.due, 2, "work for what is new only");
    assert_eq!(audit::newest(&mut db, 10, None).await.unwrap().len(), 2, "one entry a group");
    assert_eq!(accept(&scene.store, vec![event("evt_3")], 3).await, [duplicate]);
    assert_eq!(audit::newest(&mut db, 10, None).await.unwrap().len(), 2, "nothing new, nothing to record");
}

#[tokio::test]
async fn a_large_batch_with_many_customers_is_kept_whole() {
    let scene = Scene::new().await;
    let batch: Vec<NewEvent> = (0..450)
        .map(|number| NewEvent { subject: format!("cus_{number}"), ..event(&format!("evt_{number:03}")) })
        .collect();
    let verdicts = accept(&scene.store, batch, 1).await;
    assert!(verdicts.iter().all(|verdict| *verdict == Accepted::New));
    write!(scene.store, |tx| audit::seal(tx, 10).await).unwrap();
    let mut db = scene.store.read().await.unwrap();
    let report = audit::verify(&mut db).await.unwrap();
    assert!(report.ok, "{:?}", report.first_bad);
    let ids: Vec<String> = (0..600).map(|number| format!("evt_{number:03}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let missing = events::missing(&mut db, LANE, &ids).await.unwrap();
    assert_eq!(missing, ids[450..], "what is not held, in order");
}

#[tokio::test]
async fn two_deliveries_at_once_make_one_event() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let deliveries = (1..=20).map(|number| accept(store, vec![event("evt_1")], number));
    let verdicts = futures_util::future::join_all(deliveries).await.concat();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Accepted::New).count(), 1);
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Accepted::Duplicate).count(), 19);
}

#[tokio::test]
async fn bodies_come_back_as_they_came_and_lists_go_page_by_page() {
    let scene = Scene::new().await;
    let batch = ["evt_1", "evt_2", "evt_3"].map(|id| NewEvent { body: id.as_bytes().to_vec(), ..event(id) });
    accept(&scene.store, batch.to_vec(), 1).await;
    let mut db = scene.store.read().await.unwrap();
    let page = |before| Filter { before, limit: 2, ..Filter::default() };
    let first = events::list(&mut db, &page(None)).await.unwrap();
    let last = first.last().map(|event| (event.created_s, event.id.clone()));
    let second = events::list(&mut db, &page(last)).await.unwrap();
    let seen: Vec<&str> = first.iter().chain(&second).map(|event| event.id.as_str()).collect();
    assert_eq!(seen, ["evt_3", "evt_2", "evt_1"]);
    for stored in first.iter().chain(&second) {
        assert_eq!(stored.body(&mut db, scene.store.keyring()).await.unwrap(), stored.id.as_bytes());
    }
    let of_object = Filter { object_id: Some("in_2".to_owned()), limit: 9, ..Filter::default() };
    assert!(events::list(&mut db, &of_object).await.unwrap().is_empty());
    assert!(events::find(&mut db, "evt_2").await.unwrap().is_some());
    assert!(events::get(&mut db, "acct_1/live", "evt_2").await.unwrap().is_none(), "lanes never mix");
    let caused = events::caused_by(&mut db, LANE, "key_1").await.unwrap();
    assert!(caused.is_some());
    assert!(events::caused_by(&mut db, "acct_1/live", "key_1").await.unwrap().is_none());
}

#[tokio::test]
async fn a_thin_event_is_found_by_the_snapshot_event_it_names_once_its_object_was_read() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let thin = NewEvent { snapshot_event: Some("evt_1".to_owned()), ..event("evt_thin") };
    accept(store, vec![thin], 1).await;
    let mut db = store.read().await.unwrap();
    let asked = [(LANE, "evt_1"), (LANE, "evt_2"), ("acct_1/live", "evt_1")];
    for (resolved, expected) in [(Resolved::Left, false), (Resolved::Gone, false), (Resolved::Read, true)] {
        write!(store, |tx| events::resolve(tx, LANE, "evt_thin", resolved).await).unwrap();
        let read = events::read_for(&mut db, &asked).await.unwrap();
        assert_eq!(read.contains(&(LANE.to_owned(), "evt_1".to_owned())), expected, "{resolved:?}");
        assert_eq!(read.len(), usize::from(expected), "lanes never mix");
    }
    let held = events::get(&mut db, LANE, "evt_thin").await.unwrap().unwrap();
    assert_eq!(held.resolved.as_deref(), Some("read"));
}

#[tokio::test]
async fn many_are_found_in_the_order_asked() {
    let scene = Scene::new().await;
    let batch: Vec<NewEvent> = (0..100).map(|number| event(&format!("evt_{number}"))).collect();
    accept(&scene.store, batch, 1).await;
    accept(&scene.store, vec![NewEvent { lane: "acct_1/live".to_owned(), ..event("evt_3") }], 2).await;
    let names: Vec<String> = (0..130).rev().map(|number| format!("evt_{number}")).collect();
    let mut wanted: Vec<(&str, &str)> = names.iter().map(|id| (LANE, id.as_str())).collect();
    wanted.extend([("acct_1/live", "evt_3"), ("acct_1/live", "evt_4")]);
    let mut db = scene.store.read().await.unwrap();
    let found = events::get_many(&mut db, &wanted).await.unwrap();
    assert_eq!(found.len(), wanted.len());
    for ((lane, id), found) in wanted.iter().zip(&found) {
        let number: usize = id.trim_start_matches("evt_").parse().unwrap();
        let there = if *lane == LANE { number < 100 } else { number == 3 };
        let named = found.as_ref().map(|found| (found.lane.as_str(), found.id.as_str()));
        assert_eq!(named, there.then_some((*lane, *id)));
    }
    assert!(events::get_many(&mut db, &[]).await.unwrap().is_empty());
}
