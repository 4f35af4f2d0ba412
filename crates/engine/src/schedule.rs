//! The workers: due jobs are claimed with a lease, each runs behind a panic boundary, and one that fails waits, or parks
//! itself for a person, without holding up any other.

mod places;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{self, Claim, Clock, Counts, Head, Job, Waiting};
use bursar_store::{Tx, modes, restores};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use self::places::{Hands, Lanes, Places};
use crate::blocked;
use crate::error::Fate;
use crate::start::{Engine, store_error};
use crate::{Error, Result};

/// Longer than the longest a job can take: one request to Stripe and the reads around it.
const LEASE: Duration = Duration::from_mins(4);
/// The kind of job that an accepted event leaves.
pub(crate) const EVENT: &str = "event";
/// The same, where Stripe must be asked what the event is about: never in one hand with others.
pub(crate) const THIN_EVENT: &str = "thin_event";
/// Events that are taken in one commit at most.
const EVENTS_TOGETHER: i64 = 64;
/// Of events that did not go together, so many are run at a time.
const ALONE_AT_A_TIME: usize = 4;
/// The part of a lease in which jobs that share it are begun; what then is left is enough for any that has begun.
const BEGIN_WITHIN: Duration = Duration::from_mins(2);
/// How soon a job is put back whose database was away.
const PUT_BACK_EVERY: Duration = Duration::from_millis(500);
/// How soon a timer of simulated time is noticed.
const TICK: Duration = Duration::from_millis(200);

/// Claims and runs until the engine stops.
pub(crate) async fn run(engine: Engine) {
    let slots = Arc::new(Semaphore::new(engine.inner.settings.workers.max(1)));
    let mut stopping = engine.stopping();
    let hands = Hands::default();
    let mut search = Search::default();
    // A claim failed, and may have been kept all the same.
    let mut unsure = false;
    while !engine.is_stopping() {
        if unsure {
            unsure = let_go(&engine, &hands).await.is_err();
        }
        // Counted from before the claim, so that no lease is shorter than it seems.
        let begin_until = Instant::now() + BEGIN_WITHIN;
        let claimed = match claim(&engine, (&slots, &hands), &mut search).await {
            Ok(jobs) => jobs,
            // Another node was quicker with one of them; the next claim finds what is left.
            Err(Error::Store(bursar_store::Error::Conflict(_))) => continue,
            Err(error) => {
                tracing::error!(%error, "no work could be claimed; trying again");
                unsure = true;
                Claimed::default()
            }
        };
        let found = claimed.jobs.len() + claimed.held;
        if found > 0 && engine.pass(FailPoint::ClaimKept).await.is_err() {
            // As if whoever holds them had forgotten: their leases run out.
            continue;
        }
        for jobs in shares(claimed.jobs) {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            let engine_ = engine.clone();
            let held = hands.take(&jobs);
            let work = async move {
                run_share(&engine_, jobs, begin_until).await;
                drop((held, slot));
                engine_.inner.work.notify_one();
            };
            engine.spawn(Box::pin(work)).await;
        }
        engine.reap().await;
        if found == 0 {
            tokio::select! {
                () = engine.inner.work.notified() => {}
                () = tokio::time::sleep(TICK) => {}
                _ = stopping.changed() => {}
            }
        }
    }
}

/// Puts back what was claimed for this node and reached nobody: the commit went through, its answer did not arrive. Left to
/// its lease, it would stand still for minutes.
async fn let_go(engine: &Engine, hands: &Hands) -> Result<()> {
    let in_hand = hands.jobs();
    let back =
        engine.inner.store.write(move |tx| async move { jobs::release_others(tx, &in_hand).await }.boxed());
    back.await.map_err(store_error)
}

/// What a claim brought.
#[derive(Default)]
struct Claimed {
    jobs: Vec<Job>,
    /// Jobs that were taken out of the line because their lane is stopped.
    held: usize,
}

