//! What just happened, for live pages and terminals. A hint to look again, never the record itself.

use serde::Serialize;
use tokio::sync::broadcast;

#[derive(Clone, Debug, Serialize)]
pub struct FeedItem {
    pub seq: u64,
    /// Business time, microseconds.
    pub at: i64,
    /// `event`, `case`, `approval`, `execution`, `audit`, `quarantine`.
    pub kind: &'static str,
    pub lane: String,
    pub case: Option<String>,
    pub approval: Option<String>,
    /// One line for people.
    pub text: String,
}

#[derive(Debug)]
pub(crate) struct Feed {
    sender: broadcast::Sender<FeedItem>,
    next: std::sync::atomic::AtomicU64,
}

/// Listeners that fall further behind are told to look again.
const BACKLOG: usize = 512;

impl Default for Feed {
    fn default() -> Self {
        Self { sender: broadcast::channel(BACKLOG).0, next: std::sync::atomic::AtomicU64::new(1) }
    }
}

impl Feed {
    pub(crate) fn tell(&self, mut item: FeedItem) {
        item.seq = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Nobody listening is no error.
        let _ = self.sender.send(item);
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<FeedItem> {
        self.sender.subscribe()
    }
}
