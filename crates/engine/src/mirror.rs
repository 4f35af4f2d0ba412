//! Our copy of Stripe's objects: decisions read it within a stated age, anything risky reads Stripe again. What was read
//! on the way is collected and kept in the transaction of the decision, so that reading costs no commit of its own.

use std::time::Duration;

use bursar_domain::time::BusinessTime;
use bursar_store::Tx;
use bursar_store::objects::{self, CameBy, Snapshot};
use bursar_store::seal::Keyring;
use bursar_stripe::event::{Event, EventObject};
use bursar_stripe::object::is_deleted;
use serde_json::Value;

use crate::Result;
use crate::lanes::Open;
use crate::start::Engine;
use crate::stripe_api::Class;

/// Stripe's clock and ours may differ by this much before its word needs a second look.
const AHEAD_S_MAX: i64 = 300;

/// How old a copy may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Freshness {
    /// From the mirror when it is at most this old.
    Within(Duration),
    /// From Stripe, now.
    Now,
}

/// An object as it was found.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Here { body: Value, as_of: BusinessTime },
    Gone { as_of: BusinessTime },
}

/// What was read from Stripe and is to be mirrored.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    snapshots: Vec<Snapshot>,
}

impl Gathered {
    /// Remembers an object of a list or a single read.
    /// `over` is the version that was held when the read began.
    pub(crate) fn keep(
        &mut self,
        lane: &str,
        kind: &str,
        body: &Value,
        as_of: BusinessTime,
        over: Option<i64>,
    ) {
        self.snapshots.extend(snapshot_read(lane, kind, body, as_of, over));
    }

    pub(crate) async fn save(&self, tx: &mut Tx, keyring: &Keyring, at: i64) -> bursar_store::Result<()> {
        Self::save_all(tx, keyring, std::iter::once(self), at).await
    }

    pub(crate) async fn save_all(
        tx: &mut Tx,
        keyring: &Keyring,
        gathered: impl Iterator<Item = &Self>,
        at: i64,
    ) -> bursar_store::Result<()> {
        let snapshots: Vec<&Snapshot> = gathered.flat_map(|gathered| &gathered.snapshots).collect();
        objects::put_many(tx, keyring, &snapshots, at).await.map(|_| ())
    }
}

impl Engine {
    /// One object, from the mirror or from Stripe.
    pub(crate) async fn object(
        &self,
        open: &Open,
        (kind, id): (&str, &str),
        freshness: Freshness,
        gathered: &mut Gathered,
    ) -> Result<Found> {
        let lane = open.lane.to_string();
        let now = self.inner.clocks.business();
        let over = match self.look_in_mirror(&lane, (kind, id), freshness, now).await? {
            Looked::Enough(found) => return Ok(found),
            Looked::AskStripe { over } => over,
        };
        let class = match freshness {
            Freshness::Now => Class::Action,
            Freshness::Within(_) => Class::Enrichment,
        };
        match open.client.object(kind, id, class).await? {
            Some(body) if is_deleted(&body) => {
                gathered.keep(&lane, kind, &body, now, over);
                Ok(Found::Gone { as_of: now })
            }
            Some(body) => {
                gathered.keep(&lane, kind, &body, now, over);
                Ok(Found::Here { body, as_of: now })
            }
            None => Ok(Found::Gone { as_of: now }),
        }
    }

    /// Gives its reader back before anybody asks Stripe.
    async fn look_in_mirror(
        &self,
        lane: &str,
        (kind, id): (&str, &str),
        freshness: Freshness,
        now: BusinessTime,
    ) -> Result<Looked> {
        let mut db = self.inner.store.read().await?;
        let Freshness::Within(age) = freshness else {
            return Ok(Looked::AskStripe { over: objects::version(&mut db, lane, kind, id).await? });
        };
        let Some(held) = objects::get(&mut db, self.inner.store.keyring(), lane, kind, id).await? else {
            return Ok(Looked::AskStripe { over: None });
        };
        let as_of = BusinessTime::from_micros(held.version_at);
        Ok(if held.deleted {
            Looked::Enough(Found::Gone { as_of })
        } else if !held.stale && now.since(as_of) <= age {
            Looked::Enough(Found::Here { body: held.body, as_of })
        } else {
            Looked::AskStripe { over: Some(held.version_at) }
        })
    }
}

/// What the mirror says.
enum Looked {
    Enough(Found),
    /// Too little; `over` is the version it holds.
    AskStripe {
        over: Option<i64>,
    },
}

/// An object that was read, as it is mirrored; nothing for one without id.
pub(crate) fn snapshot_read(
    lane: &str,
    kind: &str,
    body: &Value,
    as_of: BusinessTime,
    over: Option<i64>,
) -> Option<Snapshot> {
    Some(Snapshot {
        lane: lane.to_owned(),
        kind: kind.to_owned(),
        id: body.get("id").and_then(Value::as_str)?.to_owned(),
        version_at: as_of.micros(),
        came_by: CameBy::Read { over },
        deleted: is_deleted(body),
        doubtful: false,
        customer: customer_of(kind, body),
        body: body.clone(),
    })
}

/// The snapshot an event carries, where it carries one. It is never newer than now, so that what is read later replaces it.
pub(crate) fn snapshot_of(lane: &str, event: &Event, now: BusinessTime) -> Option<Snapshot> {
    let EventObject::Snapshot { object, .. } = &event.object else { return None };
    let (kind, id) = (event.object_kind()?, event.object_id()?);
    Some(Snapshot {
        lane: lane.to_owned(),
        kind: kind.to_owned(),
        id: id.to_owned(),
        version_at: BusinessTime::from_unix_s(event.created_s).min(now).micros(),
        came_by: CameBy::Event,
        deleted: is_deleted(object) || is_end_of(kind, &event.kind),
        doubtful: event.api_version.as_deref() != Some(bursar_stripe::api_version::PINNED)
            || event.created_s > now.unix_s() + AHEAD_S_MAX,
        customer: customer_of(kind, object),
        body: object.clone(),
    })
}

/// `customer.deleted` and the like carry the object as it was before.
fn is_end_of(kind: &str, event: &str) -> bool {
    // A subscription that was deleted is canceled and can still be read.
    kind != "subscription" && event.ends_with(".deleted")
}

fn customer_of(kind: &str, body: &Value) -> Option<String> {
    if kind == "customer" {
        return body.get("id").and_then(Value::as_str).map(str::to_owned);
    }
    let customer = body.get("customer")?;
    customer.as_str().or_else(|| customer.get("id").and_then(Value::as_str)).map(str::to_owned)
}
