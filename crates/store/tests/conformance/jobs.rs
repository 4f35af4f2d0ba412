//! Work is done by one at a time: leases by the database's clock, fence tokens, one job of a key at once.

use bursar_store::jobs::{self, Claim, Clock, Counts, Job, NewJob, Waiting};
use bursar_store::{Error, Store, modes};

use crate::rows::job;
use crate::scene::{AT, LANE, Scene, is_conflict, write};

const LEASE: i64 = 60_000_000;
/// A lease that is over when it begins: what a worker holds that slept through it.
const LAPSED: i64 = -1_000_000;

async fn add(store: &Store, new: NewJob) {
    write!(store, |tx| jobs::add(tx, &new).await).unwrap();
}

async fn claim_for(store: &Store, lease_us: i64, limit: i64) -> Vec<Job> {
    let claim = Claim { business_now: AT, machine_now: AT, since: None, lease_us, limit };
    write!(store, |tx| jobs::claim(tx, claim).await).unwrap()
}

async fn claim(store: &Store) -> Vec<Job> {
    claim_for(store, LEASE, 10).await
}

async fn any_due(store: &Store, business_now: i64, machine_now: i64) -> bool {
    let claim = Claim { business_now, machine_now, since: None, lease_us: LEASE, limit: 1 };
    jobs::any_due(&mut store.read().await.unwrap(), claim).await.unwrap()
}

async fn finish(store: &Store, job: &Job) -> bursar_store::Result<()> {
    let job = job.clone();
    write!(store, |tx| jobs::finish(tx, &job).await)
}

#[tokio::test]
async fn workers_that_race_share_the_work_and_never_a_job() {
    let scene = Scene::new().await;
    for number in 0..40 {
        add(&scene.store, job(number, &format!("key {number}"))).await;
    }
    let claims = (0..8).map(|_| claim_for(&scene.store, LEASE, 7));
    let claimed = futures_util::future::join_all(claims).await;
    let mut ids: Vec<String> = claimed.iter().flatten().map(|job| job.id.to_string()).collect();
    assert_eq!(ids.len(), 40, "all of it was taken");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 40, "and nothing twice");
    assert!(claimed.iter().all(|jobs| jobs.len() <= 7), "nobody took more than they asked for");
}

#[tokio::test]
async fn jobs_of_one_key_run_one_after_the_other_in_their_order() {
    let scene = Scene::new().await;
    add(&scene.store, NewJob { due_at: AT - 1, ..job(3, "invoice in_1") }).await;
    add(&scene.store, job(1, "invoice in_1")).await;
    add(&scene.store, NewJob { clock: Clock::Business, ..job(2, "invoice in_1") }).await;
    add(&scene.store, job(4, "invoice in_2")).await;
    let mut order = Vec::new();
    for round in 0..3 {
        let claimed = claim(&scene.store).await;
        let of_key: Vec<&Job> = claimed.iter().filter(|job| job.key == "invoice in_1").collect();
        assert_eq!(of_key.len(), 1, "one of the key in round {round}");
        assert!(claim(&scene.store).await.is_empty(), "and none while it is worked on");
        order.push(of_key[0].id.clone());
        for job in &claimed {
            finish(&scene.store, job).await.unwrap();
        }
    }
    let expected = [3, 1, 2].map(|number| job(number, "").id);
    assert_eq!(order, expected, "the longest due first; timers of business time after");
}

