//! What handlers share.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bursar_connectors::mail::mailbox::Mailbox;
use bursar_domain::role::Role;
use bursar_engine::Engine;

use super::probes::Probed;
use super::shares::Shares;

#[derive(Clone)]
pub struct AppState {
    pub engine: Engine,
    /// Present in the demo only.
    pub demo: Option<Arc<Demo>>,
    /// Host names and addresses under which this server may be spoken to; anything else is refused.
    pub hosts: Arc<Hosts>,
    pub metrics: Option<metrics_exporter_prometheus::PrometheusHandle>,
    /// Whether cookies are sent over TLS only.
    pub secure_cookies: bool,
    /// Requests with an `Idempotency-Key` that are being answered right now.
    pub in_flight: Arc<Mutex<HashSet<String>>>,
    /// How many requests of each sort are worked on at once.
    pub shares: Shares,
    /// What probes ask, asked once for all who ask together.
    pub probed: Arc<Probed>,
}

/// What only a demo has.
pub struct Demo {
    pub mailbox: Arc<Mailbox>,
    pub people: Vec<DemoPerson>,
    pub speed: u32,
}

#[derive(Clone, Debug)]
pub struct DemoPerson {
    pub email: String,
    pub name: String,
    pub role: Role,
}

/// Which `Host` headers are ours.
#[derive(Debug, Default)]
pub struct Hosts {
    pub names: Vec<String>,
}

impl Hosts {
    /// Loopback and plain addresses always are: a page that rebinds its own name to us still sends its own name.
    pub fn allows(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
        });
        let name = name.trim_matches(['[', ']']);
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok()
            || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        let hosts = Hosts { names: vec!["bursar.example.com".to_owned()] };
        for ours in
            ["localhost:7171", "127.0.0.1:1", "[::1]:7171", "bursar.example.com", "Bursar.Example.com:443"]
        {
            assert!(hosts.allows(ours), "{ours}");
        }
        for other in ["evil.example", "bursar.example.com.evil.example", "", "localhost.evil:80"] {
            assert!(!hosts.allows(other), "{other}");
        }
    }
}
