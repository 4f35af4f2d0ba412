//! What a demo remembers between starts: ports, secrets, tokens.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use bursar_engine::{Clocks, Entropy};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Clone, Serialize, Deserialize)]
pub struct Saved {
    pub seed: u64,
    /// Business time at the first start.
    pub start_s: i64,
    pub webhook_secret: String,
    /// Seconds of business time in a second.
    #[serde(default)]
    pub speed: Option<u32>,
    pub port: Option<u16>,
    pub stripe_port: Option<u16>,
    /// Role to bearer token.
    #[serde(default)]
    pub tokens: std::collections::BTreeMap<String, String>,
    /// Whether the refund requests of the first start were made.
    #[serde(default)]
    pub has_requests: bool,
}

/// The usual speed.
const SPEED: u32 = 60;
const FILE: &str = "demo-state.json";

impl Saved {
    pub fn load_or_make(data_dir: &Path, seed: u64) -> anyhow::Result<Self> {
        let path = data_dir.join(FILE);
        if path.exists() {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            return serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged; remove it to start anew", path.display()));
        }
        let secret = bursar_domain::id::encode(Entropy::default().id()).to_lowercase();
        Ok(Self {
            seed,
            start_s: Clocks::system().machine().unix_s(),
            webhook_secret: format!("whsec_{secret}"),
            speed: None,
            port: None,
            stripe_port: None,
            tokens: std::collections::BTreeMap::new(),
            has_requests: false,
        })
    }

    /// The speed asked for, else that of last time, else the usual one; kept for the next start.
    pub fn keep_speed(&mut self, wanted: Option<u32>) -> u32 {
        *self.speed.insert(wanted.or(self.speed).unwrap_or(SPEED))
    }

    /// Whole or not at all: written beside and moved over.
    pub fn save(&self, data_dir: &Path) -> anyhow::Result<()> {
        let (path, beside) = (data_dir.join(FILE), data_dir.join(format!("{FILE}.new")));
        std::fs::write(&beside, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&beside, &path).with_context(|| format!("writing {}", path.display()))
    }
}

/// The address asked for, else the port of last time, else the usual one; any free one where those are taken and nobody
/// insisted.
pub async fn bind(wanted: Option<SocketAddr>, last: Option<u16>, usual: u16) -> anyhow::Result<TcpListener> {
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    match wanted {
        // Port 0 means any: then the one of last time is as good, and links keep working.
        Some(address) if address.port() == 0 => {
            if let Some(port) = last
                && let Ok(listener) = TcpListener::bind(SocketAddr::new(address.ip(), port)).await
            {
                return Ok(listener);
            }
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
        }
        Some(address) => {
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
        }
        None => {
            let port = last.unwrap_or(usual);
            TcpListener::bind(loopback(port)).await.with_context(|| {
                format!("cannot listen on 127.0.0.1:{port}; choose another port, or 0 for any")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One start of a demo in `dir`, as far as its speed goes.
    fn start(dir: &Path, wanted: Option<u32>) -> u32 {
        let mut saved = Saved::load_or_make(dir, 42).unwrap();
        let speed = saved.keep_speed(wanted);
        saved.save(dir).unwrap();
        speed
    }

    #[test]
    fn a_demo_goes_on_at_the_speed_it_last_had() {
        let dir = tempfile::tempdir().unwrap();
        let wishes = [None, Some(0), None, Some(3600), None];
        assert_eq!(wishes.map(|wanted| start(dir.path(), wanted)), [60, 0, 0, 3600, 3600]);
    }

    #[test]
    fn a_demo_from_before_speeds_were_kept_has_the_usual_one() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"seed": 1, "start_s": 2, "webhook_secret": "whsec_x", "port": 1, "stripe_port": 2}"#;
        std::fs::write(dir.path().join(FILE), text).unwrap();
        assert_eq!(start(dir.path(), None), 60);
    }
}
