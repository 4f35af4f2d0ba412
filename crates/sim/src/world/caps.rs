//! Many workers want the last of a day's budget at the same moment.

use bursar_store::Database;
use futures_util::future::join_all;

use super::spec::Spec;
use super::stand::World;
use crate::checker::Breach;

/// What the usual policies let go by itself in a day.
const CAP: i64 = 200_000;
const WORKERS: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(super) struct Rush {
    pub(super) database: Database,
    pub(super) seed: u64,
    pub(super) refunds: usize,
}

pub(super) async fn rushed(rush: &Rush) -> anyhow::Result<Vec<Breach>> {
    let mut spec = Spec::new(rush.database, rush.seed);
    (spec.nodes, spec.workers) = (if rush.database == Database::Postgres { 3 } else { 1 }, WORKERS);
    let mut world = World::open(spec).await?;
    let nodes = world.nodes.len();
    let mut asking = Vec::new();
    for at in 0..rush.refunds {
        let charge = world.charge(10_000)?;
        asking.push(world.asking(at % nodes, &charge, 9_000)?);
    }
    join_all(asking).await;
    world.live().await?;
    let ours = |entry: &&serde_json::Value| entry["kind"] == "refund.create";
    let ledger = world.stripe.ledger();
    let given: i64 = ledger.iter().filter(ours).filter_map(|entry| entry["amount"].as_i64()).sum();
    if given > CAP {
        world.note("I5", format!("{given} was given out in a day, and nobody was asked above {CAP}"));
    }
    if given <= CAP - 9_000 && rush.refunds > 22 {
        world.note("I8", format!("only {given} of {CAP} was given out"));
    }
    world.breaches().await
}