#[tokio::test]
async fn nothing_is_claimed_before_it_is_due_on_its_own_clock() {
    let scene = Scene::new().await;
    add(&scene.store, NewJob { due_at: AT + 1, ..job(1, "a") }).await;
    add(&scene.store, NewJob { clock: Clock::Business, due_at: AT + 1, ..job(2, "b") }).await;
    assert!(claim(&scene.store).await.is_empty());
    for (business, machine, due) in [(AT, AT, false), (AT + 1, AT, true), (AT, AT + 1, true)] {
        assert_eq!(any_due(&scene.store, business, machine).await, due, "{business} {machine}");
    }
    let later = Claim { business_now: AT + 1, machine_now: AT, since: None, lease_us: LEASE, limit: 9 };
    let claimed = write!(scene.store, |tx| jobs::claim(tx, later).await).unwrap();
    assert_eq!(claimed.iter().map(|job| job.key.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn a_claim_from_a_moment_on_passes_over_what_was_due_before_and_what_lapsed() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, job(1, "lapsed")).await;
    assert_eq!(claim_for(store, LAPSED, 1).await.len(), 1);
    let since = |since| Claim { business_now: AT, machine_now: AT, since, lease_us: LEASE, limit: 9 };
    for (number, due_at) in [(2, AT - 9), (3, AT - 5), (4, AT - 1)] {
        add(store, NewJob { due_at, ..job(number, &format!("key {number}")) }).await;
    }
    add(store, NewJob { clock: Clock::Business, due_at: AT - 9, ..job(5, "timer") }).await;
    let later = async |at: Option<i64>, line: &str| {
        let (claim, line) = (since(at), line.to_owned());
        let of = Waiting { lane: LANE.to_owned(), clock: Clock::Machine, due_at: AT };
        let claimed = write!(store, |tx| {
            let claimed = match line.as_str() {
                "any" => jobs::claim(tx, claim).await,
                "past" => jobs::claim_past(tx, claim, &["another".to_owned()]).await,
                "of" => jobs::claim_of(tx, claim, &of).await,
                _ => jobs::claim_more(tx, claim, "event").await,
            };
            // Only looked at: what follows finds the same.
            claimed.and_then(|claimed| Err::<(), _>(Error::Conflict(keys(&claimed))))
        });
        match claimed {
            Err(Error::Conflict(keys)) => keys,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(later(Some(AT - 5), "any").await, "key 3, key 4, timer");
    assert_eq!(later(Some(AT - 5), "past").await, "key 3, key 4, timer");
    assert_eq!(later(Some(AT - 5), "of").await, "key 3, key 4");
    assert_eq!(later(Some(AT - 5), "more").await, "key 3, key 4");
    assert_eq!(later(None, "any").await, "key 2, key 3, key 4, lapsed, timer");
    let none = Claim { business_now: 0, ..since(Some(AT)) };
    assert!(!jobs::any_due(&mut store.read().await.unwrap(), none).await.unwrap());
    let some = Claim { business_now: 0, ..since(Some(AT - 1)) };
    assert!(jobs::any_due(&mut store.read().await.unwrap(), some).await.unwrap());
}

fn keys(claimed: &[Job]) -> String {
    let keys: Vec<&str> = claimed.iter().map(|job| job.key.as_str()).collect();
    keys.join(", ")
}

#[tokio::test]
async fn a_lease_that_lapsed_goes_to_somebody_else_and_the_sleeper_can_change_nothing() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, job(1, "a")).await;
    let sleeper = claim_for(store, LAPSED, 1).await.pop().unwrap();
    assert!(any_due(store, 0, 0).await, "a lapsed lease is work");
    let holder = claim(store).await.pop().unwrap();
    assert_eq!((holder.fence, holder.attempts), (sleeper.fence + 1, sleeper.attempts + 1));
    let late = sleeper.clone();
    let checked = write!(store, |tx| jobs::check_fence(tx, &late).await);
    assert!(matches!(checked, Err(Error::Fenced(_))), "{checked:?}");
    assert!(matches!(finish(store, &sleeper).await, Err(Error::Fenced(_))));
    let late = sleeper.clone();
    let parked = write!(store, |tx| jobs::park(tx, &late, "late").await);
    assert!(matches!(parked, Err(Error::Fenced(_))));
    let late = sleeper.clone();
    let back = write!(store, |tx| jobs::put_back(tx, &late, Clock::Machine, AT, "late", Counts::Yes).await);
    assert!(matches!(back, Err(Error::Fenced(_))));
    finish(store, &holder).await.unwrap();
    assert!(matches!(finish(store, &holder).await, Err(Error::Fenced(_))), "done is done");
}

#[tokio::test]
async fn a_lease_that_holds_is_nobody_elses() {
    let scene = Scene::new().await;
    add(&scene.store, job(1, "a")).await;
    let holder = claim(&scene.store).await.pop().unwrap();
    // The engine's clocks may say what they want: a lease is measured by the database's.
    let far = Claim { business_now: i64::MAX, machine_now: i64::MAX, since: None, lease_us: LEASE, limit: 9 };
    assert!(write!(scene.store, |tx| jobs::claim(tx, far).await).unwrap().is_empty());
    let held = holder.clone();
    write!(scene.store, |tx| jobs::check_fence(tx, &held).await).unwrap();
    assert_eq!(write!(scene.store, |tx| jobs::release_all(tx).await).unwrap(), 1);
    let again = claim(&scene.store).await.pop().unwrap();
    assert_eq!(again.fence, holder.fence + 1, "given back at shutdown, and fenced all the same");
}

#[tokio::test]
async fn waiting_is_no_failure_and_a_parked_job_comes_back_when_a_person_says_so() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, job(1, "a")).await;
    for (counts, attempts) in [(Counts::No, 1), (Counts::Yes, 1), (Counts::No, 2)] {
        let job = claim(store).await.pop().unwrap();
        assert_eq!(job.attempts, attempts);
        write!(store, |tx| jobs::put_back(tx, &job, Clock::Machine, AT, "Stripe is down", counts).await)
            .unwrap();
    }
    let poison = claim(store).await.pop().unwrap();
    assert_eq!(poison.attempts, 2, "only the one that counted");
    let id = poison.id.to_string();
    write!(store, |tx| jobs::park(tx, &poison, "cannot be read").await).unwrap();
    add(store, job(2, "a")).await;
    let other = claim(store).await.pop().unwrap();
    assert_eq!(other.key, "a", "what is parked holds up nothing of its key");
    finish(store, &other).await.unwrap();
    let dead = jobs::dead(&mut store.read().await.unwrap(), 9).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].last_error.as_deref(), Some("cannot be read"));
    let revived = id.clone();
    write!(store, |tx| jobs::revive(tx, &revived, AT).await).unwrap();
    assert!(is_conflict(&write!(store, |tx| jobs::revive(tx, &id, AT).await)), "it is no longer parked");
    let job = claim(store).await.pop().unwrap();
    assert_eq!(job.attempts, 1, "a fresh start");
}

