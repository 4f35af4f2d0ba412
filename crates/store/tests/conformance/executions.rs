//! An intent is written once, sends are counted, and a final state is never left.

use bursar_domain::execution::{ExecutionState, Receipt};
use bursar_domain::time::MachineTime;
use bursar_store::Store;
use bursar_store::executions::{self, Execution, Intent, Progress, Reserved};
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;

use crate::rows::{NOW, intent};
use crate::scene::{AT, Scene, is_conflict, write};

async fn add(store: &Store, new: Intent) -> bursar_store::Result<()> {
    let keyring = std::sync::Arc::clone(store.keyring());
    write!(store, |tx| executions::add(tx, &keyring, &new, AT).await.map(|_| ()))
}

async fn mark_sent(store: &Store, seconds: u64) -> bursar_store::Result<()> {
    let at = NOW.plus(std::time::Duration::from_secs(seconds));
    write!(store, |tx| executions::mark_sent(tx, &intent(1).id, at).await)
}

async fn record(store: &Store, state: ExecutionState) -> bursar_store::Result<()> {
    let receipt = Receipt {
        object: None,
        request_id: None,
        balance_transaction: None,
        known_by: "answer".to_owned(),
        changes: Vec::new(),
    };
    write!(store, |tx| {
        let progress = Progress {
            state,
            code: Some("code"),
            waiting_for: None,
            absent_since: Some(MachineTime::from_micros(AT)),
            receipt: Some(&receipt),
        };
        executions::record(tx, &intent(1).id, &progress, NOW).await
    })
}

async fn held(store: &Store) -> Execution {
    let mut db = store.read().await.unwrap();
    executions::of_proposal(&mut db, store.keyring(), &intent(1).proposal).await.unwrap().unwrap()
}

#[tokio::test]
async fn one_intent_a_proposal_and_one_a_key_with_its_exact_bytes() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, intent(1)).await.unwrap();
    let same_proposal = Intent { proposal: intent(1).proposal, ..intent(2) };
    assert!(is_conflict(&add(store, same_proposal).await));
    let same_key = Intent { idempotency_key: intent(1).idempotency_key, ..intent(3) };
    assert!(is_conflict(&add(store, same_key).await));
    let kept = held(store).await;
    assert_eq!(kept.intent, intent(1));
    assert_eq!((kept.state, kept.sends, kept.first_sent_at), (ExecutionState::Intent, 0, None));
    let mut db = store.read().await.unwrap();
    let by_key = executions::by_key(&mut db, store.keyring(), "bursar_1").await.unwrap();
    assert_eq!(by_key.map(|found| found.intent.id), Some(intent(1).id));
}

#[tokio::test]
async fn sends_are_counted_the_first_is_remembered_and_earlier_answers_are_forgotten() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, intent(1)).await.unwrap();
    mark_sent(store, 0).await.unwrap();
    record(store, ExecutionState::Unknown).await.unwrap();
    assert_eq!(held(store).await.outcome_code.as_deref(), Some("code"));
    mark_sent(store, 60).await.unwrap();
    let sent = held(store).await;
    assert_eq!((sent.sends, sent.first_sent_at, sent.state), (2, Some(NOW), ExecutionState::Unknown));
    assert_eq!(sent.outcome_code, None, "from here on this send may have happened");
    assert_eq!(sent.outcome_at, None, "and nothing has ended");
}

#[tokio::test]
async fn a_final_state_is_never_left() {
    for end in ExecutionState::ALL.into_iter().filter(|state| state.is_final()) {
        let scene = Scene::new().await;
        let store = &scene.store;
        add(store, intent(1)).await.unwrap();
        mark_sent(store, 0).await.unwrap();
        record(store, end).await.unwrap();
        let ended = held(store).await;
        assert_eq!((ended.state, ended.outcome_at), (end, Some(NOW)));
        for next in ExecutionState::ALL {
            assert!(is_conflict(&record(store, next).await), "{end:?} to {next:?}");
        }
        assert!(is_conflict(&mark_sent(store, 1).await), "nothing is sent after {end:?}");
        assert_eq!(held(store).await, ended);
    }
}

#[tokio::test]
async fn what_waits_at_stripe_or_is_in_doubt_is_not_sent_again_but_can_still_end() {
    for state in [ExecutionState::WaitingAtStripe, ExecutionState::InDoubt] {
        let scene = Scene::new().await;
        let store = &scene.store;
        add(store, intent(1)).await.unwrap();
        record(store, state).await.unwrap();
        assert!(is_conflict(&mark_sent(store, 1).await), "{state:?}");
        record(store, ExecutionState::Done).await.unwrap();
        let counts = executions::counts(&mut store.read().await.unwrap()).await.unwrap();
        assert_eq!(counts, [("done".to_owned(), 1)]);
    }
}

#[tokio::test]
async fn a_send_that_surely_did_not_leave_counts_for_nothing() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, intent(1)).await.unwrap();
    assert!(held(store).await.never_left());
    let take_back = async || write!(store, |tx| executions::mark_not_sent(tx, &intent(1).id).await);
    for seconds in [0, 60] {
        mark_sent(store, seconds).await.unwrap();
        assert!(!held(store).await.never_left(), "until its answer is known it may have arrived");
        take_back().await.unwrap();
        assert!(held(store).await.never_left());
    }
    assert!(is_conflict(&take_back().await), "there is no send left to take back");
    mark_sent(store, 120).await.unwrap();
    mark_sent(store, 180).await.unwrap();
    take_back().await.unwrap();
    let sent = held(store).await;
    assert!(!sent.never_left(), "the one before may have arrived");
    let first = NOW.plus(std::time::Duration::from_secs(120));
    assert_eq!((sent.sends, sent.maybe_sent, sent.first_sent_at), (4, 1, Some(first)));
}

#[tokio::test]
async fn what_was_reserved_is_kept_and_given_back_once() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, intent(1)).await.unwrap();
    let reserved = Reserved {
        day: "2026-11-21".to_owned(),
        taken: vec![("lane:money_out".to_owned(), Money::new(5_000, Currency::USD))],
    };
    let kept = reserved.clone();
    write!(store, |tx| executions::reserve(tx, &intent(1).id, &kept).await).unwrap();
    assert_eq!(held(store).await.reserved, Some(reserved.clone()));
    let release = async || write!(store, |tx| executions::release(tx, &intent(1).id).await).unwrap();
    assert_eq!(release().await, Some(reserved));
    assert_eq!(release().await, None);
    assert_eq!(held(store).await.reserved, None);
}
