//! Northwind: the months of a company's life, believable, and the same for the same seed.
//!
//! The story is lived through with the real billing at high speed, so that every object fits every
//! other; only the journal looks away, and writes down the outcome at the end.

mod catalogue;
mod draw;
mod life;
pub mod live;
mod names;
mod profile;

use self::draw::Draw;
use self::life::{Act, Life};
use self::profile::{Fate, Profile};
use crate::api::events;
use crate::error::Error;
use crate::world::World;

/// How large the company is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// For tests: every kind of trouble, few customers.
    Small,
    /// For demonstrations.
    Medium,
    /// For measuring.
    Large,
}

impl Size {
    pub fn customers(self) -> usize {
        match self {
            Self::Small => 70,
            Self::Medium => 420,
            Self::Large => 2400,
        }
    }

    pub fn months(self) -> i64 {
        match self {
            Self::Small => 4,
            Self::Medium => 9,
            Self::Large => 12,
        }
    }
}

const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;

/// One failure of each class and more, for those whose payment is failing right now.
const TROUBLES: [&str; 18] = [
    "decline:insufficient_funds",
    "decline:expired_card",
    "authenticate",
    "decline:do_not_honor",
    "decline:lost_card",
    "decline:generic_decline",
    "decline:card_not_supported",
    "decline:processing_error",
    "decline:stolen_card",
    "decline:try_again_later",
    "decline:incorrect_cvc",
    "decline:transaction_not_allowed",
    "decline:card_velocity_exceeded",
    "decline:fraudulent",
    "decline:invalid_account",
    "decline:revocation_of_authorization",
    "decline:issuer_not_available",
    "decline:restricted_card",
];

/// Fills an empty world with a company's history up to `now`.
pub fn populate(world: &mut World, now: i64, size: Size) -> Result<(), Error> {
    let mut draw = Draw::new(world.ids.seed() ^ 0x4e6f_7274_6877_696e);
    let profiles = profile::list(&mut draw, size, now);
    let begins = now - (size.months() * 30 + 1) * DAY_S;
    world.rest_journal(now - events::KEPT_S);
    let mut life = Life::new(world, profiles.clone(), begins)?;
    for (place, profile) in profiles.iter().enumerate() {
        life.plan(profile.joined, Act::Join(place));
        foresee(&mut life, &mut draw, place, profile, now);
    }
    fail_now(&mut life, &mut draw, now);
    fail_soon(&mut life, &mut draw, now);
    sell(&mut life, &mut draw, now);
    life.live(now)?;
    live::begin(world, now)?;
    world.resume_journal(now)
}

/// What a customer's fate brings, and the small mishaps of the steady ones.
fn foresee(life: &mut Life<'_>, draw: &mut Draw, place: usize, profile: &Profile, now: i64) {
    let card = |acts: &str, until| Act::Card(place, acts.to_owned(), until);
    match profile.fate {
        Fate::Incomplete | Fate::IncompleteExpired => {
            life.plan(profile.joined - 1, card("decline:insufficient_funds", None));
        }
        Fate::Unpaid => {
            life.plan(profile.joined + DAY_S, card("decline:do_not_honor", None));
            life.plan(profile.joined + 43 * DAY_S, Act::GiveUpCollecting(place));
        }
        Fate::Left => life.plan(draw.between(profile.joined + HOUR_S, now), Act::Leave(place)),
        Fate::Leaving => life
            .plan(draw.between(now - 5 * DAY_S, now).max(profile.joined + 1), Act::LeaveAtPeriodEnd(place)),
        Fate::Trialing | Fate::Paused => {}
        Fate::Steady => mishap(life, draw, place, profile, now),
    }
}

