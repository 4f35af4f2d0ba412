//! An approval closes once, and a person votes once.

use bursar_domain::approval::{ApprovalState, Choice};
use bursar_domain::proposal::ProposalState;
use bursar_store::Store;
use bursar_store::approvals::{self, Approval, Vote};

use crate::rows::{NOW, approval, vote};
use crate::scene::{AT, CUSTOMER, Scene, alter, is_conflict, shows, write};

async fn add(store: &Store, new: Approval) -> bursar_store::Result<()> {
    write!(store, |tx| approvals::add(tx, &[&new]).await.map(|_| ()))
}

async fn close(store: &Store, to: ApprovalState) -> bursar_store::Result<()> {
    write!(store, |tx| approvals::close(tx, &approval(1).id, to, NOW, "why").await)
}

async fn cast(store: &Store, vote: Vote) -> bursar_store::Result<()> {
    let keyring = std::sync::Arc::clone(store.keyring());
    write!(store, |tx| approvals::add_vote(tx, &keyring, &vote, AT).await.map(|_| ()))
}

async fn votes_of(store: &Store) -> Vec<Vote> {
    let mut db = store.read().await.unwrap();
    approvals::votes(&mut db, store.keyring(), &approval(1).id).await.unwrap()
}

#[tokio::test]
async fn it_closes_once_whoever_is_first() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, approval(1)).await.unwrap();
    let ends = [ApprovalState::Met, ApprovalState::Refused, ApprovalState::Expired, ApprovalState::Void];
    let results = futures_util::future::join_all(ends.map(|to| close(store, to))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(results.iter().filter(|result| is_conflict(result)).count(), 3);
    let winner = ends[results.iter().position(Result::is_ok).unwrap()];
    let held = approvals::get(&mut store.read().await.unwrap(), &approval(1).id).await.unwrap().unwrap();
    assert_eq!((held.state, held.closed_at), (winner, Some(NOW)));
    let rest = Approval { state: ApprovalState::Open, closed_at: None, closed_why: None, ..held };
    assert_eq!(rest, approval(1), "what was asked is as it was");
}

#[tokio::test]
async fn one_approval_a_proposal() {
    let scene = Scene::new().await;
    add(&scene.store, approval(1)).await.unwrap();
    let second = Approval { id: approval(2).id, ..approval(1) };
    assert!(is_conflict(&add(&scene.store, second).await));
    let mut db = scene.store.read().await.unwrap();
    assert_eq!(approvals::of_proposal(&mut db, &approval(1).proposal).await.unwrap(), Some(approval(1)));
    assert_eq!(approvals::of_proposal(&mut db, &approval(2).proposal).await.unwrap(), None);
}

#[tokio::test]
async fn a_double_click_is_one_vote_and_two_people_are_two() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, approval(1)).await.unwrap();
    let clicks = futures_util::future::join_all((1..=5).map(|number| cast(store, vote(number, 1)))).await;
    assert_eq!(clicks.iter().filter(|click| click.is_ok()).count(), 1);
    let changed_mind = Vote { choice: Choice::Reject, ..vote(6, 1) };
    assert!(is_conflict(&cast(store, changed_mind).await), "nor the other way");
    cast(store, vote(7, 2)).await.unwrap();
    let votes = votes_of(store).await;
    assert_eq!(
        votes.iter().map(|vote| &vote.person).collect::<Vec<_>>(),
        [&vote(0, 1).person, &vote(0, 2).person]
    );
}

#[tokio::test]
async fn what_is_pending_is_counted_and_listed_page_by_page() {
    let scene = Scene::new().await;
    let store = &scene.store;
    for number in 1..=3 {
        add(store, approval(number)).await.unwrap();
    }
    close(store, ApprovalState::Void).await.unwrap();
    let mut db = store.read().await.unwrap();
    assert_eq!(approvals::pending(&mut db).await.unwrap(), (2, Some(NOW.micros())));
    let first = approvals::list(&mut db, None, None, 2).await.unwrap();
    assert_eq!(first.iter().map(|listed| &listed.id).collect::<Vec<_>>(), [&approval(3).id, &approval(2).id]);
    let last = &first[1];
    let before = Some((last.opened_at.micros(), last.id.as_str()));
    let second = approvals::list(&mut db, None, before, 2).await.unwrap();
    assert_eq!(second.iter().map(|listed| &listed.id).collect::<Vec<_>>(), [&approval(1).id]);
    assert_eq!(approvals::list(&mut db, Some("void"), None, 9).await.unwrap().len(), 1);
    let done = approvals::list_by_outcome(&mut db, ProposalState::Done, before, 9).await.unwrap();
    assert!(done.is_empty(), "nothing was approved: {done:?}");
}

#[tokio::test]
async fn a_vote_comes_back_with_its_roles_and_its_words_are_sealed() {
    let scene = Scene::new().await;
    cast(&scene.store, vote(1, 1)).await.unwrap();
    assert_eq!(votes_of(&scene.store).await, [vote(1, 1)]);
    let mut raw = scene.raw().await;
    let words = vote(1, 1).reason.unwrap();
    let readable = format!("UPDATE votes SET at = at WHERE {}", shows("reason", &words));
    assert_eq!(alter(&mut raw, &readable).await, 0, "nobody reads them past the key");
    alter(&mut raw, &format!("DELETE FROM subject_keys WHERE subject = '{CUSTOMER}'")).await;
    let scene = scene.reopen("node-2").await;
    assert_eq!(
        votes_of(&scene.store).await,
        [Vote { reason: None, ..vote(1, 1) }],
        "erased, and still a vote"
    );
}
