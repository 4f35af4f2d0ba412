//! Clocks that jump while something is under way and something else waits for people.

use std::time::Duration;

use anyhow::Context as _;
use bursar_domain::approval::Choice;
use bursar_fake_stripe::gate::Harm;
use bursar_store::Database;

use super::spec::Spec;
use super::stand::{NOW_S, World};
use crate::checker::Breach;

/// Where a clock is set to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Jump {
    /// The machine's, by so many seconds.
    Machine(i64),
    /// The machine's, to a moment.
    MachineTo(i64),
    /// The one by which Stripe's time is read, by so many seconds.
    Business(i64),
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

pub(super) const JUMPS: &[Jump] = &[
    Jump::Machine(5 * MINUTE),
    Jump::Machine(-5 * MINUTE),
    Jump::Machine(HOUR),
    Jump::Machine(-HOUR),
    Jump::Machine(DAY),
    Jump::Machine(-DAY),
    Jump::MachineTo(0),
    // 2038 and 2100.
    Jump::MachineTo(2_147_483_648),
    Jump::MachineTo(4_102_444_800),
    // Both ways of summer time in Europe, and a leap second that was.
    Jump::MachineTo(1_774_746_000),
    Jump::MachineTo(1_792_890_000),
    Jump::MachineTo(1_483_228_799),
    Jump::Business(5 * MINUTE),
    Jump::Business(-5 * MINUTE),
    Jump::Business(HOUR),
    Jump::Business(-HOUR),
    Jump::Business(DAY),
    Jump::Business(-DAY),
];

/// Sends of one action that are no storm yet.
const SENDS_MAX: usize = 12;

#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) database: Database,
    pub(super) seed: u64,
    pub(super) jump: Jump,
}

pub(super) async fn jumped(trial: &Trial) -> anyhow::Result<Vec<Breach>> {
    let mut world = World::open(Spec::new(trial.database, trial.seed)).await?;
    let charge = world.charge(90_000)?;
    let asked = world.ask(0, &charge, 30_000).await.context("no answer")??;
    let approval = asked.approval.context("nobody was asked")?;
    world.gate.harm("POST", "/v1/refunds", 1, Harm::CutAfter);
    let charge = world.charge(9_000)?;
    world.ask(0, &charge, 2_500).await.context("no answer")??;
    world.quiet().await?;
    set(&world, trial.jump, 1);
    for _ in 0..10 {
        world.pass_machine(Duration::from_secs(30));
        world.quiet().await?;
    }
    // Over, by Stripe's time: whatever our clocks say, nobody's vote counts any more.
    if matches!(trial.jump, Jump::Business(by) if by < 0) {
        // That it is over nobody can know whose clock never said so.
        set(&world, trial.jump, 0);
    }
    world.stripe.advance(25 * 3_600)?;
    world.vote((0, 1), &approval, Choice::Approve, None).await?;
    set(&world, trial.jump, 0);
    world.vote((0, 1), &approval, Choice::Approve, None).await?;
    if world.engine(0)?.clock_trouble().is_some() {
        world.spec.clock_accepted = true;
        world.start(0).await?;
    }
    world.pass_machine(Duration::from_hours(25));
    world.live().await?;
    let writes = world.gate.written().len();
    if writes > SENDS_MAX {
        world.note("I2", format!("{writes} requests for one action: a storm"));
    }
    world.breaches().await
}

fn set(world: &World, jump: Jump, times: i64) {
    match jump {
        Jump::Machine(by) => world.set_machine_s(NOW_S + by * times),
        Jump::MachineTo(to) => world.set_machine_s(if times == 0 { NOW_S + HOUR } else { to }),
        Jump::Business(by) => world.skew(by * times),
    }
}
