//! Getting to know a Stripe account before anything acts on it: whose key this is, what it may do, and an endpoint for
//! exactly the events in use. A person runs this by hand.

use bursar_domain::lane::Lane;
use bursar_stripe::id::AccountId;
use serde_json::Value;

use crate::settings::Connection;
use crate::stripe_api::Client;
use crate::stripe_api::permissions::Permission;
use crate::{Error, Result};

/// What a key turned out to be.
#[derive(Clone, Debug)]
pub struct Examined {
    pub lane: Lane,
    /// As the Dashboard calls the account.
    pub name: Option<String>,
    pub permissions: Vec<Permission>,
}

/// A webhook endpoint that was registered.
#[derive(Clone, Debug)]
pub struct Registered {
    pub id: String,
    /// Shown by Stripe once.
    pub secret: secrecy::SecretString,
    pub events: Vec<&'static str>,
}

/// What the engine itself listens for besides the playbooks: how refunds of ours end.
const OWN_EVENTS: [&str; 4] = ["charge.refunded", "refund.created", "refund.failed", "refund.updated"];

/// The event types in use, sorted.
pub fn events_in_use() -> Vec<&'static str> {
    let mut events: Vec<&'static str> = bursar_playbooks::ALL
        .iter()
        .flat_map(|playbook| playbook.events.iter().copied())
        .chain(OWN_EVENTS)
        .collect();
    events.sort_unstable();
    events.dedup();
    events
}

/// Reads the account and probes the permissions. Changes nothing.
pub async fn examine(connection: &Connection) -> Result<Examined> {
    let client = client(connection)?;
    let account = client.own_account().await?;
    let text = |pointer: &str| account.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let id = text("/id").unwrap_or_default();
    let id = AccountId::parse(&id).map_err(|_| Error::not_found("account", connection.name.clone()))?;
    let name = text("/settings/dashboard/display_name").or_else(|| text("/business_profile/name"));
    Ok(Examined { lane: Lane::new(id, client.is_live()), name, permissions: client.permissions().await? })
}

/// Registers an endpoint for the events in use, in the pinned version.
pub async fn register_webhook(connection: &Connection, url: &str, of_connected: bool) -> Result<Registered> {
    let events = events_in_use();
    let endpoint = client(connection)?.register_webhook(url, &events, of_connected).await?;
    let text = |field: &str| endpoint.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Registered { id: text("id"), secret: text("secret").into(), events })
}

fn client(connection: &Connection) -> Result<Client> {
    Client::new(&connection.api_base, connection.key.clone(), connection.requests_per_second)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_events_in_use_stand_once_each() {
        let events = super::events_in_use();
        assert!(events.contains(&"invoice.payment_failed") && events.contains(&"refund.failed"));
        assert!(events.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
