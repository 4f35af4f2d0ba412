//! Ids and draws that follow from the seed and a counter, so that the same calls make the same ids.

/// A stream of ids; only the counter has to be kept to go on where it stopped.
#[derive(Debug, Clone)]
pub struct IdStream {
    seed: u64,
    pub counter: u64,
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl IdStream {
    pub fn new(seed: u64, counter: u64) -> Self {
        Self { seed, counter }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The next id with this prefix, shaped as Stripe's are.
    pub fn next(&mut self, prefix: &str) -> String {
        let length = match prefix {
            "cus" | "prod" | "si" | "req" => 14,
            "sk_test" | "sk_live" | "rk_test" | "rk_live" => 48,
            "whsec" => 32,
            _ => 24,
        };
        format!("{prefix}_{}", self.text(length))
    }

    /// The next `length` letters and digits.
    pub fn text(&mut self, length: usize) -> String {
        self.counter += 1;
        letters(self.seed, self.counter, length)
    }

    /// The next number below `bound`, which must not be zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.counter += 1;
        mix(self.seed ^ mix(self.counter)) % bound
    }
}

/// Letters and digits that follow from a seed and a position alone.
pub fn letters(seed: u64, position: u64, length: usize) -> String {
    let mut state = mix(seed ^ mix(position));
    let mut left = 0u64;
    let mut out = String::with_capacity(length);
    for index in 0..length {
        if index % 10 == 0 {
            state = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            left = state;
        }
        let letter = ALPHABET[usize::try_from(left % 62).unwrap_or(0)];
        left /= 62;
        out.push(char::from(letter));
    }
    out
}

/// A well-mixed number from a number (splitmix64's finaliser).
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_counter_make_the_same_ids() {
        let mut first = IdStream::new(7, 0);
        let ids: Vec<String> = (0..3).map(|_| first.next("re")).collect();
        let mut resumed = IdStream::new(7, 2);
        assert_eq!(resumed.next("re"), ids[2]);
        assert_ne!(ids[0], ids[1]);
        assert_ne!(IdStream::new(8, 0).next("re"), ids[0]);
        assert_eq!(ids[0].len(), "re_".len() + 24);
    }
}
