//! Chance from a seed: the same numbers in the same order.

#[derive(Clone, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// One for each purpose, so that what one of them takes leaves the others as they were.
    pub(super) fn new(seed: u64, purpose: &str, number: u64) -> Self {
        let mixed =
            purpose.bytes().fold(seed ^ number.rotate_left(32), |mixed, byte| mix(mixed ^ u64::from(byte)));
        Self(mixed)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0) % bound.max(1)
    }

    pub(super) fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// One of several.
    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let place = self.below(all.len() as u64);
        &all[usize::try_from(place).unwrap_or(0)]
    }
}

/// The finaliser of `SplitMix64`.
fn mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_what_comes() {
        let drawn = |seed, purpose, number| {
            let mut draw = Draw::new(seed, purpose, number);
            (0..20).map(|_| draw.within(5..15)).collect::<Vec<u64>>()
        };
        assert_eq!(drawn(1, "a", 0), drawn(1, "a", 0));
        assert!(drawn(1, "a", 0).iter().all(|drawn| (5..15).contains(drawn)));
        for other in [drawn(2, "a", 0), drawn(1, "b", 0), drawn(1, "a", 1)] {
            assert_ne!(drawn(1, "a", 0), other);
        }
    }
}
