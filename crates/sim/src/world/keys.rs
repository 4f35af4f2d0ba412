//! Stripe is away after an answer was lost, for shorter and for longer than it keeps a key.

use std::time::Duration;

use bursar_domain::proposal::ProposalState;
use bursar_fake_stripe::gate::Harm;
use bursar_store::Database;

use super::chance::Chance;
use super::spec::Spec;
use super::stand::World;
use crate::checker::Breach;

/// Lengths of an outage, in minutes.
pub(super) const OUTAGES_MIN: [u64; 5] = [22 * 60 + 59, 23 * 60 + 1, 25 * 60, 72 * 60, 31 * 24 * 60];
/// Actions under way in each.
pub(super) const ACTIONS: usize = 12;

#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub(super) database: Database,
    pub(super) seed: u64,
    pub(super) minutes: u64,
}

pub(super) async fn sat_out(outage: &Outage) -> anyhow::Result<Vec<Breach>> {
    let mut world = World::open(Spec::new(outage.database, outage.seed)).await?;
    let mut chance = Chance::of(outage.seed);
    let mut asked = Vec::new();
    for _ in 0..ACTIONS {
        let happens = chance.is(50);
        world.gate.harm("POST", "/v1/refunds", 1, if happens { Harm::CutAfter } else { Harm::CutBefore });
        let charge = world.charge(9_000)?;
        if let Some(Ok(one)) = world.ask(0, &charge, chance.between(500, 4_000)).await {
            asked.push((one.proposal, happens));
        }
        world.quiet().await?;
    }
    world.gate.close();
    world.pass(Duration::from_mins(outage.minutes))?;
    world.quiet().await?;
    world.gate.reopen().await;
    // It can be written to, and not yet be read: nothing may be sent on a guess.
    let writes = world.gate.written().len();
    world.gate.harm("GET", "/v1/", usize::MAX, Harm::answer(500, ""));
    for _ in 0..3 {
        world.pass_machine(Duration::from_mins(2));
        world.quiet().await?;
    }
    if world.gate.written().len() > writes {
        world.note("I2", "something was sent again while Stripe could not be read".to_owned());
    }
    world.gate.heal();
    world.live().await?;
    let trusted = outage.minutes < 23 * 60;
    for (proposal, happened) in asked {
        let due = if happened || trusted { ProposalState::Done } else { ProposalState::NoEffect };
        let state = world.state(&proposal).await?;
        if state != due {
            world.note("I4", format!("{proposal} is {}, and should be {}", state.as_str(), due.as_str()));
        }
    }
    world.breaches().await
}
