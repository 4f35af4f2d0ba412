//! Ways in which real mail servers disappoint, on demand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Behaves.
    #[default]
    None,
    /// `550` to every recipient.
    RefuseRecipients,
    /// `451` to every recipient: come back later.
    Greylist,
    /// `554` to every complete message, which is not kept.
    RefuseMessages,
    /// Keeps the message and never answers; the connection stays open.
    SilentAfterMessage,
    /// Keeps the message and closes the connection without an answer.
    HangUpAfterMessage,
    /// Closes the connection while the message is still coming; nothing is kept.
    HangUpWithinMessage,
    /// Waits so long before every answer.
    Slow(Duration),
}

/// A switch that is shared with a running listener and takes effect with the next answer.
#[derive(Clone, Debug, Default)]
pub struct Conduct(Arc<Mutex<Misbehaviour>>);

impl Conduct {
    pub fn set(&self, misbehaviour: Misbehaviour) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = misbehaviour;
    }

    pub fn current(&self) -> Misbehaviour {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
