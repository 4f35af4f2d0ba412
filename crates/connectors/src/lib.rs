//! The outside that is not Stripe; each connector with its offline fake.
//!
//! A connector makes one delivery true and says what became of it in a word from a closed list. It keeps nothing and
//! repeats nothing: the durable intent, the waiting and the decision to try again belong to the engine. What a
//! connector owes the engine is honesty about the moment after which a repeat could reach somebody twice.

use std::future::Future;

pub mod delivery;
mod error;
pub mod mail;
pub mod silence;
pub mod webhook;

pub use delivery::{Delivery, DeliveryKey, DeliveryOutcome};
pub use error::Error;

/// One way out. The engine names the connector an action needs, so a message can never reach the wrong one.
pub trait Connector: Send + Sync {
    /// What this connector carries: a letter, a chat card, a CRM note.
    type Message: Send + Sync;

    /// The connector's name in logs, metrics and the health page.
    fn name(&self) -> &'static str;

    /// How to learn whether an earlier attempt took effect.
    fn lookup(&self) -> Lookup;

    /// Carries one message to the other side, within the connector's own deadlines. The answer is final for this
    /// attempt; dropping the future midway leaves it unknown whether the message went out.
    fn deliver(&self, delivery: &Delivery<Self::Message>) -> impl Future<Output = DeliveryOutcome> + Send;

    /// Talks to the other side without any effect there.
    fn health(&self) -> impl Future<Output = Health> + Send;
}

/// What protects a repeat after an attempt whose outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A repeat changes nothing.
    Harmless { why: &'static str },
    /// The other side can be asked what it holds under the delivery's key.
    ByKey,
    /// Nobody can tell. What was possibly sent is never sent again by itself.
    None,
}

/// Whether the other side would take a message now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// `detail` says whom we reached and how.
    Up {
        detail: String,
    },
    Down {
        why: String,
    },
}
