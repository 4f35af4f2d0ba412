use bursar_domain::case::CaseState;
use bursar_domain::id::PersonId;
use bursar_domain::role::Role;
use bursar_store::{cases, timeline};
use serde_json::json;

use super::*;
use crate::still::{NOW, Still};
use crate::{Viewer, error};

#[test]
fn there_is_never_room_for_fewer_than_none() {
    for (claimed, room) in [(1, 63), (64, 0), (65, 0), (1_000, 0)] {
        assert_eq!(room_for_more(claimed), room, "beside {claimed}");
    }
}

#[tokio::test]
async fn what_must_ask_stripe_shares_its_slot_with_nobody() {
    let still = Still::open().await;
    for (number, kind) in [EVENT, THIN_EVENT, EVENT, "decide", THIN_EVENT].into_iter().enumerate() {
        still.queue(kind, &format!("key {number}"), json!({})).await;
    }
    let shares = shares(still.claim().await);
    let mut sizes: Vec<(String, usize)> =
        shares.iter().map(|jobs| (jobs[0].kind.clone(), jobs.len())).collect();
    sizes.sort();
    let expected = [("decide", 1), (EVENT, 2), (THIN_EVENT, 1), (THIN_EVENT, 1)];
    assert_eq!(sizes, expected.map(|(kind, size)| (kind.to_owned(), size)));
}

#[tokio::test]
async fn what_most_of_its_lease_has_left_is_handed_back_and_has_lost_no_try() {
    let still = Still::open().await;
    for event in ["evt_1", "evt_2"] {
        still.queue(EVENT, event, json!({"event": event})).await;
    }
    let claimed = still.claim().await;
    run_share(&still.engine, claimed.clone(), Instant::now()).await;
    let again = still.claim().await;
    assert_eq!(again.len(), 2, "both can be claimed at once");
    assert!(again.iter().all(|job| job.attempts == 1), "{again:?}");
    // In time they are run, and fail: there are no such events.
    run_share(&still.engine, again, Instant::now() + BEGIN_WITHIN).await;
    assert!(still.claim().await.is_empty(), "they wait for another try");
}

#[tokio::test]
async fn a_case_whose_work_gave_up_calls_a_person_and_says_why() {
    let still = Still::open().await;
    let case = still.add_case("in_A").await;
    let other = still.add_case("in_B").await;
    still.queue("timer", "case in_A", json!({"key": case.key, "signal": "timer"})).await;
    let mut job = still.claim().await.pop().unwrap();
    let broken = Error::Broken("nobody can read this".to_owned());
    settle(&still.engine, &job, &broken).await.unwrap();
    let store = &still.engine.inner.store;
    let state_of = async |case: &cases::Case| {
        let mut db = store.read().await.unwrap();
        cases::get(&mut db, store.keyring(), &case.id).await.unwrap().unwrap().state
    };
    assert_eq!(state_of(&case).await, case.state, "it will be tried again");
    job = still.claim_at(NOW + 3_600_000_000).await.pop().unwrap();
    job.attempts = error::ATTEMPTS_MAX;
    settle(&still.engine, &job, &broken).await.unwrap();
    assert_eq!(state_of(&case).await, CaseState::NeedsPerson);
    assert_eq!(state_of(&other).await, other.state, "nobody else's");
    let mut db = store.read().await.unwrap();
    let told = timeline::of_case(&mut db, store.keyring(), &case.id).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].kind, "stopped");
    assert!(told[0].body["why"].as_str().unwrap().contains("nobody can read this"), "{:?}", told[0]);
    drop(db);
    let olivia = Viewer { person: PersonId::from_entropy([7; 16]), roles: vec![Role::Operator] };
    let waiting = still.engine.waiting(&olivia).await.unwrap();
    assert_eq!(waiting.len(), 1, "and it stands in the inbox");
    assert_eq!((waiting[0].case["id"].as_str(), waiting[0].for_viewer), (Some(case.id.as_str()), true));
}
