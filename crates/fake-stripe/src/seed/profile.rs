//! Who joins when, on which plan, and what fate has in store for their card.

use super::Size;
use super::draw::Draw;
use super::names::{Firm, MARKETS};
use crate::billing::calendar::{Interval, after};

/// How a customer came to where they stand today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Steady,
    /// Tries the product; the trial ends in the future.
    Trialing,
    /// The first payment failed today: there are hours left.
    Incomplete,
    /// The first payment failed days ago.
    IncompleteExpired,
    /// A trial ended without a card.
    Paused,
    /// Retries ran out, and the account keeps the door open.
    Unpaid,
    /// Left some time ago.
    Left,
    /// Will leave at the end of the period.
    Leaving,
}

/// A customer to be.
#[derive(Debug, Clone)]
pub struct Profile {
    pub firm: Firm,
    pub plan: usize,
    pub quantity: i64,
    pub yearly: bool,
    pub joined: i64,
    pub brand: &'static str,
    pub last4: String,
    pub fingerprint: String,
    pub fate: Fate,
}

const DAY_S: i64 = 86_400;
pub const MONTH: Interval<'_> = Interval { unit: "month", count: 1 };

impl Profile {
    pub fn currency(&self) -> &'static str {
        MARKETS[self.firm.market].currency
    }

    /// The end of the last month before `now`, for those who pay by the month.
    pub fn last_renewal(&self, now: i64) -> Option<i64> {
        if self.yearly || !matches!(self.fate, Fate::Steady) {
            return None;
        }
        (1..2000).map(|n| after(self.joined, MONTH, n)).take_while(|end| *end <= now).last()
    }

    pub fn next_renewal(&self, now: i64) -> Option<i64> {
        if self.yearly || !matches!(self.fate, Fate::Steady) {
            return None;
        }
        (1..2000).map(|n| after(self.joined, MONTH, n)).find(|end| *end > now)
    }
}

/// Draws the list of customers, oldest first.
pub fn list(draw: &mut Draw, size: Size, now: i64) -> Vec<Profile> {
    let count = size.customers();
    let rare = (count / 100).max(3);
    let mut profiles: Vec<Profile> =
        (0..count).map(|index| one(draw, index, fate(index, rare), size, now)).collect();
    profiles.sort_by_key(|profile| profile.joined);
    profiles
}

/// The first of the list have the rare fates, so that each size has all of them.
fn fate(index: usize, rare: usize) -> Fate {
    const RARE: [Fate; 7] = [
        Fate::Trialing,
        Fate::Incomplete,
        Fate::IncompleteExpired,
        Fate::Paused,
        Fate::Unpaid,
        Fate::Left,
        Fate::Leaving,
    ];
    RARE.get(index / rare).copied().unwrap_or(Fate::Steady)
}

fn one(draw: &mut Draw, index: usize, fate: Fate, size: Size, now: i64) -> Profile {
    let firm = Firm::draw(draw, index);
    let plan = match draw.below(100) {
        0..30 => 0,
        30..60 => 1,
        60..88 => 2,
        _ => 3,
    };
    let quantity = if plan == 1 { draw.between(1, 9) } else { 1 };
    let history_s = size.months() * 30 * DAY_S;
    let joined = now
        - match fate {
            Fate::Trialing => draw.between(DAY_S / 2, 13 * DAY_S),
            Fate::Incomplete => draw.between(3600, 20 * 3600),
            Fate::IncompleteExpired => draw.between(2 * DAY_S, 25 * DAY_S),
            Fate::Paused => draw.between(16 * DAY_S, 40 * DAY_S),
            Fate::Unpaid => draw.between(50 * DAY_S, 80 * DAY_S),
            Fate::Left | Fate::Leaving | Fate::Steady => draw.between(DAY_S, history_s),
        };
    let brand = *draw.of(&["visa", "visa", "visa", "mastercard", "mastercard", "amex"]);
    Profile {
        firm,
        plan,
        quantity,
        yearly: fate == Fate::Steady && draw.percent(12),
        joined,
        brand,
        last4: format!("{:04}", draw.below(10_000)),
        fingerprint: draw.letters(16),
        fate,
    }
}
