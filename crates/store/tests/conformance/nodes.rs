//! Several nodes on one database: work is shared and never done by two, what a silent node held is taken up, and what is
//! read before a change is still true when the change is made.

use std::collections::BTreeSet;

use bursar_store::approvals;
use bursar_store::jobs::{self, Claim, Job, NewJob};
use bursar_store::scratch::Scratch;
use bursar_store::{Error, MasterKey, Options, Store, modes, nodes, proposals};
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::rows::{approval, job, proposal, vote};
use crate::scene::{AT, Scene, write};

const LEASE: i64 = 60_000_000;

/// Another machine's process on the same database.
async fn another_node(scene: &Scene, node: &str) -> (Store, TempDir) {
    let own = tempfile::tempdir().unwrap();
    let key = std::fs::read_to_string(scene.dir.path().join("master.key")).unwrap();
    let (data_dir, master_key) = (own.path().to_owned(), MasterKey::parse(&key));
    let options = Options { data_dir, master_key, ..scene.dir.options(node) };
    (Store::open(options).await.unwrap(), own)
}

async fn claim(store: &Store, limit: i64) -> bursar_store::Result<Vec<Job>> {
    let claim = Claim { business_now: AT, machine_now: AT, since: None, lease_us: LEASE, limit };
    write!(store, |tx| jobs::claim(tx, claim).await)
}

async fn add(store: &Store, new: NewJob) {
    write!(store, |tx| jobs::add(tx, &new).await).unwrap();
}

