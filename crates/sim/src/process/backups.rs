//! A backup is made under load and more is done; then everything is lost and the backup is put back, as the guide says. Nothing
//! that had been acknowledged before the backup began is missing; nothing leaves until the copy was compared with Stripe and a
//! controller says so; and nothing that was done meanwhile is done again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bursar_store::{Database, audit, events, proposals, restores};
use futures_util::future::try_join_all;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::kills::complain;
use super::site::{Site, Wish};
use super::{block_on, databases, name};
use crate::checker::Breach;
use crate::goals::{Effort, Run};
use crate::report::Row;

const SENDERS: u64 = 6;
/// Refunds before the backup begins.
const BEFORE: usize = 12;
/// A site's later senders bear other names than the first, and want other things.
const LATER: u64 = 100;
/// How long what asks for refunds is kept waiting and watched.
const HELD: Duration = Duration::from_secs(3);
/// Two looks at Stripe lie a minute apart.
const COMPARED: Duration = Duration::from_mins(4);
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(200);

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    let after = run.times.unwrap_or(if run.effort == Effort::Quick { 24 } else { 1_000 });
    // Most of it is waiting for Stripe to be looked at again: both at once.
    block_on(try_join_all(databases(run).into_iter().map(|database| on(run, database, after))))
}

async fn on(run: &Run, database: Database, after: u64) -> anyhow::Result<Row> {
    let mut site =
        Site::start(&Wish::new(run, database, 4_000 + u64::from(database == Database::Postgres))).await?;
    let mut seen = Seen::default();
    let found = live(run, &mut site, usize::try_from(after)?, &mut seen).await?;
    let (done, lost, held) = (seen.done, seen.lost.len(), seen.held_ms);
    eprintln!(
        "  {}: {done} refunds, {lost} of them after the backup and unknown to it; compared after {held} ms",
        name(database)
    );
    let row = Row::new("G25", name(database), done as u64, found.len() as u64);
    if found.is_empty() {
        site.close().await?;
    } else {
        complain(&found, site);
    }
    Ok(row)
}

/// What was seen besides failures.
#[derive(Default)]
struct Seen {
    /// Refunds that had been carried out when everything was lost.
    done: usize,
    /// Keys of those that the copy knew nothing of.
    lost: BTreeSet<String>,
    held_ms: u128,
}

async fn live(run: &Run, site: &mut Site, after: usize, seen: &mut Seen) -> anyhow::Result<Vec<Breach>> {
    let load = site.load(SENDERS, run.seed);
    refunded(site, BEFORE).await?;
    let (mut acknowledged, mut answered) = {
        let heard = load.heard();
        (heard.acknowledged.clone(), heard.answered.clone())
    };
    let copy = site.back_up().await?;
    refunded(site, refunds(site) + after).await?;
    site.kill(0).await?;
    load.end().await;
    // Whatever was on its way has arrived.
    sleep(LOOK).await;
    seen.done = refunds(site);
    site.put_back(&copy).await?;
    let mut found = whole(site, &acknowledged, &answered).await?;
    site.start_node(0).await?;

    let load = site.load_from(LATER, SENDERS, run.seed ^ LATER);
    sleep(HELD).await;
    load.rest().await;
    let began = Instant::now();
    compared(site).await?;
    seen.held_ms = began.elapsed().as_millis();
    if refunds(site) != seen.done {
        found.push(breach(format!("{} refunds left while they were held", refunds(site) - seen.done)));
    }
    seen.lost = lost(site).await?;
    site.reconcile("--lift --yes").await?;
    load.go_on();
    refunded(site, seen.done + 4).await?;
    load.rest().await;
    let later = load.end().await;
    acknowledged.extend(later.acknowledged);
    answered.extend(later.answered);
    let (more, _) = site.judged(&acknowledged, &answered, PATIENCE).await?;
    // What the copy forgot nobody intended, as far as it knows, or nobody voted for; it is found, and named.
    let found_again = found_again(site).await?;
    let forgotten = |breach: &Breach| {
        let intended = breach.what.contains("nobody intended it");
        let voted = breach.what.ends_with(": executed on ask");
        intended && seen.lost.iter().any(|key| breach.what.contains(key))
            || voted && found_again.iter().any(|proposal| breach.what.starts_with(proposal))
    };
    found.extend(more.into_iter().filter(|breach| !forgotten(breach)));
    Ok(found)
}

fn breach(what: String) -> Breach {
    Breach { invariant: "G25", what }
}

fn refunds(site: &Site) -> usize {
    site.stripe.ledger().iter().filter(|entry| entry["kind"] == "refund.create").count()
}