fn mishap(life: &mut Life<'_>, draw: &mut Draw, place: usize, profile: &Profile, now: i64) {
    let age = now - profile.joined;
    let sometime = profile.joined + draw.between(HOUR_S, age.max(2 * HOUR_S));
    match draw.below(100) {
        // A card that is empty for a few days, and recovers.
        0..10 => {
            let until = sometime + draw.between(2, 9) * DAY_S;
            life.plan(sometime, Act::Card(place, (*draw.of(&TROUBLES[..4])).to_owned(), Some(until)));
        }
        // A card that is gone: the subscription ends with it.
        10..13 if age > 75 * DAY_S => {
            let early = profile.joined + draw.between(DAY_S, 25 * DAY_S);
            life.plan(early, Act::Card(place, "decline:pickup_card".to_owned(), None));
        }
        13..17 => life.plan(sometime, Act::Refund(place, 100)),
        17..20 => life.plan(sometime, Act::Refund(place, draw.between(10, 60))),
        20..22 => {
            let lately = now - draw.between(DAY_S, 8 * DAY_S);
            let reasons =
                ["fraudulent", "product_not_received", "subscription_canceled", "duplicate", "general"];
            let reason = *draw.of(&reasons);
            life.plan(lately.max(profile.joined + HOUR_S), Act::Dispute(place, reason));
        }
        _ => {}
    }
}

/// Invoices that are open today: one for each sort of trouble, as far as there are customers for it.
fn fail_now(life: &mut Life<'_>, draw: &mut Draw, now: i64) {
    let wanted = (life.profiles().len() / 14).max(12);
    let candidates: Vec<(usize, i64)> = life
        .profiles()
        .iter()
        .enumerate()
        .filter_map(|(place, profile)| Some((place, profile.last_renewal(now - 3 * HOUR_S)?)))
        .filter(|(_, renewal)| *renewal > now - 12 * DAY_S)
        .take(wanted)
        .collect();
    for (index, (place, renewal)) in candidates.into_iter().enumerate() {
        let acts = TROUBLES[index % TROUBLES.len()];
        let recovers = acts == "decline:insufficient_funds" || acts == "decline:try_again_later";
        let until = recovers.then(|| now + draw.between(1, 6) * DAY_S);
        life.plan(renewal - 60, Act::Card(place, acts.to_owned(), until));
    }
}

/// Renewals of the next days that will fail, so that there is something to watch.
fn fail_soon(life: &mut Life<'_>, draw: &mut Draw, now: i64) {
    let soon: Vec<(usize, i64)> = life
        .profiles()
        .iter()
        .enumerate()
        .filter_map(|(place, profile)| Some((place, profile.next_renewal(now)?)))
        .filter(|(_, renewal)| *renewal < now + 4 * DAY_S)
        .collect();
    for (place, renewal) in soon {
        if draw.percent(45) {
            let acts = (*draw.of(&TROUBLES)).to_owned();
            let until = draw.percent(50).then(|| renewal + draw.between(1, 8) * DAY_S);
            life.plan(now, Act::Card(place, acts, until));
        }
    }
}

const LARGE: [&str; 4] =
    ["Onboarding package", "Data migration", "Training day", "Premium support, one quarter"];
const SMALL: [&str; 3] = ["Extra seats", "SMS credits", "Report export"];

/// Single purchases of the last days: large ones that somebody may want to refund, and small ones.
fn sell(life: &mut Life<'_>, draw: &mut Draw, now: i64) {
    let buyers: Vec<usize> = life
        .profiles()
        .iter()
        .enumerate()
        .filter(|(_, profile)| {
            profile.fate == Fate::Steady && profile.currency() == "usd" && profile.joined < now - 4 * DAY_S
        })
        .map(|(place, _)| place)
        .collect();
    for index in 0..24 {
        let place = *draw.of(&buyers);
        let at = now - draw.between(HOUR_S / 2, 60 * HOUR_S);
        let wares: &[&'static str] = if index % 3 == 2 { &SMALL } else { &LARGE };
        let what = *draw.of(wares);
        let act = if index % 3 == 2 {
            Act::Purchase(place, life::priced(draw, 9, 95, "usd"), what)
        } else {
            Act::Purchase(place, life::priced(draw, 520, 4800, "usd"), what)
        };
        life.plan(at, act);
    }
}