#[tokio::test]
async fn dropping_queued_work_leaves_what_is_running_and_what_is_another_kind() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, job(1, "a")).await;
    let running = claim(store).await.pop().unwrap();
    add(store, job(2, "a")).await;
    add(store, NewJob { kind: "timer", ..job(3, "a") }).await;
    write!(store, |tx| jobs::drop_queued(tx, "event", &["a".to_owned()]).await).unwrap();
    let depth = jobs::depth(&mut store.read().await.unwrap(), AT, AT).await.unwrap();
    assert_eq!((depth.leased, depth.due, depth.dead), (1, 1, 0));
    finish(store, &running).await.unwrap();
    assert_eq!(claim(store).await.pop().unwrap().kind, "timer");
}

#[tokio::test]
async fn work_of_a_stopped_lane_is_held_and_goes_on_when_no_switch_stops_it() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let (own, other) = (format!("lane:{LANE}"), "acct_2/test".to_owned());
    add(store, job(1, "a")).await;
    add(store, NewJob { kind: "timer", clock: Clock::Business, due_at: AT + 9, ..job(2, "b") }).await;
    add(store, NewJob { kind: "execute", ..job(3, "c") }).await;
    add(store, NewJob { lane: other, ..job(4, "d") }).await;
    add(store, job(5, "e")).await;
    let scope = own.clone();
    write!(store, |tx| {
        modes::kill(tx, &scope, "drill", AT, "person:1").await?;
        modes::kill(tx, "all", "drill", AT, "person:1").await
    })
    .unwrap();
    let came = claim(store).await;
    assert_eq!(came.iter().map(|job| job.key.as_str()).collect::<Vec<_>>(), ["a", "c", "d", "e"]);
    let (events, others): (Vec<Job>, Vec<Job>) = came.into_iter().partition(|job| job.kind == "event");
    for job in events {
        write!(store, |tx| jobs::hold(tx, &job).await).unwrap();
    }
    finish(store, &others[0]).await.unwrap();
    let depth = jobs::depth(&mut store.read().await.unwrap(), AT, AT).await.unwrap();
    assert_eq!((depth.held, depth.due, depth.later, depth.leased), (3, 0, 1, 0));
    let release = async || write!(store, |tx| jobs::release_held(tx, 1).await).unwrap();
    let any = async || jobs::any_to_release(&mut store.read().await.unwrap()).await.unwrap();
    for (scope, released) in [("all".to_owned(), 1), (own, 2)] {
        assert_eq!((any().await, release().await), (false, 0), "before {scope} is reset");
        let reset = scope.clone();
        write!(store, |tx| modes::revive(tx, &reset).await).unwrap();
        for _ in 0..released {
            assert_eq!((any().await, release().await), (true, 1), "{scope}: one at a time");
        }
    }
    assert!(!any().await);
    let came = claim(store).await;
    assert_eq!(came.iter().map(|job| job.key.as_str()).collect::<Vec<_>>(), ["a", "d", "e"]);
    assert!(came.iter().all(|job| job.attempts == 1), "waiting was no attempt");
    let depth = jobs::depth(&mut store.read().await.unwrap(), AT, AT).await.unwrap();
    assert_eq!(depth.later, 1, "the timer is due when it was");
}

