//! Nodes that are replaced one after the other under load. The next version's migrations are made beside the program that is
//! proved; with a program of an older commit (`--older`) that is the one which is replaced, and what it intended is sent by
//! the other as it was intended.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bursar_domain::execution::ExecutionState;
use bursar_store::open::Schema;
use bursar_store::{Database, Options, PostgresUrl, Store, executions, proposals};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::kills::complain;
use super::site::{Site, Wish};
use super::{name, upgrade};
use crate::checker::Breach;
use crate::goals::{Effort, Run};
use crate::report::Row;

const SENDERS: u64 = 6;
const PATIENCE: Duration = Duration::from_secs(40);
/// Work before, and beside the newer version.
const WORK: Duration = Duration::from_secs(2);
/// A node that was silent for so long is not there.
const GONE: Duration = Duration::from_secs(12);
/// The server ends a change in which nobody has said anything for a minute.
const HELD: Duration = Duration::from_secs(75);

fn breach(what: String) -> Breach {
    Breach { invariant: "G24", what }
}

/// Key and bytes of whatever is on its way, by proposal.
async fn on_its_way(site: &Site) -> anyhow::Result<BTreeMap<String, (String, Vec<u8>)>> {
    let store = site.look().await?;
    let mut db = store.read().await?;
    let mut found = BTreeMap::new();
    for (id, _) in proposals::waiting(&mut db).await? {
        let Some(execution) = executions::of_proposal(&mut db, store.keyring(), &id).await? else { continue };
        if matches!(execution.state, ExecutionState::Intent | ExecutionState::Unknown) {
            found.insert(id.to_string(), (execution.intent.idempotency_key, execution.intent.request));
        }
    }
    Ok(found)
}

/// Stripe is silent when the older program dies, and this one goes on with what was intended.
pub(super) async fn carried_over(run: &Run, older: &Path, database: Database) -> anyhow::Result<Row> {
    let old_run = Run { bursar: older.to_owned(), ..run.clone() };
    let mut site = Site::start(&Wish::new(&old_run, database, 5_100)).await?;
    let load = site.load(SENDERS, run.seed);
    let silent = site.arm(json!({"route": "POST /v1/refunds", "kind": "hang", "times": 1_000}))?;
    let began = Instant::now();
    while on_its_way(&site).await?.len() < 3 {
        anyhow::ensure!(began.elapsed() < PATIENCE, "nothing is on its way");
        sleep(Duration::from_millis(100)).await;
    }
    site.kill(0).await?;
    let intended = on_its_way(&site).await?;
    site.stripe.disarm_fault(&silent);
    site.becomes(0, &run.bursar);
    site.start_node(0).await?;
    let (mut found, took) = site.at_rest(&load, PATIENCE).await?;
    load.end().await;
    {
        let store = site.look().await?;
        let mut db = store.read().await?;
        for (id, (key, request)) in &intended {
            let execution = executions::of_proposal(&mut db, store.keyring(), &id.parse()?).await?;
            let execution = execution.with_context(|| format!("{id} is intended no more"))?;
            if (&execution.intent.idempotency_key, &execution.intent.request) != (key, request) {
                found.push(breach(format!("{id} was intended otherwise before the upgrade")));
            }
            if execution.state != ExecutionState::Done {
                found.push(breach(format!("{id} ended as {:?}", execution.state)));
            }
        }
    }
    eprintln!(
        "  {}: {} intents of the older program, at rest {took:?} after",
        name(database),
        intended.len()
    );
    let row = Row::new("G24-INTENT", name(database), intended.len() as u64, found.len() as u64);
    end(site, &found).await?;
    Ok(row)
}

/// Two nodes work while the next version's tables are made.
pub(super) async fn beside(run: &Run) -> anyhow::Result<Row> {
    let mut wish = Wish::new(run, Database::Postgres, 5_300);
    wish.nodes = 2;
    let mut site = Site::start(&wish).await?;
    let load = site.load(SENDERS, run.seed);
    sleep(WORK).await;
    let migrated = opened_by(&site, upgrade::next(1)).await;
    let mut found: Vec<Breach> =
        migrated.err().into_iter().map(|error| breach(format!("{error:#}"))).collect();
    site.knows(upgrade::next(1));
    let then = load.heard().answered.len();
    sleep(WORK).await;
    let beside = load.heard().answered.len() - then;
    if beside == 0 {
        found.push(breach("beside a newer version nothing is asked for".to_owned()));
    }
    // What is alone is not made while they work.
    match opened_by(&site, upgrade::next(2)).await {
        Ok(()) => found.push(breach("a migration that must be alone was made beside others".to_owned())),
        Err(error) if format!("{error:#}").contains("while other nodes run") => {}
        Err(error) => found.push(breach(format!("it does not say why it waits: {error:#}"))),
    }
    end_in_order(&mut site, 1).await?;
    found.extend(comes_back(&mut site, 1).await);
    let (more, _) = site.at_rest(&load, PATIENCE).await?;
    found.extend(more);
    let heard = load.end().await;
    if run.effort == Effort::Full {
        found.extend(thaws_too_late(&mut site).await?);
    }
    if !site.log(0).contains("a newer version has brought the tables up to date") {
        found.push(breach("who works beside a newer version does not say so".to_owned()));
    }
    eprintln!(
        "  beside the next version's tables: {} events acknowledged, {} requests answered, {beside} of them beside",
        heard.acknowledged.len(),
        heard.answered.len()
    );
    let row = Row::new("G24-BESIDE", "postgres", heard.answered.len() as u64, found.len() as u64);
    end(site, &found).await?;
    Ok(row)
}

