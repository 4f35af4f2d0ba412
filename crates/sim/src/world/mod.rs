//! What is proved inside one process, where every clock and every answer is in our hands: planted bugs, answers of every
//! kind, old keys, clocks that jump, and budgets that many want at once.

mod acts;
mod bugs;
mod caps;
mod chance;
mod clocks;
mod day;
mod disorder;
mod faults;
mod histories;
mod keys;
mod lives;
mod look;
mod matrix;
mod points;
mod spec;
mod stand;
mod wire;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bursar_store::Database;
use bursar_store::planted::{Bug, plant};
use tokio::time::Instant;

use self::chance::Chance;
use self::spec::Where;
use crate::checker::Breach;
use crate::goals::{Effort, Run};
use crate::report::Row;

/// Worlds at a time.
const AT_A_TIME: usize = 2;
/// A world that takes longer hangs, which is a failure like another.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one trial came to: nothing, where all is well.
type Found = anyhow::Result<Vec<Breach>>;

/// Runs trials, two at a time, each in a runtime and a thread of its own. The answers stand in the order of what was asked;
/// there are fewer where the time is over before all have begun.
fn try_all<T, F>(trials: &[T], within: Option<Duration>, each: impl Fn(&T) -> F + Sync) -> Vec<Found>
where
    T: Sync,
    F: Future<Output = Found>,
{
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    let done = Mutex::new(Vec::with_capacity(trials.len()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    if within.is_some_and(|within| began.elapsed() > within) {
                        return;
                    }
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(trial) = trials.get(at) else { return };
                    let found = alone(each(trial));
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, found));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, found)| found).collect()
}

/// One trial to its end.
fn alone(trial: impl Future<Output = Found>) -> Found {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(async { tokio::time::timeout(PATIENCE, trial).await });
    runtime.shutdown_background();
    found.context("it does not come to an end")?
}

/// The databases that can be tried here.
fn databases(run: &Run) -> Vec<Database> {
    let postgres = run.postgres.is_some().then_some(Database::Postgres);
    std::iter::once(Database::Sqlite).chain(postgres).collect()
}

fn name(database: Database) -> &'static str {
    match database {
        Database::Sqlite => "sqlite",
        Database::Postgres => "postgres",
    }
}

/// Counts what failed and says each time why, and how to have it again.
#[expect(clippy::print_stderr, reason = "whoever waits wants to know what failed")]
fn counted<T: std::fmt::Debug>(goal: &'static str, database: Database, trials: &[T], found: &[Found]) -> Row {
    let mut failures = 0;
    for (trial, found) in trials.iter().zip(found) {
        let why = match found {
            Ok(breaches) if breaches.is_empty() => continue,
            Ok(breaches) => breaches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Err(error) => format!("{error:#}"),
        };
        failures += 1;
        eprintln!("  {goal} on {}: {trial:?}: {why}", name(database));
    }
    Row::new(goal, name(database), u64::try_from(found.len()).unwrap_or(u64::MAX), failures)
}

/// Seeds of a bug's story that are tried before it counts as not found.
const SEEDS_OF_A_BUG: u64 = 3;

/// Every planted bug is found; and where it is not planted, nothing is.
#[expect(clippy::print_stderr, reason = "what found which bug is what people want to read")]
pub(crate) fn planted(run: &Run) -> anyhow::Result<Vec<Row>> {
    anyhow::ensure!(plant(None), "this build can hold no bugs: `cargo xtask prove` makes one that can");
    ready();
    let mut rows = Vec::new();
    for database in databases(run) {
        let bugs = Bug::ALL;
        let without = try_all(&bugs, None, |bug| bugs::told(*bug, None, (database, run.seed)));
        rows.push(counted("G3-stories", database, &bugs, &without));
        let found = try_all(&bugs, None, |bug| {
            let bug = *bug;
            async move {
                for seed in run.seed..run.seed + SEEDS_OF_A_BUG {
                    let found = bugs::told(bug, Some(bug), (database, seed)).await;
                    let by = match &found {
                        Ok(breaches) if breaches.is_empty() => continue,
                        Ok(breaches) => breaches[0].to_string(),
                        // What makes the story impossible to tell has been noticed too, by whoever tells it.
                        Err(error) => format!("the story itself: {error:#}"),
                    };
                    eprintln!("  {bug:?} on {}: seed {seed}: {by}", name(database));
                    return Ok(Vec::new());
                }
                let what = format!("{bug:?} was planted and nothing was found");
                Ok(vec![Breach { invariant: "G3", what }])
            }
        });
        rows.push(counted("G3-bugs", database, &bugs, &found));
    }
    Ok(rows)
}

fn ready() {
    // Whoever was first has installed the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn quick_or_full(run: &Run, quick: u64, full: u64) -> u64 {
    if run.effort == Effort::Quick { quick } else { full }
}

/// Runs the same trial for each database.
fn on_each<T: Sync + std::fmt::Debug, F: Future<Output = Found>>(
    run: &Run,
    goal: &'static str,
    trials: impl Fn(Database) -> Vec<T>,
    each: impl Fn(&T) -> F + Sync,
) -> Vec<Row> {
    on_each_within(run, (goal, None), trials, each)
}

