//! One of two nodes is frozen until the other has taken over its work, and thaws: whatever it still does is refused.

use std::time::Duration;

use bursar_store::Database;
use tokio::time::sleep;

use super::block_on;
use super::draw::Draw;
use super::kills::complain;
use super::site::{Site, Wish};
use crate::goals::{Effort, Run};
use crate::report::Row;

const SENDERS: u64 = 6;
/// Past the silence after which a node is taken for dead, which is eight seconds.
const FROZEN_MS: std::ops::Range<u64> = 9_500..11_500;
const PATIENCE: Duration = Duration::from_secs(40);
const FROZEN_A_SITE: u64 = 10;
/// What a node says whose fence token is outdated.
const REFUSED: &str = "was lost";

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    if run.postgres.is_none() {
        return Ok(Vec::new());
    }
    let times = run.times.unwrap_or(if run.effort == Effort::Quick { 2 } else { 100 });
    Ok(vec![block_on(all(run, times))?])
}

async fn all(run: &Run, times: u64) -> anyhow::Result<Row> {
    let (mut done, mut failures, mut number) = (0, 0, 0);
    while done < times {
        let mut wish = Wish::new(run, Database::Postgres, 3_000 + number);
        wish.nodes = 2;
        let turns = (times - done).min(FROZEN_A_SITE);
        let site = Site::start(&wish).await?;
        failures += u64::from(!live(site, &mut Draw::new(run.seed, "zombies", number), turns).await?);
        done += turns;
        number += 1;
    }
    Ok(Row::new("G7", "postgres", done, failures))
}

async fn live(site: Site, draw: &mut Draw, turns: u64) -> anyhow::Result<bool> {
    let load = site.load(SENDERS, draw.below(u64::MAX));
    let mut found = Vec::new();
    for turn in 0..turns {
        let frozen = usize::try_from(turn % 2)?;
        sleep(Duration::from_millis(draw.within(300..1_200))).await;
        site.program(frozen)?.signal("STOP").await?;
        sleep(Duration::from_millis(draw.within(FROZEN_MS))).await;
        site.program(frozen)?.signal("CONT").await?;
        sleep(Duration::from_millis(draw.within(300..1_000))).await;
        found.extend(site.at_rest(&load, PATIENCE).await?.0);
        load.go_on();
    }
    load.end().await;
    let refused: usize = (0..2).map(|node| site.log(node).matches(REFUSED).count()).sum();
    eprintln!("  frozen {turns} times, {refused} late writes refused");
    if found.is_empty() {
        site.close().await?;
        return Ok(true);
    }
    complain(&found, site);
    Ok(false)
}
