//! What came from Stripe and cannot be used: kept apart once, told of, shown, and tried again with the code of the day
//! when a person says so.

use bursar_domain::actor::Actor;
use bursar_domain::canonical::hash_hex;
use bursar_domain::id::QuarantineId;
use bursar_domain::lane::Lane;
use bursar_domain::time::BusinessTime;
use bursar_store::events::Accepted;
use bursar_store::quarantine::{self, Held, NewQuarantined, Settled, State};
use bursar_stripe::event::{Event, mask_card_numbers_in_bytes};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::cards::rfc3339;
use crate::ingest::{ACCOUNT_UNKNOWN, OTHER_CONTENT, lane_of};
use crate::queries::{Page, page};
use crate::start::Engine;
use crate::{Error, IngestAnswer, Result};

/// Whence bytes came.
#[derive(Clone, Debug)]
pub(crate) struct Origin<'a> {
    /// Where that is known.
    pub(crate) lane: Option<Lane>,
    /// Whose secret signed it, or whose key read it.
    pub(crate) connection: &'a str,
    pub(crate) source: &'static str,
}

/// The ways in, as rows name them.
const SOURCES: [&str; 4] = ["webhook", "connect_webhook", "poll", "backfill"];
/// Of bytes that are no JSON, so many are shown.
const SHOWN_BYTES_MAX: usize = 64 * 1024;

/// What came of trying again: the event it became, or what is still wrong.
type Tried = std::result::Result<String, String>;

impl Engine {
    /// Keeps bytes apart, once, and says so.
    pub(crate) async fn keep_apart(
        &self,
        origin: Origin<'_>,
        reason: &'static str,
        body: &[u8],
    ) -> Result<IngestAnswer> {
        let body = mask_card_numbers_in_bytes(body).into_owned();
        let lane = origin.lane.map(|lane| lane.to_string());
        let new = NewQuarantined {
            id: QuarantineId::from_entropy(self.inner.entropy.id()),
            entry: self.audit_id(),
            lane: lane.clone(),
            connection: Some(origin.connection.to_owned()),
            reason,
            source: origin.source,
            received_at: self.inner.clocks.machine().micros(),
            sameness: sameness(reason, &body),
            body,
        };
        let id = new.id.clone();
        if self.inner.batcher.quarantine(new).await? {
            let source = origin.source;
            tracing::error!(%id, reason, source, "an event of Stripe's cannot be used and was quarantined");
            metrics::counter!("bursar_events_quarantined_total", "reason" => reason).increment(1);
            let text = format!("an event cannot be used and waits for a person: {reason}");
            self.tell("quarantine", lane.as_deref().unwrap_or_default(), (None, None), text);
        }
        Ok(IngestAnswer::Quarantined(reason))
    }

    /// Rows, newest first, without their bytes.
    pub async fn quarantined(&self, limit: i64) -> Result<Page> {
        let rows = quarantine::list(&mut self.inner.store.read().await?, limit + 1).await?;
        Ok(page(rows, limit, |row| summary(&row)))
    }

    /// One row with what came.
    pub async fn quarantined_event(&self, id: &str) -> Result<Value> {
        let mut db = self.inner.store.read().await?;
        let held = quarantine::get(&mut db, id).await?;
        let held = held.ok_or_else(|| Error::not_found("quarantined event", id))?;
        let body = held.body(&mut db, self.inner.store.keyring()).await?;
        let mut document = summary(&held);
        if let Ok(body) = bursar_stripe::json::read(&body) {
            document["body"] = body;
        } else {
            let shown = &body[..body.len().min(SHOWN_BYTES_MAX)];
            document["text"] = String::from_utf8_lossy(shown).into_owned().into();
        }
        Ok(document)
    }