/// Where work is looked for.
struct Search {
    head: Head,
    /// When lanes may be searched again for work behind a line that may take no place.
    not_before: Instant,
}

impl Default for Search {
    fn default() -> Self {
        Self { head: Head::default(), not_before: Instant::now() }
    }
}

/// Of the time, a search takes one part in so many, however many lanes there are.
const SEARCH_ONE_IN: u32 = 10;
/// Lanes that are tried in one claim.
const LANES_TOGETHER: usize = 64;

async fn claim(
    engine: &Engine,
    (slots, hands): (&Semaphore, &Hands),
    search: &mut Search,
) -> Result<Claimed> {
    let several = engine.inner.lanes.count() > 1;
    let lanes = if several { Lanes::Several } else { Lanes::One };
    let places = hands.places(slots.available_permits(), lanes);
    if !places.are_free() {
        return Ok(Claimed::default());
    }
    let (business_now, machine_now) =
        (engine.inner.clocks.business().micros(), engine.inner.clocks.machine().micros());
    let lease_us = i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX);
    let (since, limit) = (search.head.since(), in_rows(places.room_for_any()));
    let claim = Claim { business_now, machine_now, since, lease_us, limit };
    let mut db = engine.inner.store.read().await?;
    let due = jobs::any_due(&mut db, claim).await?;
    // What a restored copy holds as open may have been carried out: nothing ends or begins before that is known.
    let unknown = due && restores::is_unknown(&mut db).await?;
    drop(db);
    if !due || unknown {
        return Ok(Claimed::default());
    }
    let full = places.full();
    let is_behind = !full.is_empty();
    let claimed = claim_ahead(engine, claim, full, &mut search.head).await?;
    if claimed.jobs.is_empty() && claimed.held == 0 && is_behind && Instant::now() >= search.not_before {
        return claim_behind(engine, claim, places, search).await;
    }
    Ok(claimed)
}

fn in_rows(places: usize) -> i64 {
    i64::try_from(places).unwrap_or(i64::MAX)
}

/// From the head of the line, past lanes that are full.
async fn claim_ahead(engine: &Engine, claim: Claim, full: Vec<String>, head: &mut Head) -> Result<Claimed> {
    let claimed = engine.inner.store.write(move |tx| {
        async move {
            let began = Instant::now();
            let claimed = if full.is_empty() {
                claim_any(tx, claim).await?
            } else {
                jobs::claim_past(tx, claim, &full).await?
            };
            let took = began.elapsed();
            tx.pass(FailPoint::JobsClaimed).await?;
            hold_stopped(tx, claimed).await.map(|claimed| (claimed, took))
        }
        .boxed()
    });
    let (claimed, took) = claimed.await.map_err(store_error)?;
    head.looked(claim.since, claim.machine_now, took, &claimed.jobs);
    Ok(claimed)
}

async fn claim_any(tx: &mut Tx, claim: Claim) -> bursar_store::Result<Vec<Job>> {
    let mut claimed = jobs::claim(tx, claim).await?;
    // A line of nothing but events: they share a slot and a commit, so more of them are welcome.
    let whole = i64::try_from(claimed.len()) == Ok(claim.limit);
    if whole && claimed.iter().all(|job| job.kind == EVENT) {
        let more = Claim { limit: room_for_more(claim.limit), ..claim };
        claimed.extend(jobs::claim_more(tx, more, EVENT).await?);
    }
    Ok(claimed)
}

