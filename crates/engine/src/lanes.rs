//! The lanes this engine acts on: which account each connection turned out to be, its client, its secrets, its mode.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bursar_domain::canonical::hash_hex;
use bursar_domain::lane::Lane;
use bursar_domain::mode::Mode;
use bursar_store::pollers::Poller;
use bursar_store::{Store, pollers};
use bursar_stripe::id::AccountId;
use futures_util::FutureExt as _;
use secrecy::ExposeSecret as _;

use crate::settings::Connection;
use crate::start::store_error;
use crate::stripe_api::Client;
use crate::{Error, Result};

const STRIPE: &str = "https://api.stripe.com";

/// One lane we hold a key for.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) lane: Lane,
    pub(crate) client: Client,
    pub(crate) connection: Connection,
}

/// How soon work for a lane that may belong to a connection still to be made is tried again.
const CONNECTED_LOOK_EVERY: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Lanes {
    open: RwLock<BTreeMap<String, Open>>,
    /// Names of the configured connections.
    configured: Vec<String>,
    /// Those that could not be made because Stripe refuses their key.
    refused: RwLock<BTreeSet<String>>,
}

impl Lanes {
    pub(crate) fn new(configured: &[Connection]) -> Self {
        let configured = configured.iter().map(|connection| connection.name.clone()).collect();
        Self { open: RwLock::default(), configured, refused: RwLock::default() }
    }

    /// A connection could not be made.
    pub(crate) fn note_failure(&self, connection: &str, error: &Error) {
        let mut refused = self.refused.write().unwrap_or_else(PoisonError::into_inner);
        if error.is_key_refused() {
            refused.insert(connection.to_owned());
        } else {
            refused.remove(connection);
        }
    }

    /// Connections whose key Stripe refuses, as far as this node knows and as the lanes' pollers have noted.
    pub(crate) fn keys_refused(&self, pollers: &[Poller]) -> Vec<String> {
        let mut refused = self.refused.read().unwrap_or_else(PoisonError::into_inner).clone();
        let open = self.all();
        // What could be made since is judged by what it hears.
        refused.retain(|name| !open.iter().any(|open| open.connection.name == *name));
        for open in open {
            let noted =
                pollers.iter().find(|poller| open.connection.poll && poller.lane == open.lane.to_string());
            let noted = noted.and_then(|poller| poller.last_error.as_deref());
            if open.client.is_key_refused() || noted.is_some_and(crate::error::says_key_refused) {
                refused.insert(open.connection.name);
            }
        }
        refused.into_iter().collect()
    }

    pub(crate) fn get(&self, lane: &str) -> Option<Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).get(lane).cloned()
    }

    /// The lane, or an error that says that we hold no key for it. While a connection is not made yet nobody can say so:
    /// the lane may be its.
    pub(crate) fn require(&self, lane: &str) -> Result<Open> {
        if let Some(open) = self.get(lane) {
            return Ok(open);
        }
        let open = self.all();
        let waiting =
            self.configured.iter().find(|name| !open.iter().any(|open| open.connection.name == **name));
        Err(match waiting {
            Some(name) => Error::Unavailable {
                on: "Stripe",
                why: format!("the connection `{name}` is not made yet, and {lane} may be its lane"),
                after: CONNECTED_LOOK_EVERY,
            },
            None => Error::not_found("lane with a key", lane),
        })
    }

    pub(crate) fn all(&self) -> Vec<Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.open.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether Stripe itself stands behind a lane, and not something that speaks like it.
    pub(crate) fn is_at_stripe(&self, lane: &str) -> bool {
        self.get(lane).is_some_and(|open| open.connection.api_base.trim_end_matches('/') == STRIPE)
    }

    /// All lanes of a connection at once: whoever looks sees none of them, or its own and the connected ones.
    fn insert(&self, opened: impl IntoIterator<Item = Open>) {
        let named = opened.into_iter().map(|open| (open.lane.to_string(), open));
        self.open.write().unwrap_or_else(PoisonError::into_inner).extend(named);
    }

    /// The mode of playbooks where nobody has set one.
    pub(crate) fn default_mode(&self, lane: &str) -> Mode {
        self.get(lane).map_or(Mode::Observe, |open| open.connection.mode)
    }

    /// Learns which account a connection is, from Stripe or from when it last answered, and opens its lanes.
    pub(crate) async fn connect(&self, store: &Store, connection: &Connection) -> Result<Lane> {
        let client =
            Client::new(&connection.api_base, connection.key.clone(), connection.requests_per_second)?;
        let key_hash =
            hash_hex(format!("{}\n{}", connection.api_base, connection.key.expose_secret()).as_bytes());
        let name = connection.name.clone();
        let known = pollers::connection(&mut store.read().await?, &name, &key_hash).await?;
        let lane = if let Some(lane) = known.and_then(|text| text.parse::<Lane>().ok()) {
            lane
        } else {
            let account = client.own_account().await?;
            let id = account.get("id").and_then(serde_json::Value::as_str).unwrap_or_default();
            let id =
                AccountId::parse(id).map_err(|_| Error::not_found("account", connection.name.clone()))?;
            let lane = Lane::new(id, client.is_live());
            let text = lane.to_string();
            store
                .write(move |tx| {
                    async move { pollers::keep_connection(tx, &name, &text, &key_hash).await }.boxed()
                })
                .await
                .map_err(store_error)?;
            lane
        };
        let connected = connection.connected.iter().map(|account| Open {
            lane: Lane::new(account.clone(), lane.livemode),
            client: client.acting_for(account.as_str()),
            connection: connection.clone(),
        });
        let own = Open { lane: lane.clone(), client: client.clone(), connection: connection.clone() };
        self.insert(connected.chain([own]).collect::<Vec<_>>());
        Ok(lane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fate;
    use crate::still::{LANE, connection};

    #[test]
    fn a_lane_is_not_missing_while_a_connection_may_still_turn_out_to_be_it() {
        let lanes = Lanes::new(&[connection("main")]);
        let refused = lanes.require(LANE).unwrap_err();
        assert!(matches!(refused.fate(1_000), Fate::Wait { counts: false, .. }), "{refused}");
        assert!(refused.to_string().contains("`main`"), "{refused}");
        let refused = Lanes::new(&[]).require(LANE).unwrap_err();
        assert!(matches!(refused, Error::NotFound { .. }), "{refused}");
    }
}