    /// Tries one again: it becomes an event like any other, or stays with what is still wrong. Either way somebody has
    /// looked at it. What became an event before stays as it is.
    pub async fn retry_quarantined(&self, actor: &Actor, id: &str) -> Result<Value> {
        let mut db = self.inner.store.read().await?;
        let held = quarantine::get(&mut db, id).await?;
        let held = held.ok_or_else(|| Error::not_found("quarantined event", id))?;
        if held.state == State::Accepted {
            return Ok(summary(&held));
        }
        let body = held.body(&mut db, self.inner.store.keyring()).await?;
        drop(db);
        let tried = self.try_again(&held, &body).await?;
        let (state, why) = match tried {
            Ok(event) => (State::Accepted, event),
            Err(wrong) => (State::Refused, wrong),
        };
        let data = json!({"quarantined": id, "state": state.as_str(), "why": why});
        let (row, by, at) = (id.to_owned(), actor.key(), self.inner.clocks.machine().micros());
        self.administer(actor, "quarantine.retried", data, move |tx| {
            async move {
                let settled = Settled { state, at, by: &by, why: &why };
                quarantine::settle(tx, &row, settled).await
            }
            .boxed()
        })
        .await?;
        let lane = held.lane.unwrap_or_default();
        self.tell("quarantine", &lane, (None, None), format!("{id} was tried again: {}", state.as_str()));
        let settled = quarantine::get(&mut self.inner.store.read().await?, id).await?;
        settled.map(|held| summary(&held)).ok_or_else(|| Error::not_found("quarantined event", id))
    }

    /// If the process dies after this and before it is noted, the next try finds the event held, which is as good.
    async fn try_again(&self, held: &Held, body: &[u8]) -> Result<Tried> {
        let event = match Event::parse(body) {
            Ok(event) => event,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Some(lane) = self.lane_of_held(held, &event) else {
            return Ok(Err(format!("{ACCOUNT_UNKNOWN}: its account is none that we were told to act for")));
        };
        let source = SOURCES.into_iter().find(|source| *source == held.source).unwrap_or("backfill");
        Ok(match self.offer(&lane, &event, source, body).await? {
            Accepted::New | Accepted::Duplicate => Ok(event.id.to_string()),
            Accepted::Conflict => {
                Err(format!("{OTHER_CONTENT}: {} is held and says something else", event.id))
            }
        })
    }

    fn lane_of_held(&self, held: &Held, event: &Event) -> Option<Lane> {
        if let Some(lane) = &held.lane {
            return lane.parse().ok();
        }
        let all = self.inner.lanes.all();
        let came_by = all.iter().find(|open| Some(&open.connection.name) == held.connection.as_ref())?;
        lane_of(event, came_by, &all)
    }
}

/// Equal for two deliveries of one event: they differ in white space and in how many webhooks are pending.
fn sameness(reason: &str, body: &[u8]) -> String {
    // What cannot be read for certain is compared byte by byte.
    let certain = !matches!(reason, "not_utf8" | "not_json" | "duplicate_key" | "too_deep");
    let read = certain.then(|| bursar_stripe::json::read(body).ok()).flatten();
    let Some(Value::Object(mut fields)) = read else { return hash_hex(body) };
    fields.remove("pending_webhooks");
    let mut event = Value::Object(fields);
    event.sort_all_objects();
    hash_hex(event.to_string().as_bytes())
}

fn summary(held: &Held) -> Value {
    let at = |micros: i64| rfc3339(BusinessTime::from_micros(micros));
    let (event, why) = match held.state {
        State::Waiting => (None, None),
        State::Accepted => (held.settled_why.as_deref(), None),
        State::Refused => (None, held.settled_why.as_deref()),
    };
    json!({"object": "quarantined_event", "id": held.id, "lane": held.lane, "reason": held.reason,
        "source": held.source, "received_at": at(held.received_at), "state": held.state.as_str(),
        "event": event, "why": why, "retried_at": held.settled_at.map(at), "retried_by": held.settled_by})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_of_one_event_are_the_same_and_what_cannot_be_read_is_compared_whole() {
        let once = br#"{"id": "evt_1", "amount": 1e3, "pending_webhooks": 1}"#;
        let again = br#"{"amount":1e3,"id":"evt_1","pending_webhooks":0}"#;
        let other = br#"{"amount":1e4,"id":"evt_1","pending_webhooks":0}"#;
        assert_eq!(sameness("amount_not_integer", once), sameness("amount_not_integer", again));
        assert_ne!(sameness("amount_not_integer", once), sameness("amount_not_integer", other));
        let twice: [&[u8]; 2] = [br#"{"id":"evt_1","id":"evt_3"}"#, br#"{"id":"evt_2","id":"evt_3"}"#];
        assert_ne!(sameness("duplicate_key", twice[0]), sameness("duplicate_key", twice[1]));
    }
}
