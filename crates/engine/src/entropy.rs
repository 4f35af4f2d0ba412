//! Where new ids and secrets come from.

use ring::rand::{SecureRandom as _, SystemRandom};

/// The operating system's randomness.
#[derive(Debug)]
pub struct Entropy(SystemRandom);

impl Default for Entropy {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Entropy {
    /// # Panics
    /// When the operating system has no randomness to give: nothing can be done safely then.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes).expect("the operating system gives randomness");
        bytes
    }

    /// For a new id.
    pub fn id(&self) -> [u8; 16] {
        self.bytes()
    }
}
