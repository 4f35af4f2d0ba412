//! Draws that follow from a seed.

use crate::world::ids;

/// A stream of draws.
#[derive(Debug)]
pub struct Draw {
    seed: u64,
    drawn: u64,
}

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    fn next(&mut self) -> u64 {
        self.drawn += 1;
        ids::mix(self.seed ^ ids::mix(self.drawn))
    }

    /// A number below `bound`, which is at least one.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    /// A number from `least` to below `bound`.
    pub fn between(&mut self, least: i64, bound: i64) -> i64 {
        let span = u64::try_from(bound - least).unwrap_or(1).max(1);
        least + i64::try_from(self.next() % span).unwrap_or_default()
    }

    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Letters and digits.
    pub fn letters(&mut self, length: usize) -> String {
        let position = self.next();
        ids::letters(self.seed, position, length)
    }
}