#[tokio::test]
async fn nodes_that_race_never_hold_two_jobs_of_one_key() {
    let scene = Scene::new().await;
    let (second, _dir) = another_node(&scene, "node-2").await;
    for number in 0..60 {
        add(&scene.store, job(number, &format!("key {}", number % 12))).await;
    }
    let mut done = BTreeSet::new();
    for _ in 0..200 {
        let claims = [&scene.store, &second, &scene.store, &second].map(|store| claim(store, 5));
        let mut keys = BTreeSet::new();
        let mut claimed = Vec::new();
        for answer in join_all(claims).await {
            match answer {
                Ok(jobs) => claimed.extend(jobs),
                // Somebody was first; nothing was taken, and the next claim finds what is left.
                Err(Error::Conflict(_) | Error::Busy(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for job in &claimed {
            assert!(keys.insert(job.key.clone()), "two jobs of {}", job.key);
            assert!(done.insert(job.id.to_string()), "{} twice", job.id);
        }
        for job in claimed {
            write!(second, |tx| jobs::finish(tx, &job).await).unwrap();
        }
        if done.len() == 60 {
            return;
        }
    }
    panic!("only {} of 60 were done", done.len());
}

#[tokio::test]
async fn a_late_worker_is_refused_while_another_holds_the_job() {
    let scene = Scene::new().await;
    let (second, _dir) = another_node(&scene, "node-2").await;
    add(&scene.store, job(1, "invoice in_1")).await;
    let held = claim(&scene.store, 1).await.unwrap().remove(0);
    write!(scene.store, |tx| nodes::beat(tx, "1").await).unwrap();
    let buried = write!(second, |tx| nodes::bury_silent(tx, -LEASE).await).unwrap();
    assert_eq!(buried, 1, "node-1 has not been heard of since");
    let again = claim(&second, 1).await.unwrap().remove(0);
    assert_eq!(again.id, held.id);
    let late = write!(scene.store, |tx| {
        jobs::check_fence(tx, &held).await?;
        Ok(())
    });
    assert!(matches!(late, Err(Error::Fenced(_))), "{late:?}");
    write!(second, |tx| jobs::finish(tx, &again).await).unwrap();
}

#[tokio::test]
async fn who_comes_back_knows_who_is_gone_and_frees_what_it_held() {
    let scene = Scene::new().await;
    assert_eq!(scene.store.predecessor(), None);
    scene.store.sign().unwrap();
    add(&scene.store, job(1, "invoice in_1")).await;
    write!(scene.store, |tx| nodes::beat(tx, "1").await).unwrap();
    let held = claim(&scene.store, 1).await.unwrap().remove(0);
    let gone = scene.store.node().to_owned();
    let scene = scene.reopen("node-2").await;
    assert_eq!(scene.store.predecessor(), Some(gone.as_str()));
    assert!(claim(&scene.store, 1).await.unwrap().is_empty(), "its lease holds");
    write!(scene.store, |tx| nodes::bury(tx, &gone).await).unwrap();
    let again = claim(&scene.store, 1).await.unwrap().remove(0);
    assert_eq!((again.id, again.fence), (held.id, held.fence + 1));
    assert!(nodes::all(&mut scene.store.read().await.unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_claimed_and_reached_nobody_goes_back_and_what_is_in_hand_stays() {
    let scene = Scene::new().await;
    let (second, _dir) = another_node(&scene, "node-2").await;
    for number in 0..3 {
        add(&scene.store, job(number, &format!("key {number}"))).await;
    }
    let elsewhere = claim(&second, 1).await.unwrap().remove(0);
    let mut ours = claim(&scene.store, 2).await.unwrap();
    let (lost, in_hand) = (ours.remove(0), [ours[0].id.to_string()]);
    write!(scene.store, |tx| jobs::release_others(tx, &in_hand).await).unwrap();
    let again = claim(&scene.store, 3).await.unwrap();
    assert_eq!(again.iter().map(|job| &job.id).collect::<Vec<_>>(), [&lost.id]);
    assert_eq!((again[0].fence, again[0].attempts), (lost.fence + 1, lost.attempts), "and it was no attempt");
    for held in [elsewhere, ours.remove(0)] {
        write!(scene.store, |tx| jobs::check_fence(tx, &held).await).unwrap();
    }
    write!(scene.store, |tx| jobs::release_others(tx, &[]).await).unwrap();
    assert_eq!(claim(&scene.store, 3).await.unwrap().len(), 2, "nothing in hand");
}

#[tokio::test]
async fn a_fence_that_was_checked_holds_until_the_change_is_made() {
    let scene = Scene::new().await;
    let (second, _dir) = another_node(&scene, "node-2").await;
    add(&scene.store, job(1, "invoice in_1")).await;
    let held = claim(&scene.store, 1).await.unwrap().remove(0);
    write!(scene.store, |tx| nodes::beat(tx, "1").await).unwrap();
    let (checked, is_checked) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = tokio::sync::oneshot::channel();
    let store = scene.store.clone();
    let change = tokio::spawn(async move {
        write!(store, |tx| {
            jobs::check_fence(tx, &held).await?;
            checked.send(()).unwrap();
            may_go_on.await.unwrap();
            jobs::finish(tx, &held).await
        })
    });
    is_checked.await.unwrap();
    let taken_up = tokio::spawn(async move { write!(second, |tx| nodes::bury_silent(tx, -LEASE).await) });
    tokio::task::yield_now().await;
    go_on.send(()).unwrap();
    change.await.unwrap().unwrap();
    taken_up.await.unwrap().unwrap();
    let mut db = scene.store.read().await.unwrap();
    assert_eq!(jobs::depth(&mut db, AT, AT).await.unwrap().due, 0, "it was done, and is not there again");
}

#[tokio::test]
async fn what_is_held_while_its_switch_is_reset_goes_on_all_the_same() {
    let scene = Scene::new().await;
    let (second, _dir) = another_node(&scene, "node-2").await;
    add(&scene.store, job(1, "invoice in_1")).await;
    write!(scene.store, |tx| modes::kill(tx, "all", "drill", AT, "engine").await).unwrap();
    let (looked, has_looked) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = tokio::sync::oneshot::channel();
    let claimed = claim(&scene.store, 1).await.unwrap().remove(0);
    let store = scene.store.clone();
    let holding = tokio::spawn(async move {
        write!(store, |tx| {
            assert_eq!(modes::killed_until_then(tx).await?.len(), 1);
            looked.send(()).unwrap();
            may_go_on.await.unwrap();
            jobs::hold(tx, &claimed).await
        })
    });
    has_looked.await.unwrap();
    let resetting = tokio::spawn(async move {
        write!(second, |tx| {
            modes::revive(tx, "all").await?;
            jobs::release_held(tx, 10).await
        })
    });
    // Long enough to find nothing held, were it not to wait.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    go_on.send(()).unwrap();
    holding.await.unwrap().unwrap();
    assert_eq!(resetting.await.unwrap().unwrap(), 1);
    assert_eq!(claim(&scene.store, 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_node_holds_a_lease_until_it_goes() {
    let scene = Scene::new().await;
    let (second, _dir) = another_node(&scene, "node-2").await;
    let names = || vec!["poller:acct_1/test".to_owned(), "sealer".to_owned()];
    let (first_names, second_names) = (names(), names());
    let held = write!(scene.store, |tx| nodes::hold(tx, &first_names, LEASE).await).unwrap();
    assert_eq!(held.len(), 2);
    let held = write!(second, |tx| nodes::hold(tx, &second_names, LEASE).await).unwrap();
    assert!(held.is_empty(), "{held:?}");
    let again = names();
    let held = write!(scene.store, |tx| nodes::hold(tx, &again, LEASE).await).unwrap();
    assert_eq!(held.len(), 2, "whoever has it keeps it");
    write!(scene.store, |tx| nodes::leave(tx).await).unwrap();
    let next = names();
    let held = write!(second, |tx| nodes::hold(tx, &next, LEASE).await).unwrap();
    assert_eq!(held.len(), 2, "and hands it over by going");
}

#[tokio::test]
async fn a_node_with_another_key_is_refused() {
    let scene = Scene::new().await;
    let other = tempfile::tempdir().unwrap();
    let own = Options { data_dir: other.path().to_owned(), ..scene.dir.options("node-2") };
    let refused = Store::open(own.clone()).await;
    assert!(matches!(refused, Err(Error::Unsealable(_))), "{refused:?}");
    std::fs::write(other.path().join("master.key"), "07".repeat(32)).unwrap();
    let refused = Store::open(own).await;
    assert!(matches!(refused, Err(Error::Unsealable(_))), "{refused:?}");
}

#[tokio::test]
async fn nodes_may_start_together_on_an_empty_database() {
    let place = Scratch::new(crate::DATABASE).await;
    let key = MasterKey::parse(&"07".repeat(32));
    let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let starts = dirs.iter().enumerate().map(|(number, dir)| {
        let options = Options {
            data_dir: dir.path().to_owned(),
            master_key: key.clone(),
            ..place.options(&format!("node-{number}"))
        };
        Store::open(options)
    });
    for (number, started) in join_all(starts).await.into_iter().enumerate() {
        let started = started.map(|_| ());
        assert!(started.is_ok(), "node {number}: {started:?}");
    }
}

#[tokio::test]
async fn what_is_read_inside_a_change_stays_so_until_it_is_made() {
    let scene = Scene::new().await;
    let (keyring, asked) = (scene.keyring(), approval(1));
    write!(scene.store, |tx| {
        proposals::add(tx, &keyring, &[&proposal(1)], AT).await?;
        approvals::add(tx, &[&asked]).await.map(|_| ())
    })
    .unwrap();
    let (second, _dir) = another_node(&scene, "node-2").await;
    // Two people vote at the same moment, on two machines; each change adds a vote and then counts.
    let votes = [(1_u8, &scene.store), (2, &second)].map(|(number, store)| {
        let (id, keyring) = (approval(1).id, store.keyring().clone());
        async move {
            write!(store, |tx| {
                approvals::get(tx, &id).await?;
                approvals::add_vote(tx, &keyring, &vote(number, number), AT).await?;
                tokio::task::yield_now().await;
                Ok(approvals::votes(tx, &keyring, &id).await?.len())
            })
            .unwrap()
        }
    });
    let mut counted = join_all(votes).await;
    counted.sort_unstable();
    assert_eq!(counted, [1, 2], "the second sees the first");
}
