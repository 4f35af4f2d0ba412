//! Three nodes on one `PostgreSQL`: any two are lost at once, in turn, under load, and come back.

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
/// Who is lost together.
const PAIRS: [[usize; 2]; 3] = [[0, 1], [1, 2], [2, 0]];
/// Others take up a dead node's work within ten seconds.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    if run.postgres.is_none() {
        return Ok(Vec::new());
    }
    let times = run.times.unwrap_or(if run.effort == Effort::Quick { 3 } else { 100 });
    Ok(vec![block_on(all(run, times))?])
}

async fn all(run: &Run, times: u64) -> anyhow::Result<Row> {
    let (mut done, mut failures, mut number) = (0, 0, 0);
    while done < times {
        let mut wish = Wish::new(run, Database::Postgres, 1_000 + number);
        wish.nodes = 3;
        let turns = (times - done).min(PAIRS.len() as u64);
        failures += u64::from(
            !live(Site::start(&wish).await?, &mut Draw::new(run.seed, "survivors", number), turns).await?,
        );
        done += turns;
        number += 1;
    }
    Ok(Row::new("NODES", "postgres", done, failures))
}

/// Each pair once; whether all was well.
async fn live(mut site: Site, draw: &mut Draw, turns: u64) -> anyhow::Result<bool> {
    let load = site.load(SENDERS, draw.below(u64::MAX));
    let mut found = Vec::new();
    for pair in PAIRS.iter().cycle().take(usize::try_from(turns)?) {
        sleep(Duration::from_millis(draw.within(300..1_500))).await;
        site.kill(pair[0]).await?;
        sleep(Duration::from_millis(draw.within(0..400))).await;
        site.kill(pair[1]).await?;
        found.extend(site.at_once(&load).await?);
        // The one that is left goes on alone, with what the dead left behind.
        sleep(Duration::from_millis(draw.within(200..1_000))).await;
        let (more, took) = site.at_rest(&load, PATIENCE).await?;
        eprintln!("  nodes {pair:?} lost: at rest after {} ms", took.as_millis());
        found.extend(more);
        site.start_node(pair[0]).await?;
        site.start_node(pair[1]).await?;
        load.go_on();
    }
    load.end().await;
    if found.is_empty() {
        site.close().await?;
        return Ok(true);
    }
    complain(&found, site);
    Ok(false)
}
