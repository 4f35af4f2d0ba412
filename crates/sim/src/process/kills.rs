//! Killed at random instants while events arrive and refunds are made, started again, over and over.

use std::time::Duration;

use bursar_store::Database;
use serde_json::json;
use tokio::time::sleep;

use super::draw::Draw;
use super::site::{Site, Wish};
use super::{block_on, databases, name};
use crate::checker::Breach;
use crate::goals::{Effort, Run};
use crate::report::Row;

/// Kills before an installation is left for a new one: what is checked grows with it.
const KILLS_A_SITE: u64 = 25;
/// After so many kills everything comes to rest, and all invariants are asked.
const REST_EVERY: u64 = 5;
const SENDERS: u64 = 6;
/// Between being ready and being killed.
const LIFE_MS: std::ops::Range<u64> = 40..900;
/// What was under way must have come to its end by then.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    let kills = run.times.unwrap_or(if run.effort == Effort::Quick { 15 } else { 1_000 });
    databases(run).into_iter().map(|database| block_on(on(run, database, kills))).collect()
}

/// What was seen besides failures.
#[derive(Default)]
struct Seen {
    kills: u64,
    failures: u64,
    ready: Vec<Duration>,
    rested: Vec<Duration>,
    events: usize,
    requests: usize,
    effects: usize,
}

async fn on(run: &Run, database: Database, kills: u64) -> anyhow::Result<Row> {
    let mut seen = Seen::default();
    let mut number = 0;
    while seen.kills < kills {
        let wish = Wish::new(run, database, number);
        let site = Site::start(&wish).await?;
        let cycles = KILLS_A_SITE.min(kills - seen.kills);
        live(run, site, (number, cycles), &mut seen).await?;
        number += 1;
        seen.tell(database);
    }
    Ok(Row::new("G1", name(database), seen.kills, seen.failures))
}

/// One installation's life, up to its first failure.
async fn live(
    run: &Run,
    mut site: Site,
    (number, cycles): (u64, u64),
    seen: &mut Seen,
) -> anyhow::Result<()> {
    let mut draw = Draw::new(run.seed, "kills", number);
    let load = site.load(SENDERS, run.seed ^ number);
    let mut found = Vec::new();
    for cycle in 1..=cycles {
        die_once(&mut site, &mut draw, seen).await?;
        found.extend(site.at_once(&load).await?);
        if cycle % REST_EVERY == 0 || cycle == cycles {
            let (more, took) = site.at_rest(&load, PATIENCE).await?;
            found.extend(more);
            seen.rested.push(took);
            load.go_on();
        }
        seen.kills += 1;
        if !found.is_empty() {
            break;
        }
    }
    let heard = load.end().await;
    seen.events += heard.acknowledged.len();
    seen.requests += heard.answered.len();
    seen.effects += site.stripe.ledger().iter().filter(|entry| entry["kind"] == "refund.create").count();
    if found.is_empty() {
        return site.close().await;
    }
    seen.failures += 1;
    complain(&found, site);
    Ok(())
}

/// A life that ends in the middle of whatever it is doing, and the next one begun.
async fn die_once(site: &mut Site, draw: &mut Draw, seen: &mut Seen) -> anyhow::Result<()> {
    const REFUND: &str = "POST /v1/refunds";
    let fault = match draw.below(6) {
        0 => Some(json!({"route": REFUND, "kind": "timeout_after", "times": 2})),
        1 => Some(json!({"route": REFUND, "kind": "timeout_before", "times": 2})),
        2 => Some(json!({"route": REFUND, "kind": "drop", "times": 2})),
        3 => Some(json!({"route": REFUND, "kind": "status", "status": 503, "times": 2})),
        _ => None,
    };
    let fault = fault.map(|fault| site.arm(fault)).transpose()?;
    sleep(Duration::from_millis(draw.within(LIFE_MS))).await;
    // Now and then somebody is waiting for Stripe when the end comes.
    let hang = match draw.below(4) {
        0 => Some(site.arm(json!({"route": REFUND, "kind": "hang", "times": 3}))?),
        _ => None,
    };
    if hang.is_some() {
        sleep(Duration::from_millis(draw.within(5..60))).await;
    }
    site.kill(0).await?;
    for armed in fault.iter().chain(&hang) {
        site.stripe.disarm_fault(armed);
    }
    seen.ready.push(site.start_node(0).await?);
    Ok(())
}

/// Says what is wrong, and where it can be looked at.
pub(super) fn complain(found: &[Breach], site: Site) {
    for breach in found.iter().take(10) {
        eprintln!("  BROKEN {breach}");
    }
    eprintln!("  {} in all; kept in {}", found.len(), site.keep().display());
}

impl Seen {
    fn tell(&mut self, database: Database) {
        self.ready.sort_unstable();
        self.rested.sort_unstable();
        eprintln!(
            "  {} kills on {}: {} failures, {} events acknowledged, {} requests answered, {} refunds; ready again p50 {:?} p99 {:?} max {:?}; at rest p50 {:?} max {:?}",
            self.kills,
            name(database),
            self.failures,
            self.events,
            self.requests,
            self.effects,
            percentile(&self.ready, 50),
            percentile(&self.ready, 99),
            percentile(&self.ready, 100),
            percentile(&self.rested, 50),
            percentile(&self.rested, 100),
        );
    }
}

/// Of values in order, the one that so many of a hundred do not exceed.
pub(super) fn percentile(ordered: &[Duration], share: usize) -> Duration {
    let place = (ordered.len() * share).div_ceil(100).saturating_sub(1);
    let found = ordered.get(place).copied().unwrap_or_default();
    Duration::from_millis(u64::try_from(found.as_millis()).unwrap_or(u64::MAX))
}
