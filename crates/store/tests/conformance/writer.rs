//! One writer: changes share a commit and nothing else. One that fails or panics takes back its own, and only its own.

use std::sync::Arc;

use bursar_domain::id::{AuditId, TaskId};
use bursar_store::audit::{self, Record};
use bursar_store::fail_point::{FailPoint, Fault};
use bursar_store::{Database, Error, Result, Store, Tx, policies, tasks};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::scene::{AT, LANE, Scene, entropy, number, write};

/// How a change ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    Failing,
    Panicking,
}

/// Writes a task under a new subject's key and an audit entry, then ends as told.
async fn change(tx: &mut Tx, keyring: &bursar_store::seal::Keyring, place: u8, end: End) -> Result<()> {
    let (id, case) = (TaskId::from_entropy(entropy(place)), crate::rows::case(1).id);
    let subject = format!("cus_{place}");
    let new = tasks::NewTask {
        id: &id,
        lane: LANE,
        case: &case,
        role: "operator",
        created_at: AT,
        subject: &subject,
        body: json!({"title": place}),
    };
    tasks::add(tx, keyring, new, AT).await?;
    // Reading it back inside the transaction must not make its key outlive the transaction.
    tasks::of_case(tx, keyring, &case).await?;
    let record = Record {
        id: AuditId::from_entropy(entropy(place)),
        at: AT,
        kind: "task.made",
        lane: None,
        actor: None,
        data: json!({"place": place}),
        commits: Vec::new(),
    };
    audit::append(tx, record).await?;
    match end {
        End::Well => Ok(()),
        End::Failing => Err(Error::Conflict("on purpose".to_owned())),
        End::Panicking => panic!("on purpose"),
    }
}

async fn run(store: &Store, place: u8, end: End) -> Result<()> {
    let keyring = Arc::clone(store.keyring());
    write!(store, |tx| change(tx, &keyring, place, end).await)
}

/// A third of all changes fails, a third panics.
fn end_of(place: u8) -> End {
    [End::Well, End::Failing, End::Panicking][usize::from(place % 3)]
}

#[tokio::test]
async fn a_change_that_fails_or_panics_takes_back_its_own_and_only_its_own() {
    let scene = Scene::new().await;
    let results = join_all((0..60).map(|place| run(&scene.store, place, end_of(place)))).await;
    for (place, result) in (0..).zip(&results) {
        assert_eq!(result.is_ok(), end_of(place) == End::Well, "{place}: {result:?}");
    }
    let mut raw = scene.raw().await;
    assert_eq!(number(&mut raw, "SELECT COUNT(*) FROM tasks").await, 20);
    assert_eq!(number(&mut raw, "SELECT COUNT(*) FROM audit").await, 20);
    assert_eq!(number(&mut raw, "SELECT COUNT(*) FROM subject_keys").await, 20, "and the keys made for it");
    let counted = "SELECT CAST(SUM(counted) AS BIGINT) FROM (
        SELECT MAX(writer_seq) AS counted FROM audit GROUP BY writer) AS writers";
    assert_eq!(number(&mut raw, counted).await, 20, "a writer's count has no hole");
    write!(scene.store, |tx| audit::seal(tx, 100).await).unwrap();
    assert!(audit::verify(&mut scene.store.read().await.unwrap()).await.unwrap().ok);
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_never_sealed_under() {
    for end in [End::Failing, End::Panicking] {
        let scene = Scene::new().await;
        run(&scene.store, 1, end).await.unwrap_err();
        run(&scene.store, 1, End::Well).await.unwrap();
        // Another process has no key in memory: only what is on disk opens it.
        let scene = scene.reopen("node-2").await;
        let mut db = scene.store.read().await.unwrap();
        let kept = tasks::of_case(&mut db, scene.store.keyring(), &crate::rows::case(1).id).await.unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].body, json!({"title": 1}));
    }
}

#[tokio::test]
async fn whoever_is_answered_is_on_disk() {
    let scene = Scene::new().await;
    let (store, dir) = (scene.store.clone(), &scene.dir);
    let changes = (0..40).map(|place| {
        let store = store.clone();
        async move {
            run(&store, place, End::Well).await.unwrap();
            let sql =
                format!("SELECT COUNT(*) FROM audit WHERE id = '{}'", AuditId::from_entropy(entropy(place)));
            number(&mut crate::scene::raw(dir).await, &sql).await
        }
    });
    assert_eq!(join_all(changes).await, [1; 40], "another connection sees it at once");
}

