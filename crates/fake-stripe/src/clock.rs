//! Business time: it moves only when somebody moves it, so that the same steps give the same history.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock of seconds since the epoch that several owners can share. It never goes back.
#[derive(Debug, Clone)]
pub struct SimClock(Arc<AtomicI64>);

impl SimClock {
    pub fn starting_at(now_s: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_s)))
    }

    pub fn now_s(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Moves the clock to `now_s`; an earlier time is ignored.
    pub fn set(&self, now_s: i64) {
        self.0.fetch_max(now_s, Ordering::SeqCst);
    }

    /// Moves the clock forward and says what time it became.
    pub fn advance(&self, seconds: u32) -> i64 {
        self.0.fetch_add(i64::from(seconds), Ordering::SeqCst) + i64::from(seconds)
    }
}

/// Reads machine time, in seconds since the epoch. Webhook signatures carry it.
pub type MachineTime = fn() -> i64;

/// The machine's own clock: the default at the edge.
#[expect(
    clippy::disallowed_methods,
    reason = "signatures must carry real time; this is the one place that reads it"
)]
pub fn machine_time_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok()).unwrap_or_default()
}
