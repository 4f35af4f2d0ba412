//! The same histories twice: told in order, and in any order, several times over, some changes under two names, and some
//! events never. What never came is found in Stripe's list. Both must come to the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use bursar_store::{events, objects};
use serde_json::Value;

use super::chance::Chance;
use super::histories;
use super::spec::Where;
use super::stand::World;
use crate::checker::Breach;

#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) at: Where,
}

/// Events at the same moment.
const TOGETHER: usize = 12;
/// Looks, a few milliseconds apart, within which what never came must be found.
const LOOKS: usize = 2_000;

pub(super) async fn compared(trial: &Trial) -> anyhow::Result<Vec<Breach>> {
    let (told, in_order) = told(trial, Order::Kept).await?;
    let (mut world, disordered) = self::told(trial, Order::Lost).await?;
    told.breaches().await?.into_iter().for_each(|breach| world.seen.push(breach));
    for (what, one, other) in in_order.differences(&disordered) {
        world.note("I4", format!("{what} is {one} in order, and {other} in disorder"));
    }
    world.breaches().await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Kept,
    Lost,
}

/// A world to which its histories were told, and what it knows then.
async fn told(trial: &Trial, order: Order) -> anyhow::Result<(World, Known)> {
    let mut spec = trial.at.spec();
    (spec.pays_alone, spec.writes_letters) = (true, false);
    let mut world = World::open(spec).await?;
    // Nobody listens while it happens, so that Stripe's side is the same both times.
    world.kill(0);
    let mut chance = Chance::of(trial.at.seed);
    histories::happen(&world, &mut chance).await?;
    let happened = world.events().await?;
    world.start(0).await?;
    let dropped = match order {
        Order::Kept => {
            for event in &happened {
                ensure!(world.deliver(0, event).await, "{} is not acknowledged", event["id"]);
                world.quiet().await?;
            }
            Vec::new()
        }
        Order::Lost => shuffle_and_tell(&mut world, &happened, &mut chance).await?,
    };
    world.live().await?;
    // From here on Stripe's list is read too.
    world.spec.polls = true;
    world.start(0).await?;
    world.found_by_polling(&dropped).await?;
    world.live().await?;
    world.poll_no_more().await?;
    world.live().await?;
    let known = Known::gather(&world, &happened).await?;
    Ok((world, known))
}

/// Up to ten copies of each in any order, one in ten under another name besides; one in twenty never comes. Answers those.
async fn shuffle_and_tell(
    world: &mut World,
    happened: &[Value],
    chance: &mut Chance,
) -> anyhow::Result<Vec<String>> {
    let (mut told, mut dropped) = (Vec::new(), Vec::new());
    for event in happened {
        if chance.is(5) {
            dropped.push(event["id"].as_str().context("an event without an id")?.to_owned());
            continue;
        }
        let copies = if chance.is(20) { chance.between(1, 10) } else { chance.between(1, 2) };
        for _ in 0..copies {
            told.push(event.clone());
        }
        if chance.is(10) {
            let mut twin = event.clone();
            twin["id"] = format!("{}Twin", event["id"].as_str().unwrap_or_default()).into();
            told.push(twin);
        }
    }
    let told = chance.shuffled(told);
    for together in told.chunks(TOGETHER) {
        world.deliver_together(together).await?;
        if chance.is(30) {
            world.quiet().await?;
        }
    }
    Ok(dropped)
}

impl World {
    /// Many webhooks at the same moment; what is not acknowledged comes again, as from Stripe.
    async fn deliver_together(&mut self, events: &[Value]) -> anyhow::Result<()> {
        let mut left: Vec<&Value> = events.iter().collect();
        for _ in 0..5 {
            let sent =
                left.iter().map(|event| self.delivery(0, event)).collect::<anyhow::Result<Vec<_>>>()?;
            let mut again = Vec::new();
            for (event, sent) in left.into_iter().zip(sent) {
                if sent.await? {
                    self.is_acknowledged(event);
                } else {
                    again.push(event);
                }
            }
            if again.is_empty() {
                return Ok(());
            }
            left = again;
        }
        anyhow::bail!("events are not acknowledged")
    }

    /// Waits until what never came was read from Stripe's list, and marks it as what must be kept.
    async fn found_by_polling(&mut self, dropped: &[String]) -> anyhow::Result<()> {
        let lane = format!("{}/test", self.stripe.account_id());
        for id in dropped {
            let mut looks = 0;
            while events::get(&mut self.reader.read().await?, &lane, id).await?.is_none() {
                looks += 1;
                if looks == LOOKS {
                    self.note("I1", format!("{id} never came, and was not found in Stripe's list"));
                    return Ok(());
                }
                tokio::time::sleep(std::time::Duration::from_millis(4)).await;
            }
        }
        Ok(())
    }
}

/// What a program knows, and what it did.
#[derive(Debug, Default)]
struct Known(BTreeMap<String, String>);

impl Known {
    async fn gather(world: &World, happened: &[Value]) -> anyhow::Result<Known> {
        let mut known = BTreeMap::new();
        let lane = format!("{}/test", world.stripe.account_id());
        let about = happened.iter().filter_map(|event| {
            let object = &event["data"]["object"];
            Some((object["object"].as_str()?.to_owned(), object["id"].as_str()?.to_owned()))
        });
        let mut db = world.reader.read().await?;
        for (kind, id) in about.collect::<BTreeSet<_>>() {
            let held = objects::get(&mut db, world.reader.keyring(), &lane, &kind, &id).await?;
            // What is stale is read again before it is used.
            let shown = held.map(|held| match (held.deleted, held.stale) {
                (true, _) => "deleted".to_owned(),
                (false, true) => STALE.to_owned(),
                (false, false) => plain(&held.body),
            });
            known.insert(format!("{kind} {id}"), shown.unwrap_or_default());
        }
        drop(db);
        for case in world.cases().await? {
            let state = if case.state.is_closed() { "closed" } else { case.state.word() };
            let key = format!("case {} {}", case.key.playbook, case.key.object_id);
            known.insert(key, format!("{state} {:?}", case.class));
        }
        for one in world.proposals().await? {
            let action = &one.content.action;
            let key = format!("proposal {} {:?} {:?}", action.verb(), action.target(), action.amount());
            let policies: Vec<&str> =
                one.policy_verdict.policies.iter().map(|policy| policy.id.as_str()).collect();
            let ruling = one.policy_verdict.ruling.as_str();
            known.insert(key, format!("{} {ruling} {}", one.state.as_str(), policies.join(" ")));
        }
        for entry in world.stripe.ledger() {
            let key = format!("effect {} {} {}", entry["kind"], entry["object"], entry["charge"]);
            known.insert(key, entry["amount"].to_string());
        }
        Ok(Known(known))
    }

    fn differences(&self, other: &Known) -> Vec<(String, String, String)> {
        let all: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let said =
            |known: &Known, key: &str| known.0.get(key).cloned().unwrap_or_else(|| "nothing".to_owned());
        let both = all.into_iter().map(|key| (key.clone(), said(self, key), said(other, key)));
        both.filter(|(_, one, other)| one != other && one != STALE && other != STALE).collect()
    }
}

const STALE: &str = "to be read again";

/// The plain fields of an object: what hangs on it has come with one way and not with another.
fn plain(body: &Value) -> String {
    let fields = body.as_object().into_iter().flatten();
    let plain = fields.filter(|(_, value)| !value.is_object() && !value.is_array());
    plain.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