fn numbers(jobs: &[Job]) -> Vec<String> {
    let mut ids: Vec<String> = jobs.iter().map(|job| job.id.to_string()).collect();
    ids.sort();
    ids
}

fn ids(numbers_of: impl IntoIterator<Item = u8>) -> Vec<String> {
    numbers_of.into_iter().map(|number| job(number, "").id.to_string()).collect()
}

#[tokio::test]
async fn more_of_a_kind_is_taken_from_the_head_of_the_line_and_never_two_of_a_key() {
    let scene = Scene::new().await;
    let store = &scene.store;
    add(store, job(1, "held")).await;
    assert_eq!(numbers(&claim(store).await), ids([1]));
    for new in [
        job(2, "held"),
        job(3, "twice"),
        job(4, "twice"),
        NewJob { kind: "decide", ..job(5, "another kind") },
        NewJob { kind: "decide", ..job(6, "behind another kind") },
        NewJob { due_at: AT + 1, ..job(7, "behind another kind") },
        NewJob { due_at: AT + 1, ..job(8, "not due") },
        NewJob { clock: Clock::Business, ..job(9, "business time") },
        job(10, "free"),
        job(11, "beyond the head of the line"),
    ] {
        add(store, new).await;
    }
    let more = Claim { business_now: AT, machine_now: AT, since: None, lease_us: LEASE, limit: 6 };
    let taken = write!(store, |tx| jobs::claim_more(tx, more, "event").await).unwrap();
    assert_eq!(numbers(&taken), ids([3, 10]), "of the six at the head: those of the kind whose key is free");
    assert!(taken.iter().all(|job| (job.attempts, job.fence) == (1, 1)), "leased like any other");
    let again = write!(store, |tx| jobs::claim_more(tx, more, "event").await).unwrap();
    assert_eq!(
        numbers(&again),
        ids([11]),
        "what is leased no longer stands in line, nor does what waits for it"
    );
}

fn of(number: u8, lane: &str, due_at: i64) -> NewJob {
    NewJob { lane: lane.to_owned(), due_at, ..job(number, &format!("key {number}")) }
}

async fn waiting(store: &Store) -> Vec<(String, Clock, i64)> {
    let all = jobs::waiting(&mut store.read().await.unwrap(), AT, AT).await.unwrap();
    all.into_iter().map(|one| (one.lane, one.clock, one.due_at)).collect()
}

#[tokio::test]
async fn lanes_are_told_by_who_has_waited_longest_and_not_before_they_are_due() {
    let scene = Scene::new().await;
    let store = &scene.store;
    assert!(waiting(store).await.is_empty());
    for new in [
        of(1, "acct_1/test", AT - 1),
        of(2, "acct_1/test", AT - 9),
        of(3, "acct_2/live", AT - 5),
        of(4, "acct_2/test", AT + 1),
        NewJob { clock: Clock::Business, ..of(5, "acct_2/test", AT - 50) },
        NewJob { clock: Clock::Business, ..of(6, "acct_3/test", AT + 1) },
    ] {
        add(store, new).await;
    }
    let told = |lane: &str, clock, due_at| (lane.to_owned(), clock, due_at);
    let all = [
        told("acct_1/test", Clock::Machine, AT - 9),
        told("acct_2/live", Clock::Machine, AT - 5),
        told("acct_2/test", Clock::Business, AT - 50),
    ];
    assert_eq!(waiting(store).await, all);
    let claimed = claim_for(store, LEASE, 99).await;
    assert_eq!(numbers(&claimed), ids([1, 2, 3, 5]));
    assert!(waiting(store).await.is_empty(), "all that is due is in hand");
}

