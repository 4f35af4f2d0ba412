//! Getting to know a Stripe account before anything acts on it: whose key this is, what it may do, and an endpoint for
//! exactly the events in use. A person runs this by hand.

use bursar_domain::lane::Lane;
use bursar_stripe::id::AccountId;
use serde_json::Value;

use crate::ingest::Endpoint;
use crate::settings::Connection;
use crate::stripe_api::Client;
use crate::stripe_api::permissions::{Permission, Registers};
use crate::{Error, Result};

/// What a key turned out to be.
#[derive(Clone, Debug)]
pub struct Examined {
    pub lane: Lane,
    /// As the Dashboard calls the account.
    pub name: Option<String>,
    pub permissions: Vec<Permission>,
}

/// A webhook endpoint that sends the events in use.
#[derive(Clone, Debug)]
pub struct Registered {
    pub id: String,
    pub endpoint: Endpoint,
    pub became: Became,
    /// Shown by Stripe once, when an endpoint is made.
    pub secret: Option<secrecy::SecretString>,
    pub events: Vec<&'static str>,
}

/// What was done for an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    New,
    /// It was there and sent other events.
    Updated,
    /// It was there as it should be.
    Kept,
}

impl Became {
    pub fn as_str(self) -> &'static str {
        match self {
            Became::New => "registered",
            Became::Updated => "updated",
            Became::Kept => "kept",
        }
    }
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
pub async fn examine(connection: &Connection, registers: Registers) -> Result<Examined> {
    let client = client(connection)?;
    let account = client.own_account().await?;
    let text = |pointer: &str| account.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let id = text("/id").unwrap_or_default();
    let id = AccountId::parse(&id).map_err(|_| Error::not_found("account", connection.name.clone()))?;
    let name = text("/settings/dashboard/display_name").or_else(|| text("/business_profile/name"));
    let permissions = client.permissions(registers).await?;
    Ok(Examined { lane: Lane::new(id, client.is_live()), name, permissions })
}

/// Has Stripe send the events in use to this URL, in the pinned version: by the endpoint that is there already, else by a
/// new one, so that running it twice leaves one.
pub async fn register_webhook(connection: &Connection, url: &str, endpoint: Endpoint) -> Result<Registered> {
    let (client, events) = (client(connection)?, events_in_use());
    let there = client.webhook_endpoints().await?.into_iter().find(|there| text(there, "url") == Some(url));
    let (document, became) = match there {
        None => {
            let made = client.register_webhook(url, &events, endpoint == Endpoint::Connect).await?;
            (made, Became::New)
        }
        Some(there) if sends(&there, &events) => (there, Became::Kept),
        Some(there) => {
            let id = text(&there, "id").unwrap_or_default();
            (client.update_webhook(id, &events).await?, Became::Updated)
        }
    };
    let secret = text(&document, "secret").map(secrecy::SecretString::from);
    Ok(Registered {
        id: text(&document, "id").unwrap_or_default().to_owned(),
        endpoint,
        became,
        secret,
        events,
    })
}

fn text<'a>(document: &'a Value, field: &str) -> Option<&'a str> {
    document.get(field).and_then(Value::as_str)
}

/// Whether an endpoint that is there sends exactly these.
fn sends(endpoint: &Value, events: &[&str]) -> bool {
    let listed = endpoint.get("enabled_events").and_then(Value::as_array);
    let mut sent: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
    sent.sort_unstable();
    sent == events
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
