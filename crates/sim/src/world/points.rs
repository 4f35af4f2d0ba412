//! Each named place of [`FailPoint`], and what can happen to whoever comes by: they die there, get an error, or stand still
//! until others have taken their work; and two deaths, one after the other.

use std::time::Duration;

use bursar_engine::{FailPoint, Fault};
use bursar_store::Database;
use tokio::sync::oneshot;

use super::day::{Day, Step};
use super::spec::Where;
use super::stand::World;
use crate::checker::Breach;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harmed {
    Crash,
    Error,
    /// Longer than the lease.
    Hang,
    /// A crash, and in the next life another one there.
    CrashThen(FailPoint),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) at: Where,
    pub(super) point: FailPoint,
    pub(super) harmed: Harmed,
}

/// Each place with each harm by itself.
pub(super) fn singles(at: Where) -> Vec<Trial> {
    let each = |point: &FailPoint| {
        [Harmed::Crash, Harmed::Error, Harmed::Hang].map(|harmed| Trial { at, point: *point, harmed })
    };
    FailPoint::ALL.iter().flat_map(each).collect()
}

/// Each place before each other, and before itself.
pub(super) fn pairs(at: Where) -> Vec<Trial> {
    let after = |point: &FailPoint| {
        let point = *point;
        FailPoint::ALL.iter().map(move |then| Trial { at, point, harmed: Harmed::CrashThen(*then) })
    };
    FailPoint::ALL.iter().flat_map(after).collect()
}

/// Tries of one step. Two die, others are put back.
const TRIES: usize = 8;
/// How long what was harmed may take until nobody works.
const REST: Duration = Duration::from_millis(400);
/// How long somebody stands still who holds what others need.
const HELD: Duration = Duration::from_millis(60);
/// What is done beside the work of a day comes by within that.
const BESIDE: Duration = Duration::from_millis(1_500);

/// What is still to go wrong.
struct Trouble {
    to_come: Vec<FailPoint>,
    armed: Option<FailPoint>,
    harmed: Harmed,
    let_go: Option<oneshot::Sender<()>>,
}

pub(super) async fn harmed(trial: &Trial) -> anyhow::Result<Vec<Breach>> {
    let mut spec = trial.at.spec();
    (spec.pays_alone, spec.writes_letters) = (true, false);
    // Whoever stands still leaves their work to another node, where there can be one.
    spec.nodes = if trial.harmed == Harmed::Hang && trial.at.database == Database::Postgres { 2 } else { 1 };
    let mut world = World::open(spec).await?;
    let mut to_come = vec![trial.point];
    if let Harmed::CrashThen(then) = trial.harmed {
        to_come.push(then);
    }
    let mut trouble = Trouble { to_come, armed: None, harmed: trial.harmed, let_go: None };
    trouble.arm(&mut world)?;
    let mut days = Vec::new();
    // What lay behind the first death comes by on another day.
    while days.len() < 2 && (days.is_empty() || trouble.armed.is_some()) {
        let mut day = Day::begin(&world, days.len())?;
        for step in Step::ALL {
            live(&mut world, &mut day, step, &mut trouble).await?;
        }
        trouble.await_beside(&mut world).await?;
        days.push(day);
    }
    if let Some(point) = trouble.armed {
        world.note("G2", format!("nobody came by {point:?}"));
    }
    trouble.end();
    world.heal().await?;
    world.live().await?;
    for day in &days {
        day.judge(&mut world).await?;
    }
    world.breaches().await
}

async fn live(world: &mut World, day: &mut Day, step: Step, trouble: &mut Trouble) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        let done = day.go(world, step).await?;
        let met = trouble.meet(world).await?;
        if done && !met {
            return Ok(());
        }
    }
    world.note("I8", format!("{step:?} does not come to an end"));
    Ok(())
}

impl Trouble {
    fn arm(&mut self, world: &mut World) -> anyhow::Result<()> {
        if self.to_come.is_empty() {
            return Ok(());
        }
        let point = self.to_come.remove(0);
        self.armed = Some(point);
        let (let_go, go_on) = oneshot::channel();
        let fault = match self.harmed {
            Harmed::Crash | Harmed::CrashThen(_) => Fault::Stop,
            Harmed::Error => Fault::Fail,
            Harmed::Hang => Fault::Wait(go_on),
        };
        self.let_go = Some(let_go);
        world.harm_at(0, point, (0, fault))
    }

    /// Whether somebody was harmed; then everything is put in order so that work can go on.
    async fn meet(&mut self, world: &mut World) -> anyhow::Result<bool> {
        if !world.is_struck() {
            return Ok(false);
        }
        let point = self.armed.take();
        world.forget_harm();
        match self.harmed {
            Harmed::Crash | Harmed::CrashThen(_) => {
                world.start(0).await?;
                world.place.lapse_leases().await;
                self.arm(world)?;
            }
            Harmed::Error => rest(world).await?,
            Harmed::Hang => {
                let holds = point.is_some_and(FailPoint::is_within_change);
                if holds || !world.place.lapse_leases().await {
                    tokio::time::sleep(HELD).await;
                } else {
                    // Others take up what was in hand, and come to its end.
                    world.pass_machine(Duration::from_secs(1));
                    rest(world).await?;
                }
                self.end();
                rest(world).await?;
            }
        }
        Ok(true)
    }

    /// What runs beside everything else takes its time.
    async fn await_beside(&mut self, world: &mut World) -> anyhow::Result<()> {
        if self.armed.is_some() {
            let soon = tokio::time::timeout(BESIDE, world.is_struck_soon()).await;
            if soon == Ok(true) {
                self.meet(world).await?;
            }
        }
        Ok(())
    }

    /// Whoever stands still goes on.
    fn end(&mut self) {
        if let Some(let_go) = self.let_go.take() {
            let_go.send(()).unwrap_or_default();
        }
    }
}

/// Waits until nobody works. What was claimed by somebody who forgot it comes back.
async fn rest(world: &World) -> anyhow::Result<()> {
    if tokio::time::timeout(REST, world.quiet()).await.is_err() {
        world.place.lapse_leases().await;
        tokio::time::timeout(REST, world.quiet()).await.unwrap_or(Ok(true))?;
    }
    Ok(())
}