/// Nothing but lanes that are full at the head of the line: what waits behind is looked for lane by lane.
async fn claim_behind(
    engine: &Engine,
    claim: Claim,
    mut places: Places,
    search: &mut Search,
) -> Result<Claimed> {
    let began = Instant::now();
    let mut db = engine.inner.store.read().await?;
    let waiting = jobs::waiting(&mut db, claim.business_now, claim.machine_now).await?;
    drop(db);
    search.not_before = Instant::now() + began.elapsed() * SEARCH_ONE_IN;
    let may = waiting.into_iter().filter(|waiting| places.room(&waiting.lane) > 0);
    let tried: Vec<Waiting> = may.take(LANES_TOGETHER).collect();
    if tried.is_empty() {
        return Ok(Claimed::default());
    }
    engine
        .inner
        .store
        .write(move |tx| {
            async move {
                let mut claimed = Vec::new();
                for waiting in &tried {
                    let limit = in_rows(places.room(&waiting.lane));
                    let of_lane = jobs::claim_of(tx, Claim { limit, ..claim }, waiting).await?;
                    places.give(&waiting.lane, of_lane.len());
                    claimed.extend(of_lane);
                }
                tx.pass(FailPoint::JobsClaimed).await?;
                hold_stopped(tx, claimed).await
            }
            .boxed()
        })
        .await
        .map_err(store_error)
}

/// How many events fit beside so many; never fewer than none, which a database may read as any number.
fn room_for_more(claimed: i64) -> i64 {
    (EVENTS_TOGETHER - claimed).max(0)
}

/// What a kill switch stops goes out of the line in the commit of the claim: no worker sees it, and whoever resets the
/// switch finds it, since that waits for this commit.
async fn hold_stopped(tx: &mut Tx, claimed: Vec<Job>) -> bursar_store::Result<Claimed> {
    let killed = modes::killed_until_then(tx).await?;
    let stopped = |job: &Job| jobs::waits_for_its_lane(&job.kind) && modes::stops(&killed, &job.lane);
    let (held, jobs): (Vec<Job>, Vec<Job>) = claimed.into_iter().partition(stopped);
    for job in &held {
        jobs::hold(tx, job).await?;
    }
    Ok(Claimed { jobs, held: held.len() })
}

/// What each slot gets: the events of a claim together, everything else by itself.
fn shares(claimed: Vec<Job>) -> Vec<Vec<Job>> {
    let (events, others): (Vec<Job>, Vec<Job>) = claimed.into_iter().partition(|job| job.kind == EVENT);
    let mut shares: Vec<Vec<Job>> = others.into_iter().map(|job| vec![job]).collect();
    if !events.is_empty() {
        shares.push(events);
    }
    shares
}

async fn run_share(engine: &Engine, jobs: Vec<Job>, begin_until: Instant) {
    for job in &jobs {
        count_wait(engine, job);
    }
    let alone = if jobs.len() > 1 { run_together(engine, jobs).await } else { jobs };
    let each = alone.iter().map(|job| async move {
        if Instant::now() < begin_until {
            run_one(engine, job).instrument(span_of(job)).await;
        } else {
            hand_back(engine, job).await;
        }
    });
    stream::iter(each).for_each_concurrent(ALONE_AT_A_TIME, |one| one).await;
}

/// Leaves a job to be claimed anew, as if it had not been: most of its lease went to others.
async fn hand_back(engine: &Engine, job: &Job) {
    let job_ = job.clone();
    let back = engine.inner.store.write(move |tx| {
        async move {
            jobs::put_back(tx, &job_, job_.clock, job_.due_at, "others took its time", Counts::No).await
        }
        .boxed()
    });
    if let Err(error) = back.await.map_err(store_error) {
        tracing::warn!(job = %job.id, %error, "a job waits for its lease to run out");
    }
    engine.inner.work.notify_one();
}

/// Gives back those that want to be run one by one.
async fn run_together(engine: &Engine, jobs: Vec<Job>) -> Vec<Job> {
    let span =
        tracing::info_span!("jobs", otel.name = "jobs event", otel.kind = "consumer", count = jobs.len());
    let taken = AssertUnwindSafe(engine.take_events(jobs.clone())).catch_unwind().instrument(span).await;
    taken.unwrap_or(jobs)
}

/// A job as traces show it.
fn span_of(job: &Job) -> Span {
    tracing::info_span!(
        "job",
        otel.name = format!("job {}", job.kind),
        otel.kind = "consumer",
        otel.status_code = Empty,
        kind = job.kind,
        lane = job.lane,
        attempts = job.attempts,
    )
}

