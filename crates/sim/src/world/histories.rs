//! Histories of objects at Stripe: what befalls an invoice, a charge, a customer or a subscription within two days.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::acts::Unpaid;
use super::chance::Chance;
use super::stand::World;

/// What befalls an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// An invoice fails, and the customer pays it.
    PaidLater,
    Voided,
    /// It fails and a card is given with which it can be paid.
    CardGiven,
    /// It fails and stays so; the customer changes.
    Unpaid,
    PartlyRefunded,
    Disputed,
    DisputeClosed,
    CustomerDeleted,
    SubscriptionChanged,
    SubscriptionEnded,
}

const STORIES: [Story; 10] = [
    Story::PaidLater,
    Story::Voided,
    Story::CardGiven,
    Story::Unpaid,
    Story::PartlyRefunded,
    Story::Disputed,
    Story::DisputeClosed,
    Story::CustomerDeleted,
    Story::SubscriptionChanged,
    Story::SubscriptionEnded,
];

/// Histories at the same time.
pub(super) const HISTORIES: usize = 8;
/// The longest rest between two things that happen, so that the last is less than three days after the first.
const REST_S_MAX: i64 = 3 * 3_600;

enum Begun {
    Invoice(Unpaid),
    Charge(String),
    /// There is no more to it.
    Told,
}

/// Lets them happen, beside one another.
pub(super) async fn happen(world: &World, chance: &mut Chance) -> anyhow::Result<()> {
    let mut begun = Vec::new();
    for _ in 0..HISTORIES {
        let story = STORIES[chance.below(STORIES.len())];
        begun.push((story, begin(world, story)?));
        rest(world, chance)?;
    }
    for (story, begun) in chance.shuffled(begun) {
        go_on(world, story, begun).await.with_context(|| format!("{story:?}"))?;
        rest(world, chance)?;
    }
    Ok(())
}

/// Sometimes two things happen in one second.
fn rest(world: &World, chance: &mut Chance) -> anyhow::Result<()> {
    if chance.is(80) {
        world.pass(Duration::from_secs(u64::try_from(chance.between(1, REST_S_MAX))?))?;
    }
    Ok(())
}

fn begin(world: &World, story: Story) -> anyhow::Result<Begun> {
    let trigger = |kind: &str| world.trigger(kind, json!({}));
    Ok(match story {
        Story::PaidLater | Story::Voided | Story::CardGiven | Story::Unpaid => {
            Begun::Invoice(world.unpaid("insufficient_funds")?)
        }
        Story::PartlyRefunded => Begun::Charge(world.charge(9_000)?),
        Story::Disputed => trigger("charge.dispute.created").map(|_| Begun::Told)?,
        Story::DisputeClosed => trigger("charge.dispute.closed").map(|_| Begun::Told)?,
        Story::CustomerDeleted => trigger("customer.deleted").map(|_| Begun::Told)?,
        Story::SubscriptionChanged => trigger("customer.subscription.updated").map(|_| Begun::Told)?,
        Story::SubscriptionEnded => trigger("customer.subscription.deleted").map(|_| Begun::Told)?,
    })
}

async fn go_on(world: &World, story: Story, begun: Begun) -> anyhow::Result<()> {
    match begun {
        Begun::Told => Ok(()),
        Begun::Charge(charge) => {
            made(&world.call("/v1/refunds", &[("charge", &charge), ("amount", "1000")]).await?)
        }
        Begun::Invoice(unpaid) => {
            let of_invoice = |verb: &str| format!("/v1/invoices/{}/{verb}", unpaid.invoice);
            match story {
                Story::PaidLater => {
                    world.give_card(&unpaid).await?;
                    made(&world.call(&of_invoice("pay"), &[]).await?)
                }
                Story::Voided => made(&world.call(&of_invoice("void"), &[]).await?),
                Story::CardGiven => world.give_card(&unpaid).await,
                _ => {
                    let path = format!("/v1/customers/{}", unpaid.customer);
                    made(&world.call(&path, &[("description", "moved house")]).await?)
                }
            }
        }
    }
}

fn made(answer: &Value) -> anyhow::Result<()> {
    ensure!(answer["object"].is_string(), "{answer}");
    Ok(())
}
