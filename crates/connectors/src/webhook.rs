//! Webhooks out: one JSON document to one address, signed as Standard Webhooks has it, so that the receiver's own library
//! can tell that it comes from here and is fresh.
//!
//! An attempt is short, follows no redirect, and reads nothing of the answer but its status. The address is judged twice:
//! as it is written, and as it resolves when a connection is made. A repeat carries the same `webhook-id`, by which a
//! receiver drops what it has seen.

mod address;
mod outcome;
mod resolve;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use crate::{Connector, Delivery, DeliveryOutcome, Error, Health, Lookup};
pub use address::Reach;
use address::Target;
use resolve::Guarded;
use signature::Key;

/// What a webhook is set up with. Printing it shows no secret.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// `https://…`; `http://` to this machine only.
    pub url: String,
    /// `whsec_…` of Standard Webhooks: one, or two while one replaces the other. Every delivery is signed with each.
    pub secrets: Vec<SecretString>,
    pub reach: Reach,
    pub deadlines: Deadlines,
}

/// How long an attempt may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    pub connect: Duration,
    /// From the first packet to the status of the answer.
    pub whole: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), whole: Duration::from_secs(15) }
    }
}

/// What is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// A JSON document.
    pub body: String,
    /// When this attempt is made, in seconds since 1970: receivers refuse what is old.
    pub attempted_at_s: i64,
}

/// Posts to one address.
pub struct Webhook {
    http: reqwest::Client,
    url: Url,
    keys: Vec<Key>,
    guard: Arc<Guarded>,
    deadlines: Deadlines,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Checks the settings; opens no connection.
    pub fn new(settings: &WebhookSettings) -> Result<Self, Error> {
        let (url, target) = address::check(&settings.url, settings.reach)?;
        Self::to(url, target, settings)
    }

    fn to(url: Url, target: Target, settings: &WebhookSettings) -> Result<Self, Error> {
        let keys: Vec<Key> = settings.secrets.iter().map(Key::parse).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(Error::WebhookSecret {
                why: "is missing: without one nobody can tell who is calling",
            });
        }
        let guard = Arc::new(Guarded::new(target));
        let http = reqwest::Client::builder()
            .connect_timeout(settings.deadlines.connect)
            .timeout(settings.deadlines.whole)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::clone(&guard))
            .referer(false)
            .no_proxy()
            .user_agent(concat!("bursar/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::WebhookClient { why: error.without_url().to_string() })?;
        Ok(Self { http, url, keys, guard, deadlines: settings.deadlines })
    }

    /// Whom it posts to, without the path, which may be as good as a password.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

impl Connector for Webhook {
    type Message = Posting;

    fn name(&self) -> &'static str {
        "webhook"
    }

    fn lookup(&self) -> Lookup {
        Lookup::Harmless {
            why: "a repeat carries the same webhook-id, and receivers drop what they have seen",
        }
    }

    async fn deliver(&self, delivery: &Delivery<Posting>) -> DeliveryOutcome {
        let Posting { body, attempted_at_s } = &delivery.message;
        let id = delivery.key.as_str();
        let signed = signature::header(&self.keys, id, *attempted_at_s, body.as_bytes());
        let request = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", attempted_at_s.to_string())
            .header("webhook-signature", signed)
            .body(body.clone());
        let outcome = match request.send().await {
            Ok(answer) => outcome::of_answer(answer.status().as_u16(), answer.headers()),
            Err(error) => outcome::of_silence(&error),
        };
        tracing::debug!(key = %delivery.key, outcome = outcome.as_str(), "webhook attempt ended");
        outcome
    }

    /// Connects and says nothing: any request would be one that the receiver has to make sense of.
    async fn health(&self) -> Health {
        let (host, port) = (self.host(), self.url.port_or_known_default().unwrap_or(443));
        let connecting = async {
            let found = self.guard.look_up(host.trim_matches(['[', ']'])).await?;
            for mut address in found {
                address.set_port(port);
                if tokio::net::TcpStream::connect(address).await.is_ok() {
                    return Ok(());
                }
            }
            Err("nobody takes the connection".to_owned())
        };
        match tokio::time::timeout(self.deadlines.connect, connecting).await {
            Ok(Ok(())) => Health::Up { detail: format!("{host} takes connections") },
            Ok(Err(why)) => Health::Down { why: format!("{host}: {why}") },
            Err(_) => Health::Down { why: format!("{host} did not answer in time") },
        }
    }
}

#[cfg(test)]
mod tests {
    use bursar_domain::time::BusinessTime;

    use super::*;

    #[tokio::test]
    async fn a_name_that_came_to_mean_this_machine_is_not_connected_to() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = WebhookSettings {
            url: format!("http://localhost:{}/", trap.local_addr().unwrap().port()),
            secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()],
            reach: Reach::Private,
            deadlines: Deadlines::default(),
        };
        let url = Url::parse(&settings.url).unwrap();
        // As if the name had been some other machine's when it was checked.
        let webhook = Webhook::to(url, Target::Elsewhere(Reach::Private), &settings).unwrap();
        let message = Posting { body: "{}".to_owned(), attempted_at_s: 1 };
        let delivery = Delivery { key: "k".parse().unwrap(), at: BusinessTime::from_unix_s(1), message };
        let outcome = webhook.deliver(&delivery).await;
        let DeliveryOutcome::Retry { why, .. } = &outcome else { panic!("{outcome:?}") };
        assert!(why.contains("special network"), "{why}");
        assert!(matches!(webhook.health().await, Health::Down { .. }));
        let came = tokio::time::timeout(Duration::ZERO, trap.accept()).await;
        assert!(came.is_err(), "somebody connected");
    }
}