/// As another machine's process of a newer version would, and ends again.
async fn opened_by(site: &Site, schema: Schema) -> anyhow::Result<()> {
    let own = tempfile::tempdir()?;
    std::fs::copy(site.data_dir().join("master.key"), own.path().join("master.key"))?;
    let mut options = Options::sqlite(own.path(), "newer");
    let url = site.database().context("no database")?.url();
    (options.postgres, options.schema) = (Some(PostgresUrl { url, password: None }), schema);
    Store::open(options).await.map(|_| ()).context("the newer version does not start")
}

/// An older program is not started again, and says why.
async fn comes_back(site: &mut Site, node: usize) -> Option<Breach> {
    match site.start_node(node).await {
        Ok(_) => Some(breach("the older program opens a database of a newer one".to_owned())),
        Err(error) if format!("{error:#}").contains("a newer version has brought the tables up to date") => {
            None
        }
        Err(error) => Some(breach(format!("the older program does not say why it will not: {error:#}"))),
    }
}

/// A frozen node is taken for gone, and what must be alone is made: when it thaws, it ends.
async fn thaws_too_late(site: &mut Site) -> anyhow::Result<Vec<Breach>> {
    site.program(0)?.signal("STOP").await?;
    sleep(GONE).await;
    // It may have been frozen in the middle of a change, and holds its tables until the server ends that.
    let began = Instant::now();
    while let Err(error) = opened_by(site, upgrade::next(2)).await {
        let waits = format!("{error:#}").contains("lock timeout") && began.elapsed() < HELD;
        anyhow::ensure!(waits, "{error:#}");
    }
    site.knows(upgrade::next(2));
    let mut program = site.take(0)?;
    program.signal("CONT").await?;
    let mut found = Vec::new();
    match program.ended().await {
        Ok(status) if !status.success() => {}
        other => found.push(breach(format!("whoever thawed too late goes on: {other:?}"))),
    }
    if !site.log(0).contains("BUR-DB-004") {
        found.push(breach("whoever thawed too late does not say why it ends".to_owned()));
    }
    Ok(found)
}

/// Two nodes of an older program are replaced one after the other under load.
pub(super) async fn replaced(run: &Run, older: &Path) -> anyhow::Result<Row> {
    let together = Duration::from_secs(if run.effort == Effort::Quick { 6 } else { 3_600 });
    let old_run = Run { bursar: older.to_owned(), ..run.clone() };
    let mut wish = Wish::new(&old_run, Database::Postgres, 5_200);
    wish.nodes = 2;
    let mut site = Site::start(&wish).await?;
    let load = site.load(SENDERS, run.seed);
    sleep(WORK).await;
    // The new one migrates while the old one works.
    end_in_order(&mut site, 1).await?;
    site.becomes(1, &run.bursar);
    site.start_node(1).await?;
    sleep(together).await;
    let (mut found, _) = site.at_rest(&load, PATIENCE).await?;
    let between = site.stripe.ledger().len();
    load.go_on();
    end_in_order(&mut site, 0).await?;
    site.becomes(0, &run.bursar);
    site.start_node(0).await?;
    sleep(WORK).await;
    let (more, _) = site.at_rest(&load, PATIENCE).await?;
    found.extend(more);
    let heard = load.end().await;
    eprintln!(
        "  side by side for {together:?}: {} events acknowledged, {} requests answered, {between} and then {} lines of the ledger",
        heard.acknowledged.len(),
        heard.answered.len(),
        site.stripe.ledger().len()
    );
    let row = Row::new("G24-REPLACED", "postgres", heard.answered.len() as u64, found.len() as u64);
    end(site, &found).await?;
    Ok(row)
}

async fn end_in_order(site: &mut Site, node: usize) -> anyhow::Result<()> {
    let mut program = site.take(node)?;
    program.signal("TERM").await?;
    let status = program.ended().await?;
    anyhow::ensure!(status.success(), "told to end, it ended with {status}");
    Ok(())
}

async fn end(site: Site, found: &[Breach]) -> anyhow::Result<()> {
    if found.is_empty() {
        return site.close().await;
    }
    complain(found, site);
    Ok(())
}
