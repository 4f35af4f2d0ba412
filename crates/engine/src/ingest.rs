//! Events in: the signature over raw bytes first, then the event once with its job in one commit, then the answer. What
//! Stripe signed and we cannot use is kept apart and acknowledged, so that Stripe stops sending it.

use std::time::Duration;

use bursar_domain::id::JobId;
use bursar_domain::lane::Lane;
use bursar_store::events::{Accepted, NewEvent};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{Clock, NewJob};
use bursar_store::planted::{Bug, planted};
use bursar_store::seal::NO_SUBJECT;
use bursar_stripe::event::{Event, mask_card_numbers_in_bytes};
use bursar_stripe::signature::{self, SignatureError};

use crate::lanes::Open;
use crate::quarantine::Origin;
use crate::settings::Connection;
use crate::start::Engine;
use crate::take::{self, asks_stripe};
use crate::{Error, Result, schedule};

/// Which door an event came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/ingest/stripe`: the platform's own events.
    Account,
    /// `/ingest/stripe/connect`: events of connected accounts.
    Connect,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IngestAnswer {
    Accepted,
    Duplicate,
    /// Signed but not usable: kept apart with this reason.
    Quarantined(&'static str),
    /// Not from Stripe, as far as we can tell: nothing is kept.
    NotSigned(&'static str),
}

impl Engine {
    /// Takes one delivery. An error means that nothing was kept and Stripe should come again.
    pub async fn ingest(
        &self,
        endpoint: Endpoint,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<IngestAnswer> {
        if self.is_stopping() {
            return Err(Error::Stopping);
        }
        let open = match self.signed_by(endpoint, signature, body) {
            Ok(open) => open,
            Err(_) if self.awaits_its_account(endpoint, signature, body) => {
                return Err(Error::Unavailable {
                    on: "Stripe",
                    why: "whose account this is has not been learned yet".to_owned(),
                    after: Duration::from_secs(5),
                });
            }
            Err(error) => {
                metrics::counter!("bursar_webhook_rejected_total", "reason" => error.reason()).increment(1);
                return Ok(IngestAnswer::NotSigned(error.reason()));
            }
        };
        let source = match endpoint {
            Endpoint::Account => "webhook",
            Endpoint::Connect => "connect_webhook",
        };
        if open.connection.connected.is_empty() {
            // Whose it is, is known: what finds no room need not be read.
            self.inner.batcher.room(&open.lane.to_string(), body.len())?;
        }
        let origin = Origin { lane: None, connection: &open.connection.name, source };
        // From here on nobody sees a card number that strayed into a text.
        let body = &*mask_card_numbers_in_bytes(body);
        let event = match Event::parse(body) {
            Ok(event) => event,
            Err(error) => return self.keep_apart(origin, error.reason(), body).await,
        };
        let Some(lane) = lane_of(&event, &open, &self.inner.lanes.all()) else {
            return self.keep_apart(origin, ACCOUNT_UNKNOWN, body).await;
        };
        self.accept(&event, Origin { lane: Some(lane), ..origin }, body).await
    }

    /// Keeps an event that is known to come from Stripe, by webhook or by a read, on the lane of its origin.
    pub(crate) async fn accept(
        &self,
        event: &Event,
        origin: Origin<'_>,
        body: &[u8],
    ) -> Result<IngestAnswer> {
        let Some(lane) = origin.lane.as_ref() else {
            return self.keep_apart(origin, ACCOUNT_UNKNOWN, body).await;
        };
        match self.offer(lane, event, origin.source, body).await? {
            Accepted::New => Ok(IngestAnswer::Accepted),
            Accepted::Duplicate => Ok(IngestAnswer::Duplicate),
            Accepted::Conflict => self.keep_apart(origin, OTHER_CONTENT, body).await,
        }
    }

    /// The same without keeping apart what contradicts what is held.
    pub(crate) async fn offer(
        &self,
        lane: &Lane,
        event: &Event,
        source: &'static str,
        body: &[u8],
    ) -> Result<Accepted> {
        let lane = lane.to_string();
        let mut new = self.new_event(&lane, event, source, body);
        let at_once = new.job.take_if(|_| take::can_be_at_once(event)).map(|job| self.at_once(event, job));
        self.pass(FailPoint::EventUnderstood).await?;
        let kept = self.inner.batcher.accept(new, at_once).await?;
        self.pass(FailPoint::EventAnswered).await?;
        let family = event.kind.split('.').next().unwrap_or("other").to_owned();
        match kept.accepted {
            Accepted::New => {
                metrics::counter!("bursar_events_ingested_total", "source" => source, "type_family" => family)
                    .increment(1);
                if kept.work {
                    self.inner.work.notify_one();
                }
                let about = event.object_id().unwrap_or_default();
                self.tell("event", &lane, (None, None), format!("{} {about}", event.kind));
            }
            Accepted::Duplicate => {
                metrics::counter!("bursar_events_duplicate_total", "source" => source).increment(1);
            }
            Accepted::Conflict => {}
        }
        Ok(kept.accepted)
    }

    pub(crate) fn new_event(&self, lane: &str, event: &Event, source: &'static str, body: &[u8]) -> NewEvent {
        let machine = self.inner.clocks.machine().micros();
        let id = if planted(Bug::DedupeByPayload) {
            format!("evt_{}", &event.sameness()[..24])
        } else {
            event.id.as_str().to_owned()
        };
        let about = (event.object_kind().unwrap_or("none"), event.object_id().unwrap_or("none"));
        // A lane we hold no key for is stored and left alone.
        let job = self.inner.lanes.get(lane).map(|_| NewJob {
            id: JobId::from_entropy(self.inner.entropy.id()),
            lane: lane.to_owned(),
            // What must be asked of Stripe first goes by itself, and holds up no other.
            kind: if asks_stripe(event) { schedule::THIN_EVENT } else { schedule::EVENT },
            key: format!("{lane}:{}:{}", about.0, about.1),
            payload: serde_json::json!({"event": id}),
            clock: Clock::Machine,
            due_at: machine,
            created_at: machine,
        });
        NewEvent {
            lane: lane.to_owned(),
            id,
            kind: event.kind.clone(),
            created_s: event.created_s,
            api_version: event.api_version.clone(),
            request_key: event.request_idempotency_key.clone(),
            object_kind: event.object_kind().map(str::to_owned),
            object_id: event.object_id().map(str::to_owned),
            snapshot_event: event.snapshot_event().map(ToString::to_string),
            sameness: event.sameness(),
            sameness_any_version: event.sameness_across_versions(),
            source,
            received_at: machine,
            subject: event.customer().unwrap_or(NO_SUBJECT).to_owned(),
            body: mask_card_numbers_in_bytes(body).into_owned(),
            job,
        }
    }

    /// The connection whose secret signed the body.
    fn signed_by(
        &self,
        endpoint: Endpoint,
        signature: Option<&str>,
        body: &[u8],
    ) -> std::result::Result<Open, SignatureError> {
        let header = signature.unwrap_or_default();
        let now_s = self.inner.clocks.machine().unix_s();
        let mut last = None;
        for open in self.inner.lanes.all() {
            let secrets = secrets_of(&open.connection, endpoint);
            if secrets.is_empty() {
                continue;
            }
            match signature::verify(header, body, &secrets, now_s) {
                Ok(()) => return Ok(open),
                // A genuine but late delivery says so even when another secret would merely not match.
                Err(error) if last.is_none() || error.is_skew() => last = Some(error),
                Err(_) => {}
            }
        }
        Err(last.unwrap_or(SignatureError::SecretMissing))
    }

    /// Whether it is signed for a connection whose account Stripe has not told yet: then it is Stripe's, and is to come
    /// again.
    fn awaits_its_account(&self, endpoint: Endpoint, signature: Option<&str>, body: &[u8]) -> bool {
        let known: Vec<String> =
            self.inner.lanes.all().into_iter().map(|open| open.connection.name).collect();
        let now_s = self.inner.clocks.machine().unix_s();
        let waiting =
            self.inner.settings.connections.iter().filter(|connection| !known.contains(&connection.name));
        waiting.map(|connection| secrets_of(connection, endpoint)).any(|secrets| {
            !secrets.is_empty()
                && signature::verify(signature.unwrap_or_default(), body, &secrets, now_s).is_ok()
        })
    }
}

fn secrets_of(connection: &Connection, endpoint: Endpoint) -> Vec<&str> {
    let secrets = match endpoint {
        Endpoint::Account => &connection.webhook_secrets,
        Endpoint::Connect => &connection.connect_webhook_secrets,
    };
    secrets.iter().map(secrecy::ExposeSecret::expose_secret).collect()
}

/// Reasons for keeping a readable event apart: whose it is is not known, or another one has its id.
pub(crate) const ACCOUNT_UNKNOWN: &str = "account_unknown";
pub(crate) const OTHER_CONTENT: &str = "id_with_other_content";

/// The lane of a signed event. Its own account must be the connection's or one of its connected accounts.
pub(crate) fn lane_of(event: &Event, signed: &Open, all: &[Open]) -> Option<Lane> {
    let platform = all
        .iter()
        .find(|open| {
            open.connection.name == signed.connection.name
                && !open.connection.connected.contains(&open.lane.account)
        })
        .map_or(&signed.lane.account, |open| &open.lane.account);
    let livemode = event.livemode && !planted(Bug::LivemodeDropped);
    match &event.account {
        None => Some(Lane::new(platform.clone(), livemode)),
        Some(account) if account == platform || signed.connection.connected.contains(account) => {
            Some(Lane::new(account.clone(), livemode))
        }
        Some(_) => None,
    }
}