/// A change that says when it runs and ends when it is told to.
struct Held {
    running: oneshot::Receiver<()>,
    end: oneshot::Sender<()>,
    answer: JoinHandle<Result<()>>,
}

fn hold(store: &Store) -> Held {
    let (begin, running) = oneshot::channel();
    let (end, told) = oneshot::channel();
    let store = store.clone();
    let answer = tokio::spawn(async move {
        write!(store, |_tx| {
            begin.send(()).unwrap();
            told.await.unwrap();
            Ok(())
        })
    });
    Held { running, end, answer }
}

#[tokio::test]
async fn a_change_that_goes_on_after_a_failed_statement_is_not_kept() {
    let scene = Scene::new().await;
    run(&scene.store, 1, End::Well).await.unwrap();
    let keyring = scene.keyring();
    let passed_over = write!(scene.store, |tx| {
        let failed = change(tx, &keyring, 1, End::Well).await;
        assert!(failed.is_err(), "the task is there already");
        policies::keep_set(tx, "hash", &json!([]), AT).await.ok();
        Ok(())
    });
    assert!(matches!(passed_over, Err(Error::Database(_))), "{passed_over:?}");
    assert_eq!(number(&mut scene.raw().await, "SELECT COUNT(*) FROM policy_sets").await, 0);
}

#[tokio::test]
async fn nothing_of_a_group_is_answered_before_the_group_is_on_disk() {
    if crate::DATABASE == Database::Postgres {
        return; // Its groups are of one.
    }
    let scene = Scene::new().await;
    // While the first is held, two more line up; they will share a commit.
    let first = hold(&scene.store);
    first.running.await.unwrap();
    let quick = tokio::spawn({
        let store = scene.store.clone();
        async move { write!(store, |tx| policies::keep_set(tx, "hash", &json!([]), AT).await) }
    });
    tokio::task::yield_now().await;
    let slow = hold(&scene.store);
    tokio::task::yield_now().await;
    first.end.send(()).unwrap();
    first.answer.await.unwrap().unwrap();
    slow.running.await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!quick.is_finished(), "its change is made, its group is not committed");
    assert_eq!(number(&mut scene.raw().await, "SELECT COUNT(*) FROM policy_sets").await, 0);
    slow.end.send(()).unwrap();
    quick.await.unwrap().unwrap();
    slow.answer.await.unwrap().unwrap();
    assert_eq!(number(&mut scene.raw().await, "SELECT COUNT(*) FROM policy_sets").await, 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_its_change_along() {
    let scene = Scene::new().await;
    let held = hold(&scene.store);
    held.running.await.unwrap();
    let impatient = tokio::spawn({
        let store = scene.store.clone();
        async move { write!(store, |tx| policies::keep_set(tx, "hash", &json!([]), AT).await) }
    });
    tokio::task::yield_now().await;
    impatient.abort();
    held.end.send(()).unwrap();
    // The next group comes after the one that was left alone.
    run(&scene.store, 1, End::Well).await.unwrap();
    assert_eq!(number(&mut scene.raw().await, "SELECT COUNT(*) FROM policy_sets").await, 1);
}

#[tokio::test]
async fn after_a_commit_of_which_nobody_heard_everything_goes_on() {
    let scene = Scene::new().await;
    run(&scene.store, 1, End::Well).await.unwrap();
    let reached = scene.store.fail_points().arm(FailPoint::Committed, 0, Fault::Fail);
    run(&scene.store, 2, End::Well).await.unwrap_err();
    reached.await.unwrap();
    for place in 3..6 {
        run(&scene.store, place, End::Well).await.unwrap();
    }
    let mut raw = scene.raw().await;
    assert_eq!(number(&mut raw, "SELECT COUNT(*) FROM tasks").await, 5, "it was kept all the same");
    write!(scene.store, |tx| audit::seal(tx, 100).await).unwrap();
    assert!(audit::verify(&mut scene.store.read().await.unwrap()).await.unwrap().ok);
}