async fn run_one(engine: &Engine, job: &Job) {
    let done = AssertUnwindSafe(perform(engine, job)).catch_unwind().await;
    let result = done.unwrap_or_else(|_| Err(Error::Broken("the job panicked".to_owned())));
    if result.is_err() {
        Span::current().record("otel.status_code", "ERROR");
    }
    if let Err(error) = result {
        put_back(engine, job, &error).await;
    }
}

/// A database that was away for a moment took what the job was about to say with it. It is said again until somebody
/// hears it: left to its lease, the job would stand still for minutes after the database is back.
async fn put_back(engine: &Engine, job: &Job, error: &Error) {
    use bursar_store::Error::{Busy, Database, Full};
    let until = Instant::now() + LEASE;
    while let Err(worse) = settle(engine, job, error).await {
        // Also what has no name of its own: whoever shares a transaction that ended on a full disk misses its savepoint.
        let passes = matches!(worse, Error::Store(Busy(_) | Full(_) | Database(_)));
        if !passes || engine.is_stopping() || Instant::now() >= until {
            // The lease runs out, or ran out, and the job comes back.
            tracing::error!(job = %job.id, %error, %worse, "a failed job could not be put back");
            return;
        }
        tokio::time::sleep(PUT_BACK_EVERY).await;
    }
}

/// From when the job was due to now, each on the job's own clock.
fn count_wait(engine: &Engine, job: &Job) {
    let now = match job.clock {
        Clock::Business => engine.inner.clocks.business().micros(),
        Clock::Machine => engine.inner.clocks.machine().micros(),
    };
    let waited = Duration::from_micros(u64::try_from(now.saturating_sub(job.due_at)).unwrap_or(0));
    metrics::histogram!("bursar_queue_latency_seconds", "kind" => job.kind.clone()).record(waited);
}

async fn perform(engine: &Engine, job: &Job) -> Result<()> {
    engine.pass(FailPoint::JobBegun).await?;
    match job.kind.as_str() {
        EVENT | THIN_EVENT => engine.take_event(job).await,
        "decide" | "timer" => engine.decide(job).await,
        "execute" => engine.execute(job).await,
        "expire" => engine.expire(job).await,
        other => Err(Error::Broken(format!("nobody knows how to do a `{other}` job"))),
    }
}

async fn settle(engine: &Engine, job: &Job, error: &Error) -> Result<()> {
    engine.pass(FailPoint::JobFailed).await?;
    let why = error.for_keeping();
    let now = engine.inner.clocks.machine().micros();
    let (job, fate) = (job.clone(), error.fate(job.attempts));
    let (keyring, business) = (engine.inner.store.keyring().clone(), engine.inner.clocks.business());
    tracing::warn!(job = %job.id, kind = %job.kind, lane = %job.lane, attempts = job.attempts, ?fate, %why, "a job did not finish");
    if fate == Fate::Park {
        metrics::counter!("bursar_dead_letters_total", "kind" => job.kind.clone()).increment(1);
    }
    engine
        .inner
        .store
        .write(move |tx| {
            async move {
                let settled = match fate {
                    Fate::Leave => Ok(()),
                    Fate::Park => {
                        jobs::park(tx, &job, &why).await?;
                        blocked::give_up(tx, &keyring, &job, &why, (business, now)).await
                    }
                    Fate::Wait { after, counts } => {
                        let after = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
                        let counts = if counts { Counts::Yes } else { Counts::No };
                        if counts == Counts::No {
                            blocked::note(tx, &keyring, &job, &why, (business, now)).await?;
                        }
                        jobs::put_back(tx, &job, Clock::Machine, now.saturating_add(after), &why, counts)
                            .await
                    }
                };
                settled?;
                tx.pass(FailPoint::JobPutBack).await
            }
            .boxed()
        })
        .await
        .map_err(store_error)
}

#[cfg(test)]
mod tests;
