//! How much a sender may take of us before anybody knows who it is. Whoever takes more loses the connection, so that many
//! of them cost little.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From when a request is waited for to the last of its headers. An idle connection ends with it too.
    pub headers: Duration,
    /// From there to the last byte of its body.
    pub body: Duration,
    /// After so long, a body must have come at `body_bytes_per_s` since.
    pub body_start: Duration,
    pub body_bytes_per_s: u32,
    /// How long an answer may wait for a sender that does not read it.
    pub unread: Duration,
    pub connections_max: usize,
    pub connections_per_peer_max: usize,
}

/// Of these, longer bodies of all requests share so many bytes; a usual event never asks for any.
pub const BODY_BYTES_FREE: usize = 16 * 1024;
pub const BODIES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A head of more is answered 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Connections that may wait to be accepted. Beyond it the system drops a newcomer's first packet, and who was dropped tries
/// again only after a second: many who come at once must not do that to a person among them.
pub const UNACCEPTED_MAX: u32 = 4_096;
/// Files and sockets of our own: databases, Stripe, mail, logs.
const DESCRIPTORS_OWN: usize = 256;
const DESCRIPTORS_MAX: u64 = 65_536;
const CONNECTIONS_MAX: usize = 4_096;

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(5),
            body: Duration::from_secs(10),
            body_start: Duration::from_secs(1),
            body_bytes_per_s: 1_024,
            unread: Duration::from_secs(10),
            connections_max: CONNECTIONS_MAX,
            connections_per_peer_max: CONNECTIONS_MAX / 4,
        }
    }
}

impl Limits {
    /// The usual ones, within what the system lets this process open; asks it for as much as it may have.
    pub fn of_this_process() -> Self {
        let usual = Self::default();
        let may_open = descriptors();
        let most = usual.connections_max.min(may_open.saturating_sub(DESCRIPTORS_OWN)).max(64);
        if most < usual.connections_max {
            tracing::warn!(may_open, connections = most, "few files may be open at once; see `ulimit -n`");
        }
        Self { connections_max: most, connections_per_peer_max: (most / 4).max(64), ..usual }
    }

    /// When a body of which so much has come must have brought more.
    pub(super) fn body_patience(&self, came_bytes: u64) -> Duration {
        let earned = Duration::from_secs(came_bytes / u64::from(self.body_bytes_per_s.max(1)));
        self.body.min(self.body_start + earned)
    }
}

fn descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.unwrap_or(DESCRIPTORS_MAX).min(DESCRIPTORS_MAX);
    let is_low = now.current.is_some_and(|current| current < wanted);
    if is_low && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: now.maximum }).is_err()
    {
        tracing::debug!("the limit on open files stays as it is");
    }
    usize::try_from(getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS_MAX)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_earns_its_time_and_never_more_than_all_of_it() {
        let limits = Limits::default();
        for (came, seconds) in
            [(0, 1), (1_023, 1), (1_024, 2), (5 * 1_024, 6), (9 * 1_024, 10), (1 << 40, 10)]
        {
            assert_eq!(limits.body_patience(came), Duration::from_secs(seconds), "{came}");
        }
    }

    #[test]
    fn a_process_may_open_what_it_counts_on() {
        let limits = Limits::of_this_process();
        assert!((64..=CONNECTIONS_MAX).contains(&limits.connections_max));
        assert!(limits.connections_per_peer_max <= limits.connections_max);
    }
}