/// The same, as many as are begun within a time. Where only some were asked for, those.
fn on_each_within<T: Sync + std::fmt::Debug, F: Future<Output = Found>>(
    run: &Run,
    (goal, within): (&'static str, Option<Duration>),
    trials: impl Fn(Database) -> Vec<T>,
    each: impl Fn(&T) -> F + Sync,
) -> Vec<Row> {
    ready();
    let mut rows = Vec::new();
    for database in databases(run) {
        let mut trials = trials(database);
        trials.retain(|trial| run.only.iter().all(|only| format!("{trial:?}").contains(only)));
        rows.push(counted(goal, database, &trials, &try_all(&trials, within, &each)));
    }
    rows
}

fn at(run: &Run, database: Database) -> Where {
    Where { database, seed: run.seed, bug: run.bug }
}

/// Time for a sample on one database; all of it, or so many as were said, take as long as they take.
fn sample(run: &Run, seconds: u64) -> Option<Duration> {
    (run.effort == Effort::Quick && run.times.is_none()).then(|| Duration::from_secs(seconds))
}

/// Every answer to everything that can be done, in an order of the seed's.
#[expect(clippy::unnecessary_wraps, reason = "as every goal")]
pub(crate) fn matrix(run: &Run) -> anyhow::Result<Vec<Row>> {
    let trials = |database| Chance::of(run.seed).shuffled(matrix::cells(at(run, database)));
    Ok(on_each_within(run, ("G4", sample(run, 20)), trials, |cell| {
        let cell = *cell;
        async move { matrix::tried(&cell).await }
    }))
}

/// Each named place: who comes by dies, gets an error or stands still; and two deaths in any order.
#[expect(clippy::unnecessary_wraps, reason = "as every goal")]
pub(crate) fn points(run: &Run) -> anyhow::Result<Vec<Row>> {
    let trials = |database| {
        let singles = points::singles(at(run, database));
        if run.effort == Effort::Quick {
            return Chance::of(run.seed).shuffled(singles);
        }
        singles.into_iter().chain(points::pairs(at(run, database))).collect()
    };
    Ok(on_each_within(run, ("G2", sample(run, 35)), trials, |trial| {
        let trial = *trial;
        async move { points::harmed(&trial).await }
    }))
}

/// Random lives: each is a seed.
#[expect(clippy::unnecessary_wraps, reason = "as every goal")]
pub(crate) fn lives(run: &Run) -> anyhow::Result<Vec<Row>> {
    let times = run.times.unwrap_or(20_000);
    let trials = |database| {
        let each = |seed| lives::Trial { at: Where { seed, ..at(run, database) } };
        (run.seed..run.seed + times).map(each).collect()
    };
    Ok(on_each_within(run, ("G3", sample(run, 25)), trials, |trial| {
        let trial = *trial;
        async move { lives::lived(&trial).await }
    }))
}

/// Events in any order: each trial tells [`histories::HISTORIES`] histories.
#[expect(clippy::unnecessary_wraps, reason = "as every goal")]
pub(crate) fn disorder(run: &Run) -> anyhow::Result<Vec<Row>> {
    let each = u64::try_from(histories::HISTORIES).unwrap_or(1);
    let times = run.times.unwrap_or(50_000).div_ceil(each);
    let trials = |database| {
        let each = |seed| disorder::Trial { at: Where { seed, ..at(run, database) } };
        (run.seed..run.seed + times).map(each).collect()
    };
    let rows = on_each_within(run, ("G6", sample(run, 15)), trials, |trial| {
        let trial = *trial;
        async move { disorder::compared(&trial).await }
    });
    Ok(rows.into_iter().map(|row| Row::new(row.goal, row.database, row.n * each, row.failures)).collect())
}

/// Keys that Stripe has forgotten: each trial holds [`keys::ACTIONS`] actions.
#[expect(clippy::unnecessary_wraps, reason = "as every goal")]
pub(crate) fn old_keys(run: &Run) -> anyhow::Result<Vec<Row>> {
    let trials = |database| {
        let seeds = run.seed..run.seed + quick_or_full(run, 1, 40);
        let each = move |seed| keys::OUTAGES_MIN.map(|minutes| keys::Outage { database, seed, minutes });
        seeds.flat_map(each).collect()
    };
    let rows = on_each(run, "G5", trials, |outage| {
        let outage = *outage;
        async move { keys::sat_out(&outage).await }
    });
    let actions = u64::try_from(keys::ACTIONS).unwrap_or(1);
    Ok(rows.into_iter().map(|row| Row::new(row.goal, row.database, row.n * actions, row.failures)).collect())
}

/// Clocks that jump.
#[expect(clippy::unnecessary_wraps, reason = "as every goal")]
pub(crate) fn clocks(run: &Run) -> anyhow::Result<Vec<Row>> {
    let trials = |database| {
        let each = |jump: &clocks::Jump| clocks::Trial { database, seed: run.seed, jump: *jump };
        clocks::JUMPS.iter().map(each).collect()
    };
    Ok(on_each(run, "G10", trials, |trial| {
        let trial = *trial;
        async move { clocks::jumped(&trial).await }
    }))
}

/// Budgets that many want at once.
#[expect(clippy::unnecessary_wraps, reason = "as every goal")]
pub(crate) fn caps(run: &Run) -> anyhow::Result<Vec<Row>> {
    let trials = |database| {
        let refunds = if run.effort == Effort::Quick { 60 } else { 600 };
        let seeds = run.seed..run.seed + quick_or_full(run, 2, 20);
        seeds.map(|seed| caps::Rush { database, seed, refunds }).collect()
    };
    Ok(on_each(run, "G18", trials, |rush| {
        let rush = *rush;
        async move { caps::rushed(&rush).await }
    }))
}
