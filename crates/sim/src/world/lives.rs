//! Random lives: everything that people, customers and Stripe may do, and everything that may go wrong meanwhile, drawn from
//! a seed. Then nothing goes wrong any more, and all must come to its end, and nothing be as it must never be.

mod deeds;

use std::time::Duration;

use anyhow::Context as _;
use bursar_domain::actor::Actor;
use bursar_domain::id::ApprovalId;
use bursar_store::Database;
use serde_json::Value;
use tokio::sync::oneshot;

use super::acts::Unpaid;
use super::chance::Chance;
use super::spec::{Spec, Where};
use super::stand::World;
use crate::checker::Breach;

#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) at: Where,
}

/// Things that happen in a life.
const ACTS: usize = 30;
/// How long everybody is left alone after each.
const REST: Duration = Duration::from_millis(150);

pub(super) async fn lived(trial: &Trial) -> anyhow::Result<Vec<Breach>> {
    let mut chance = Chance::of(trial.at.seed);
    let world = World::open(wanted(trial.at, &mut chance)).await?;
    let mut life =
        Life { world, chance, late: Vec::new(), unpaid: Vec::new(), asked: Vec::new(), harm: None };
    for _ in 0..ACTS {
        life.act().await?;
        life.rest().await?;
    }
    life.end().await
}

fn wanted(at: Where, chance: &mut Chance) -> Spec {
    let mut spec = at.spec();
    // Two engines on one file of SQLite's refuse one another.
    spec.nodes = if at.database == Database::Postgres { 1 + chance.below(3) } else { 1 };
    spec.polls = chance.is(40);
    spec.connected = chance.is(30);
    spec.pays_alone = chance.is(50);
    spec.writes_letters = chance.is(10);
    spec
}

/// What may happen.
#[derive(Clone, Copy, Debug)]
enum Act {
    Small,
    Large,
    Huge,
    TooMuch,
    OfSeller,
    Portal,
    Vote,
    Fails,
    Pays,
    Card,
    Late,
    Live,
    Answers,
    Silence,
    Place,
    Kill,
    Time,
    Clock,
}

/// With how many chances each, out of all of them.
const CHANCES: &[(usize, Act)] = &[
    (14, Act::Small),
    (8, Act::Large),
    (4, Act::Huge),
    (3, Act::TooMuch),
    (3, Act::OfSeller),
    (4, Act::Portal),
    (14, Act::Vote),
    (8, Act::Fails),
    (5, Act::Pays),
    (5, Act::Card),
    (8, Act::Late),
    (2, Act::Live),
    (14, Act::Answers),
    (4, Act::Silence),
    (12, Act::Place),
    (4, Act::Kill),
    (8, Act::Time),
    (4, Act::Clock),
];

/// What was asked for to go wrong at a named place.
struct Harm {
    node: usize,
    dies: bool,
    let_go: Option<oneshot::Sender<()>>,
}

struct Life {
    world: World,
    chance: Chance,
    /// Events that are on their way.
    late: Vec<Value>,
    unpaid: Vec<Unpaid>,
    asked: Vec<ApprovalId>,
    harm: Option<Harm>,
}

impl Life {
    async fn act(&mut self) -> anyhow::Result<()> {
        match self.drawn() {
            Act::Small => {
                let amount = self.chance.between(100, 4_000);
                self.ask(9_000, amount).await
            }
            Act::Large => {
                let amount = self.chance.between(20_000, 40_000);
                self.ask(90_000, amount).await
            }
            Act::Huge => {
                let amount = self.chance.between(60_000, 80_000);
                self.ask(90_000, amount).await
            }
            Act::TooMuch => self.ask_too_much().await,
            Act::OfSeller => self.ask_of_seller().await,
            Act::Portal => self.ask_for_portal(),
            Act::Vote => self.vote().await,
            Act::Fails => self.fails().await,
            Act::Pays => self.pays().await,
            Act::Card => self.card().await,
            Act::Late => self.arrive().await,
            Act::Live => self.of_other_mode().await,
            Act::Answers => {
                self.answers();
                Ok(())
            }
            Act::Silence => self.silence().await,
            Act::Place => self.harm_a_place(),
            Act::Kill => self.kill().await,
            Act::Time => {
                let minutes = self.chance.between(1, if self.chance.clone().is(20) { 1_800 } else { 60 });
                self.world.pass(Duration::from_mins(u64::try_from(minutes)?))
            }
            Act::Clock => self.turn_a_clock(),
        }
    }

    fn drawn(&mut self) -> Act {
        let all: usize = CHANCES.iter().map(|(chances, _)| chances).sum();
        let mut at = self.chance.below(all);
        for (chances, act) in CHANCES {
            if at < *chances {
                return *act;
            }
            at -= chances;
        }
        Act::Small
    }

    /// Everybody is left alone for a moment. Whoever was struck dies, or goes on after others may have taken their work.
    async fn rest(&mut self) -> anyhow::Result<()> {
        tokio::time::timeout(REST, self.world.quiet()).await.unwrap_or(Ok(false))?;
        if !self.world.is_struck() {
            return Ok(());
        }
        let Some(harm) = self.harm.take() else { return Ok(()) };
        self.world.forget_harm();
        if harm.dies {
            self.world.kill(harm.node);
            if self.chance.is(70) {
                self.world.start(harm.node).await?;
            }
        }
        if self.chance.is(70) {
            self.world.place.lapse_leases().await;
            tokio::time::timeout(REST, self.world.quiet()).await.unwrap_or(Ok(false))?;
        }
        if let Some(let_go) = harm.let_go {
            let_go.send(()).unwrap_or_default();
        }
        Ok(())
    }

    /// Nothing goes wrong any more: whoever was killed is back, what is on its way arrives, clocks go right, and somebody
    /// lets things leave again where they were stopped.
    async fn end(mut self) -> anyhow::Result<Vec<Breach>> {
        drop(self.harm.take());
        self.world.heal().await?;
        let right = self.world.stripe.now_s();
        if self.world.machine_now().unix_s() < right {
            self.world.set_machine_s(right);
        }
        if self.world.engine(0)?.clock_trouble().is_some() {
            self.world.spec.clock_accepted = true;
            for node in 0..self.world.nodes.len() {
                self.world.start(node).await?;
            }
        }
        for event in std::mem::take(&mut self.late) {
            for _ in 0..3 {
                if self.world.deliver(0, &event).await {
                    break;
                }
            }
        }
        self.world.quiet().await?;
        let engine = self.world.engine(0)?.clone();
        for (scope, _) in engine.health().await?.kill_switches {
            engine.revive(&Actor::Engine, &scope).await.context("nobody lets it leave again")?;
        }
        // Whoever holds it keeps its successor out.
        drop(engine);
        self.world.live().await?;
        self.world.poll_no_more().await?;
        self.world.end().await?;
        let mirrored = super::wire::mirrored(&self.world).await?;
        self.world.seen.extend(mirrored);
        self.world.breaches().await
    }
}
