//! The lanes this engine acts on: which account each connection turned out to be, its client, its secrets, its mode.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use bursar_domain::canonical::hash_hex;
use bursar_domain::lane::Lane;
use bursar_domain::mode::Mode;
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

#[derive(Debug, Default)]
pub(crate) struct Lanes {
    open: RwLock<BTreeMap<String, Open>>,
}

impl Lanes {
    pub(crate) fn get(&self, lane: &str) -> Option<Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).get(lane).cloned()
    }

    /// The lane, or an error that says that we hold no key for it.
    pub(crate) fn require(&self, lane: &str) -> Result<Open> {
        self.get(lane).ok_or_else(|| Error::not_found("lane with a key", lane))
    }

    pub(crate) fn all(&self) -> Vec<Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Whether Stripe itself stands behind a lane, and not something that speaks like it.
    pub(crate) fn is_at_stripe(&self, lane: &str) -> bool {
        self.get(lane).is_some_and(|open| open.connection.api_base.trim_end_matches('/') == STRIPE)
    }

    fn insert(&self, open: Open) {
        self.open.write().unwrap_or_else(PoisonError::into_inner).insert(open.lane.to_string(), open);
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
        for account in &connection.connected {
            let connected = Lane::new(account.clone(), lane.livemode);
            let client = client.acting_for(account.as_str());
            self.insert(Open { lane: connected, client, connection: connection.clone() });
        }
        self.insert(Open { lane: lane.clone(), client, connection: connection.clone() });
        Ok(lane)
    }
}
