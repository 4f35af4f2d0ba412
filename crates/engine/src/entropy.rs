//! Where new ids and secrets come from.

use std::sync::{Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// The operating system's randomness.
#[derive(Debug)]
pub struct Entropy(Source);

#[derive(Debug)]
enum Source {
    System(SystemRandom),
    Seed(Mutex<(u64, u64)>),
}

impl Default for Entropy {
    fn default() -> Self {
        Self(Source::System(SystemRandom::new()))
    }
}

impl Entropy {
    /// For a simulation that is to come out the same twice, and for nothing else: everybody can tell what comes next.
    #[doc(hidden)]
    pub fn from_seed(seed: u64) -> Self {
        Self(Source::Seed(Mutex::new((seed, 0))))
    }

    /// Another source of the same kind.
    pub(crate) fn another(&self) -> Self {
        match &self.0 {
            Source::System(_) => Self::default(),
            Source::Seed(_) => Self::from_seed(u64::from_be_bytes(self.bytes())),
        }
    }

    /// At most 32.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing can be done safely then.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System(system) => system.fill(&mut bytes).expect("the operating system gives randomness"),
            Source::Seed(counter) => {
                let mut counter = counter.lock().unwrap_or_else(PoisonError::into_inner);
                counter.1 += 1;
                let mut text = counter.0.to_be_bytes().to_vec();
                text.extend(counter.1.to_be_bytes());
                let drawn = digest(&SHA256, &text);
                bytes.iter_mut().zip(drawn.as_ref()).for_each(|(byte, drawn)| *byte = *drawn);
            }
        }
        bytes
    }

    /// For a new id.
    pub fn id(&self) -> [u8; 16] {
        self.bytes()
    }
}
