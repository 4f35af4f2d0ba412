//! The way to `PostgreSQL` fails in every way a network can, and the server itself is stopped on the spot: nothing is lost,
//! nothing happens twice, and soon after it is over there is service again.

use std::time::Duration;

use bursar_store::Database;
use tokio::time::{Instant, sleep};

use super::block_on;
use super::draw::Draw;
use super::kills::complain;
use super::load::Load;
use super::postgres::{Cluster, address_of};
use super::proxy::{Proxy, Weather};
use super::site::{Site, Wish};
use crate::checker::Breach;
use crate::goals::{Effort, Run};
use crate::report::Row;

const SENDERS: u64 = 6;
const WEATHERS: [Weather; 6] = [
    Weather::Reset,
    Weather::LoseCommits,
    Weather::Silent,
    Weather::HalfOpen,
    Weather::Slow(Duration::from_millis(400)),
    Weather::Drip,
];
const LASTS_MS: std::ops::Range<u64> = 600..2_500;
const SERVICE_AGAIN: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);
/// Acknowledged events by which service is known to be back.
const SIGNS: usize = 5;
const TROUBLES_A_SITE: u64 = 18;

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    let Some(server) = &run.postgres else { return Ok(Vec::new()) };
    let quick = run.effort == Effort::Quick;
    let weathers = run.times.unwrap_or(if quick { 6 } else { 300 });
    let stops = run.times.unwrap_or(if quick { 2 } else { 100 });
    Ok(vec![block_on(weather(run, server, weathers))?, block_on(stopped(run, stops))?])
}

async fn weather(run: &Run, server: &str, times: u64) -> anyhow::Result<Row> {
    let (mut done, mut failures) = (0, 0);
    while done < times {
        let proxy = Proxy::before(address_of(server)).await?;
        let mut wish = Wish::new(run, Database::Postgres, 4_000 + done);
        wish.by = Some(proxy.address.clone());
        let site = Site::start(&wish).await?;
        let turns = (times - done).min(TROUBLES_A_SITE);
        let mut draw = Draw::new(run.seed, "weather", done);
        let load = site.load(SENDERS, draw.below(u64::MAX));
        let mut found = Vec::new();
        for turn in 0..turns {
            let weather = WEATHERS[usize::try_from(turn)? % WEATHERS.len()];
            sleep(Duration::from_millis(draw.within(200..600))).await;
            proxy.turn(weather);
            sleep(Duration::from_millis(draw.within(LASTS_MS))).await;
            proxy.turn(Weather::Clear);
            found.extend(service_again(&load, &format!("{weather:?}")).await);
            found.extend(site.at_once(&load).await?);
        }
        failures += u64::from(!end(site, load, found).await?);
        eprintln!("  {turns} spells of weather, {} commits without an answer", proxy.commits_lost());
        done += turns;
    }
    Ok(Row::new("G8", "postgres", done, failures))
}

async fn stopped(run: &Run, times: u64) -> anyhow::Result<Row> {
    let cluster = Cluster::start().await?;
    let (mut done, mut failures) = (0, 0);
    while done < times {
        let mut wish = Wish::new(run, Database::Postgres, 5_000 + done);
        wish.server = Some(cluster.url());
        let site = Site::start(&wish).await?;
        let turns = (times - done).min(TROUBLES_A_SITE);
        let mut draw = Draw::new(run.seed, "stops", done);
        let load = site.load(SENDERS, draw.below(u64::MAX));
        let mut found = Vec::new();
        for _ in 0..turns {
            sleep(Duration::from_millis(draw.within(200..900))).await;
            cluster.stop_at_once().await?;
            sleep(Duration::from_millis(draw.within(0..800))).await;
            cluster.go_on().await?;
            found.extend(service_again(&load, "stopped at once").await);
            found.extend(site.at_once(&load).await?);
        }
        failures += u64::from(!end(site, load, found).await?);
        done += turns;
    }
    cluster.end().await?;
    Ok(Row::new("G8-STOP", "postgres", done, failures))
}

/// Whether events are acknowledged again, soon.
async fn service_again(load: &Load, after: &str) -> Option<Breach> {
    let (began, before) = (Instant::now(), load.heard().acknowledged.len());
    while load.heard().acknowledged.len() < before + SIGNS {
        if began.elapsed() > PATIENCE {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let took = began.elapsed();
    eprintln!("  {after}: service again after {} ms", took.as_millis());
    (took > SERVICE_AGAIN)
        .then(|| Breach { invariant: "G8", what: format!("{after}: no service for {took:?}") })
}

async fn end(site: Site, load: Load, mut found: Vec<Breach>) -> anyhow::Result<bool> {
    found.extend(site.at_rest(&load, PATIENCE).await?.0);
    load.end().await;
    if found.is_empty() {
        site.close().await?;
        return Ok(true);
    }
    complain(&found, site);
    Ok(false)
}