/// Waits until so many were carried out.
async fn refunded(site: &Site, count: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut last = (refunds(site), began);
    while last.0 < count {
        anyhow::ensure!(
            last.1.elapsed() < PATIENCE,
            "no refund is carried out any more: {} of {count}",
            last.0
        );
        sleep(LOOK).await;
        let now = refunds(site);
        if now > last.0 {
            last = (now, Instant::now());
        }
    }
    Ok(())
}

/// What the copy lacks of what somebody was told before it was begun, and whether its audit holds.
async fn whole(
    site: &Site,
    acknowledged: &BTreeSet<String>,
    answered: &BTreeSet<String>,
) -> anyhow::Result<Vec<Breach>> {
    let store = site.look().await?;
    let mut db = store.read().await?;
    let ids: Vec<&str> = acknowledged.iter().map(String::as_str).collect();
    let missing = events::missing(&mut db, &site.lane(), &ids).await?;
    let mut found: Vec<Breach> = missing
        .into_iter()
        .map(|id| breach(format!("{id} was acknowledged and is not in the copy")))
        .collect();
    for id in answered {
        let known = proposals::get(&mut db, store.keyring(), &id.parse()?).await?;
        if known.is_none() {
            found.push(breach(format!("somebody was told of {id}, and it is not in the copy")));
        }
    }
    let report = audit::verify(&mut db).await?;
    if !report.ok {
        found.push(breach(format!("the copy's audit: {:?}", report.first_bad)));
    }
    Ok(found)
}

/// Waits until the copy was compared with Stripe, and says so itself.
async fn compared(site: &Site) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let (code, stands) = site.reconcile("").await?;
        anyhow::ensure!(code == 8 && stands["held"] == true, "it is not held ({code}): {stands}");
        if stands["ready"] == true && stands["events_waiting"] == 0 {
            return Ok(());
        }
        anyhow::ensure!(began.elapsed() < COMPARED, "it is not compared: {stands}");
        sleep(Duration::from_secs(1)).await;
    }
}

/// Keys of what was found at Stripe and is unknown to the copy.
async fn lost(site: &Site) -> anyhow::Result<BTreeSet<String>> {
    let store = site.look().await?;
    let mut db = store.read().await?;
    let restore = restores::open(&mut db).await?.context("nothing is held")?;
    let lost = restores::lost_in(&mut db, &restore.id, i64::MAX).await?;
    Ok(lost.into_iter().map(|lost| lost.request_key).collect())
}

/// Proposals of which the copy held no intent, and whose effect was found at Stripe.
async fn found_again(site: &Site) -> anyhow::Result<BTreeSet<String>> {
    let store = site.look().await?;
    let entries = audit::after(&mut store.read().await?, 0, i64::MAX).await?;
    let intents =
        entries.into_iter().map(|stored| stored.entry).filter(|entry| entry.kind == "execution.intended");
    let found = intents.filter(|entry| entry.data["by"].is_string());
    Ok(found.filter_map(|entry| entry.data["proposal"].as_str().map(str::to_owned)).collect())
}

/// As the guide has it.
impl Site {
    /// Makes a backup while the program works.
    async fn back_up(&self) -> anyhow::Result<PathBuf> {
        if let Some(database) = self.database() {
            let copy = self.folder().join("bursar.dump");
            database.dump(&copy).await?;
            return Ok(copy);
        }
        let copy = self.folder().join("backup.db");
        self.bursar(&format!("db backup --output {}", copy.display())).await?;
        Ok(copy)
    }

    /// Puts it in the place of everything that there is.
    async fn put_back(&self, copy: &std::path::Path) -> anyhow::Result<()> {
        let line = match self.database() {
            Some(database) => {
                database.put_back(copy).await?;
                "db restore --in-place --yes".to_owned()
            }
            None => format!("db restore {} --yes", copy.display()),
        };
        self.bursar(&line).await.map(|_| ())
    }

    /// How the copy stands, or a word about it: the exit code and the document.
    async fn reconcile(&self, words: &str) -> anyhow::Result<(i32, Value)> {
        let token = self.folder().join("controller.token");
        std::fs::write(&token, self.controller())?;
        self.bursar_says(&format!("db reconcile {words} --token-file {}", token.display())).await
    }

    async fn bursar(&self, line: &str) -> anyhow::Result<Value> {
        let (code, document) = self.bursar_says(line).await?;
        anyhow::ensure!(code == 0, "bursar {line} ended with {code}: {document}");
        Ok(document)
    }
}
