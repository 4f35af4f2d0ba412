//! Told to end under load: it ends soon, loses nothing and holds nothing back; told twice, it ends at once and loses
//! nothing either.

use std::time::Duration;

use bursar_store::{Database, jobs, nodes};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::draw::Draw;
use super::kills::complain;
use super::site::{Site, Wish, now};
use super::{block_on, databases, name};
use crate::checker::Breach;
use crate::goals::{Effort, Run};
use crate::report::Row;

const SENDERS: u64 = 4;
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// A process that is told twice has nothing left to wait for; a busy machine takes a moment to see it go.
const AT_ONCE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);
const TOLD_A_SITE: u64 = 20;

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    let times = run.times.unwrap_or(if run.effort == Effort::Quick { 6 } else { 200 });
    databases(run).into_iter().map(|database| block_on(on(run, database, times))).collect()
}

async fn on(run: &Run, database: Database, times: u64) -> anyhow::Result<Row> {
    let (mut done, mut failures, mut number) = (0, 0, 0);
    while done < times {
        let site = Site::start(&Wish::new(run, database, 2_000 + number)).await?;
        let turns = (times - done).min(TOLD_A_SITE);
        let well = live(site, &mut Draw::new(run.seed, "shutdown", number), turns).await?;
        failures += u64::from(!well);
        done += turns;
        number += 1;
    }
    Ok(Row::new("G27", name(database), done, failures))
}

async fn live(mut site: Site, draw: &mut Draw, turns: u64) -> anyhow::Result<bool> {
    let load = site.load(SENDERS, draw.below(u64::MAX));
    let mut found = Vec::new();
    let mut longest = Duration::ZERO;
    for turn in 0..turns {
        sleep(Duration::from_millis(draw.within(100..800))).await;
        // Every third time Stripe is silent, so that there is something to wait for, and it is told twice.
        let twice = turn % 3 == 2;
        let silence = if twice { Some(silence(&site).await?) } else { None };
        let took = tell(&mut site, twice, draw, &mut found).await?;
        longest = longest.max(took);
        if let Some(armed) = silence {
            site.stripe.disarm_fault(&armed);
        }
        if !twice {
            found.extend(held_back(&site).await?);
        }
        found.extend(site.at_once(&load).await?);
        site.start_node(0).await?;
    }
    found.extend(site.at_rest(&load, PATIENCE).await?.0);
    load.end().await;
    eprintln!("  told {turns} times to end, the longest end took {} ms", longest.as_millis());
    if found.is_empty() {
        site.close().await?;
        return Ok(true);
    }
    complain(&found, site);
    Ok(false)
}

/// Refunds are asked for and not answered from now on.
async fn silence(site: &Site) -> anyhow::Result<String> {
    let armed = site.arm(json!({"route": "POST /v1/refunds", "kind": "hang", "times": 100}))?;
    sleep(Duration::from_millis(200)).await;
    Ok(armed)
}

/// Tells it to end, once or twice, and says how long the last word took to be followed.
async fn tell(
    site: &mut Site,
    twice: bool,
    draw: &mut Draw,
    found: &mut Vec<Breach>,
) -> anyhow::Result<Duration> {
    let mut program = site.take(0)?;
    let mut told = Instant::now();
    program.signal("TERM").await?;
    if twice {
        sleep(Duration::from_millis(draw.within(20..300))).await;
        told = Instant::now();
        // It may have ended meanwhile.
        if program.id().is_ok() {
            program.signal("TERM").await?;
        }
    }
    let status = program.ended().await?;
    let (took, limit) = (told.elapsed(), if twice { AT_ONCE } else { ENDS_WITHIN });
    if took > limit {
        let what = format!("told {} to end, it took {took:?}", if twice { "twice" } else { "once" });
        found.push(Breach { invariant: "G27", what });
    }
    if !twice && !status.success() {
        found.push(Breach { invariant: "G27", what: format!("told to end, it ended with {status}") });
    }
    Ok(took)
}

/// What a process that ended in order must not leave.
async fn held_back(site: &Site) -> anyhow::Result<Vec<Breach>> {
    let store = site.look().await?;
    let mut db = store.read().await?;
    let now = now();
    let leased = jobs::depth(&mut db, now.0.micros(), now.1.micros()).await?.leased;
    let left = nodes::all(&mut db).await?.len();
    let mut found = Vec::new();
    if leased > 0 {
        found.push(Breach { invariant: "G27", what: format!("it ended with {leased} jobs in its hands") });
    }
    if left > 0 {
        found.push(Breach { invariant: "G27", what: "it ended, and still counts as a node".to_owned() });
    }
    Ok(found)
}