#[tokio::test]
async fn of_one_lane_whatever_is_due_of_others_before() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let (many, own) = ("acct_1/test", "acct_2/test");
    for number in 1..=50 {
        add(store, of(number, many, AT - 100)).await;
    }
    for new in [
        of(60, own, AT - 1),
        of(61, own, AT - 2),
        NewJob { key: "key 61".to_owned(), ..of(62, own, AT - 1) },
        of(63, own, AT),
        of(64, own, AT + 1),
        NewJob { clock: Clock::Business, ..of(65, own, AT - 9) },
    ] {
        add(store, new).await;
    }
    let of_lane = async |clock, limit| {
        let claim = Claim { business_now: AT, machine_now: AT, since: None, lease_us: LEASE, limit };
        let waiting = Waiting { lane: own.to_owned(), clock, due_at: AT };
        write!(store, |tx| jobs::claim_of(tx, claim, &waiting).await).unwrap()
    };
    let first = of_lane(Clock::Machine, 2).await;
    assert_eq!(first.iter().map(|job| job.key.as_str()).collect::<Vec<_>>(), ["key 61", "key 60"]);
    assert!(first.iter().all(|job| job.lane == own && (job.attempts, job.fence) == (1, 1)));
    assert_eq!(numbers(&of_lane(Clock::Machine, 9).await), ids([63]), "two of a key are not done at once");
    assert!(of_lane(Clock::Machine, 9).await.is_empty());
    assert_eq!(numbers(&of_lane(Clock::Business, 9).await), ids([65]));
    finish(store, first.first().unwrap()).await.unwrap();
    assert_eq!(numbers(&of_lane(Clock::Machine, 9).await), ids([62]), "the next of the key");
    assert!(of_lane(Clock::Machine, 0).await.is_empty());
    let depth = jobs::depth(&mut store.read().await.unwrap(), AT, AT).await.unwrap();
    assert_eq!((depth.due, depth.leased), (50, 4), "nothing of the other lane");
}

#[tokio::test]
async fn nothing_is_taken_of_lanes_that_are_passed_and_only_the_head_of_the_line_is_looked_at() {
    let scene = Scene::new().await;
    let store = &scene.store;
    let past = async |lanes: &[&str], limit| {
        let claim = Claim { business_now: AT, machine_now: AT, since: None, lease_us: LEASE, limit };
        let lanes: Vec<String> = lanes.iter().map(|lane| (*lane).to_owned()).collect();
        write!(store, |tx| jobs::claim_past(tx, claim, &lanes).await).unwrap()
    };
    for (number, lane) in [(1, "acct_1/test"), (2, "acct_2/test"), (3, "acct_3/test"), (4, "acct_3/test")] {
        add(store, of(number, lane, AT - 9)).await;
    }
    add(store, NewJob { clock: Clock::Business, ..of(5, "acct_3/test", AT - 99) }).await;
    let taken = past(&["acct_1/test", "acct_2/test"], 2).await;
    assert_eq!(numbers(&taken), ids([3, 4]));
    assert_eq!(numbers(&past(&["acct_1/test", "acct_2/test"], 2).await), ids([5]), "of either clock");
    assert_eq!(numbers(&past(&["acct_1/test"], 9).await), ids([2]));
    for number in 10..80 {
        add(store, of(number, "acct_1/test", AT - 1)).await;
    }
    add(store, of(90, "acct_4/test", AT)).await;
    assert!(past(&["acct_1/test"], 9).await.is_empty(), "beyond the head of the line");
    write!(store, |tx| jobs::release_all(tx).await).unwrap();
    let slept = claim_for(store, LAPSED, 1).await;
    assert_eq!(numbers(&slept), ids([1]));
    assert_eq!(past(&["acct_1/test"], 9).await.len(), 4, "what others gave back is there again");
    let depth = jobs::depth(&mut store.read().await.unwrap(), AT, AT).await.unwrap();
    assert_eq!((depth.leased, depth.due), (4, 72), "and so is what was leased until now");
}

#[tokio::test]
async fn many_are_finished_together_or_none_is() {
    let scene = Scene::new().await;
    let store = &scene.store;
    for number in 1..=100 {
        add(store, job(number, &format!("key {number}"))).await;
    }
    let sleeper = claim_for(store, LAPSED, 1).await.pop().unwrap();
    let held = claim_for(store, LEASE, 100).await;
    assert_eq!(held.len(), 100, "with the one that lapsed");
    let mut outdated: Vec<Job> = held.iter().filter(|job| job.id != sleeper.id).cloned().collect();
    // In the second of the statements that so many take.
    outdated.push(sleeper);
    let done = write!(store, |tx| jobs::finish_many(tx, &outdated.iter().collect::<Vec<_>>()).await);
    assert!(matches!(done, Err(Error::Fenced(_))), "{done:?}");
    let depth = jobs::depth(&mut store.read().await.unwrap(), AT, AT).await.unwrap();
    assert_eq!(depth.leased, 100, "all of them are still there");
    write!(store, |tx| jobs::finish_many(tx, &held.iter().collect::<Vec<_>>()).await).unwrap();
    let depth = jobs::depth(&mut store.read().await.unwrap(), AT, AT).await.unwrap();
    assert_eq!((depth.leased, depth.due), (0, 0));
    write!(store, |tx| jobs::finish_many(tx, &[]).await).unwrap();
}
