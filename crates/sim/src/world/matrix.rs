//! Every fault of Stripe's at the first send of an action, at a retry, and at the last retry for which its key is trusted;
//! for everything that Bursar can do at Stripe. What becomes of it is known beforehand for each.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_fake_stripe::gate::Harm;
use serde_json::json;

use super::acts::Verb;
use super::faults::{FAULTS, Fault, LONG, Leads};
use super::spec::Where;
use super::stand::World;
use crate::checker::Breach;

/// At which send it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Retry,
    /// A minute later the key is too old.
    LastRetry,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) at: Where,
    pub(super) verb: Verb,
    pub(super) place: Place,
    pub(super) fault: &'static str,
}

/// Just short of the 23 hours for which a key is trusted.
const NEARLY: Duration = Duration::from_mins(22 * 60 + 58);
/// Steps, of a quarter of a minute each, within which something must be sent.
const STEPS_TO_SEND: usize = 40;
/// Steps, of forty seconds each, within which it must have come to its end.
const STEPS_TO_END: usize = 200;

/// Every cell there is. A link that Stripe makes later, by itself, nobody can find.
pub(super) fn cells(at: Where) -> Vec<Cell> {
    let mut all = Vec::new();
    for fault in FAULTS {
        for verb in Verb::ALL {
            if fault.leads == Leads::Agree && verb == Verb::Portal {
                continue;
            }
            let places = [Place::First, Place::Retry, Place::LastRetry];
            all.extend(places.map(|place| Cell { at, verb, place, fault: fault.name }));
        }
    }
    all
}

pub(super) async fn tried(cell: &Cell) -> anyhow::Result<Vec<Breach>> {
    let fault = Fault::named(cell.fault).context("no such fault")?;
    let mut spec = cell.at.spec();
    spec.pays_alone = cell.verb == Verb::Pay;
    spec.writes_letters = false;
    let mut world = World::open(spec).await?;
    let about = cell.verb.prepare(&mut world).await?;
    let path = cell.verb.path(&about);
    match cell.place {
        Place::First => world.gate.harm("POST", &path, 1, (fault.harm)()),
        Place::Retry => {
            lose_the_first(&world, &path, fault)?;
            meet_again(&world, &path, fault);
        }
        Place::LastRetry => lose_the_first(&world, &path, fault)?,
    }
    let proposal = cell.verb.begin(&mut world, &about).await?;
    let mut sends = 1;
    sent(&world, sends).await?;
    if cell.place == Place::LastRetry {
        world.pass(NEARLY)?;
        meet_again(&world, &path, fault);
    }
    if cell.place != Place::First {
        sends = 2;
        sent(&world, sends).await?;
    }
    ensure!(world.gate.unmet() == 0, "the fault was never met");
    if fault.name == LONG {
        // How long nobody asks is told by a process's own time, which nobody moves: the hour is over for another.
        world.start(0).await?;
    }
    match (cell.place, fault.leads) {
        (_, Leads::Agree) => ensure!(world.gate.let_through().await == 1, "nothing waits at Stripe"),
        (_, Leads::Park) => {
            ensure!(state(&world, &proposal).await? == ProposalState::Approved, "it does not wait");
            world.pass(Duration::from_hours(8 * 24))?;
        }
        (Place::LastRetry, _) => world.pass(Duration::from_hours(1))?,
        (Place::First | Place::Retry, _) => {}
    }
    judge(&mut world, (cell, fault), &proposal, sends).await?;
    world.live().await?;
    world.breaches().await
}

/// The send before is lost; where Stripe is to have kept an answer, it is kept with it.
fn lose_the_first(world: &World, path: &str, fault: &Fault) -> anyhow::Result<()> {
    if !fault.is_kept {
        world.gate.harm("POST", path, 1, Harm::CutBefore);
        return Ok(());
    }
    let kept = json!({"route": format!("POST {path}"), "kind": "status", "status": 500, "effect": false});
    world.stripe.arm_fault(kept).map_err(|error| anyhow::anyhow!("no such fault: {error}"))?;
    world.gate.harm("POST", path, 1, Harm::CutAfter);
    Ok(())
}

fn meet_again(world: &World, path: &str, fault: &Fault) {
    // What Stripe has kept it says by itself.
    if !fault.is_kept {
        world.gate.harm("POST", path, 1, (fault.harm)());
    }
}

/// Waits until so much has left and been answered, or not.
async fn sent(world: &World, times: usize) -> anyhow::Result<()> {
    for _ in 0..STEPS_TO_SEND {
        world.quiet().await?;
        if world.ours().len() >= times {
            return Ok(());
        }
        world.pass_machine(Duration::from_secs(15));
    }
    anyhow::bail!("send {times} does not come")
}

async fn state(world: &World, proposal: &ProposalId) -> anyhow::Result<ProposalState> {
    world.quiet().await?;
    world.state(proposal).await
}

/// How it ends, and how often it leaves in all.
fn due(verb: Verb, place: Place, fault: &Fault, sends: usize) -> (ProposalState, usize) {
    use ProposalState::{Done, InDoubt, NoEffect, Refused};
    // Of a link nothing can be found; while its key holds, asking again shows the same.
    let found = fault.happens && verb != Verb::Portal;
    match fault.leads {
        Leads::Again | Leads::Look if found => (Done, sends),
        Leads::Again if place == Place::LastRetry => (NoEffect, sends),
        Leads::Again => (Done, sends + 1),
        Leads::Look => (NoEffect, sends),
        Leads::No => (Refused, sends),
        Leads::Halt | Leads::Park => (InDoubt, sends),
        Leads::Agree => (Done, sends),
    }
}

async fn judge(
    world: &mut World,
    (cell, fault): (&Cell, &Fault),
    proposal: &ProposalId,
    sends: usize,
) -> anyhow::Result<()> {
    let mut ended = state(world, proposal).await?;
    for _ in 0..STEPS_TO_END {
        if ended != ProposalState::Approved {
            break;
        }
        world.pass_machine(Duration::from_secs(40));
        ended = state(world, proposal).await?;
    }
    let (due, times) = due(cell.verb, cell.place, fault, sends);
    if ended != due {
        world.note("I4", format!("it is {}, and should be {}", ended.as_str(), due.as_str()));
    }
    let execution = world.execution(proposal).await?;
    let left =
        world.ours().iter().filter(|seen| seen.written.key == execution.intent.idempotency_key).count();
    if left != times || i64::try_from(left).ok() != Some(execution.sends) {
        let counted = execution.sends;
        world.note("I2", format!("it left {left} times and was counted {counted} times, and should {times}"));
    }
    if execution.receipt.is_some() != (due == ProposalState::Done) {
        world.note("I4", format!("it is {}, and its receipt is {:?}", ended.as_str(), execution.receipt));
    }
    let stopped = world.engine(0)?.health().await?.kill_switches;
    if stopped.is_empty() == (fault.leads == Leads::Halt) {
        world.note("I3", format!("what is stopped now: {stopped:?}"));
    }
    Ok(())
}
