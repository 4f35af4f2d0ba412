//! Holes in the events of a lane: noticed when polling fills them, kept with how long each was and what it held.

use std::collections::BTreeMap;
use std::time::Duration;

use bursar_domain::time::BusinessTime;
use bursar_store::pollers::{self, Gap, Poller};
use serde_json::{Value, json};

use super::Fresh;
use crate::Result;
use crate::cards::rfc3339;
use crate::lanes::Open;
use crate::queries::{Page, page};
use crate::start::Engine;

/// An event this old that no webhook brought is missing, not late.
const LATE_S: i64 = 120;

/// A hole as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) span_s: (i64, i64),
    /// How many events of each type.
    pub(super) held: BTreeMap<String, i64>,
}

/// We were away for longer than a few polls, or webhooks should have brought what only polling found.
pub(super) fn gap_of(known: &Poller, open: &Open, fresh: &[Fresh], to_s: i64, machine: i64) -> Option<Found> {
    let polled_at = known.polled_at?;
    let away = Duration::from_micros(u64::try_from(machine - polled_at).unwrap_or(0));
    if away > (open.connection.poll_interval * 4).max(Duration::from_mins(1)) {
        return Some(Found { span_s: (known.complete_to_s, to_s), held: by_type(fresh.iter()) });
    }
    if !open.connection.webhook {
        return None;
    }
    let missed = || fresh.iter().filter(|event| event.created_s < to_s - LATE_S);
    let first = missed().map(|event| event.created_s).min()?;
    let last = missed().map(|event| event.created_s).max()?;
    Some(Found { span_s: (first, last), held: by_type(missed()) })
}

fn by_type<'e>(events: impl Iterator<Item = &'e Fresh>) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event.kind.clone()).or_default() += 1;
    }
    counts
}

/// A hole as people and scripts see it.
pub(crate) fn gap_document(gap: &Gap) -> Value {
    let at = |second: i64| rfc3339(BusinessTime::from_unix_s(second));
    json!({"object": "gap", "id": gap.id, "lane": gap.lane, "from": at(gap.from_s), "to": at(gap.to_s),
        "length_s": gap.to_s - gap.from_s, "events": gap.events, "held": gap.held,
        "found_at": rfc3339(BusinessTime::from_micros(gap.found_at))})
}

impl Engine {
    /// Holes that were found and filled, newest first.
    pub async fn gaps(&self, limit: i64) -> Result<Page> {
        let rows = pollers::gaps(&mut self.inner.store.read().await?, limit + 1).await?;
        Ok(page(rows, limit, |gap| gap_document(&gap)))
    }
}
