//! Polling `/v1/events`: the default way in, and the filler of holes beside webhooks. Windows overlap, so that what Stripe
//! shows late is still found; what is already held is not submitted again.

mod backfill;
mod gaps;
mod history;

use std::time::Duration;

use bursar_domain::id::GapId;
use bursar_store::{events, pollers};
use bursar_stripe::event::Event;
use futures_util::FutureExt as _;
use serde_json::Value;

use crate::lanes::Open;
use crate::quarantine::Origin;
use crate::settings::Connection;
use crate::start::{Engine, store_error};
use crate::stripe_api::Class;
use crate::{Error, IngestAnswer, Result};

pub use backfill::{BackfillSpan, Backfilled};
pub(crate) use gaps::gap_document;

/// How far each poll looks back over what was complete: Stripe's list can lag behind.
const OVERLAP_S: i64 = 300;
/// The longest window asked for at once, and the most events taken from one.
const WINDOW_S: i64 = 86_400;
const EVENTS_MAX: usize = 1_000;
/// The most events of one second, which is the shortest window there is.
const OF_A_SECOND_MAX: usize = 20_000;
/// So many are offered at once, and each so often while there is no room for it.
const TOGETHER: usize = 64;
const OFFERS_MAX: u32 = 30;
/// Stripe keeps events this long.
pub(crate) const KEPT_S: i64 = 30 * 86_400;

/// How soon a node notices that polling is its own now.
const NOT_OURS: Duration = Duration::from_secs(1);

/// What one node at a time does for a lane.
fn duty(open: &Open) -> String {
    format!("poller:{}", open.lane)
}

/// Whether the engine stops meanwhile.
async fn waited(stopping: &mut tokio::sync::watch::Receiver<bool>, span: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(span) => false,
        _ = stopping.changed() => true,
    }
}

/// Starts the pollers of a connection's lanes.
pub(crate) async fn start(engine: &Engine, connection: &str) -> Result<()> {
    for open in engine.inner.lanes.all() {
        if open.connection.name != connection || !open.connection.poll {
            continue;
        }
        engine.spawn(history::run(engine.clone(), open.clone())).await;
        engine.spawn(run(engine.clone(), open)).await;
    }
    Ok(())
}

/// A connection that could not be made at the start: tried until it can.
pub(crate) async fn connect_later(engine: Engine, connection: Connection) {
    let mut stopping = engine.stopping();
    let mut attempts = 1;
    loop {
        tokio::select! {
            () = tokio::time::sleep(crate::error::backoff(attempts)) => {}
            _ = stopping.changed() => return,
        }
        attempts += 1;
        let connected = async {
            engine.inner.lanes.connect(&engine.inner.store, &connection).await?;
            start(&engine, &connection.name).await?;
            crate::history::start(&engine, &connection.name).await;
            Ok::<(), Error>(())
        };
        match connected.await {
            Ok(()) => return tracing::info!(connection = %connection.name, "connected"),
            Err(error) => {
                engine.inner.lanes.note_failure(&connection.name, &error);
                tracing::warn!(connection = %connection.name, %error, "not connected yet; trying again");
            }
        }
    }
}

async fn run(engine: Engine, open: Open) {
    let mut stopping = engine.stopping();
    let mut failures = 0;
    let duty = duty(&open);
    engine.inner.duties.want(&duty);
    loop {
        if !engine.inner.duties.are_ours(&duty) {
            if waited(&mut stopping, NOT_OURS).await {
                return;
            }
            continue;
        }
        let wait = match poll(&engine, &open).await {
            Ok(_) => {
                failures = 0;
                open.connection.poll_interval
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(lane = %open.lane, %error, "polling failed; trying again");
                let (lane, why) = (open.lane.to_string(), error.for_keeping());
                let noted = engine
                    .inner
                    .store
                    .write(move |tx| async move { pollers::failed(tx, &lane, &why).await }.boxed())
                    .await;
                if let Err(error) = noted.map_err(store_error) {
                    tracing::warn!(%error, "the failure could not be noted");
                }
                crate::error::backoff(failures).max(open.connection.poll_interval)
            }
        };
        if waited(&mut stopping, wait).await {
            return;
        }
    }
}

/// One poll: everything from the overlap up to the newest event there is, by Stripe's clock and not by ours. Answers how
/// many events were new.
async fn poll(engine: &Engine, open: &Open) -> Result<i64> {
    let lane = open.lane.to_string();
    let newest = newest_event_s(open).await?;
    let known = match pollers::get(&mut engine.inner.store.read().await?, &lane).await? {
        Some(known) => known,
        None => begin(engine, open, newest).await?,
    };
    let from_s = known.complete_to_s - OVERLAP_S;
    let to_s = newest.unwrap_or(known.complete_to_s).max(known.complete_to_s);
    let new = fetch(engine, open, from_s.max(to_s - KEPT_S), to_s + 1, "poll").await?;
    let machine = engine.inner.clocks.machine();
    let gap = gaps::gap_of(&known, open, &new, to_s, machine.micros());
    let found = gap.clone();
    let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
    let id = GapId::from_entropy(engine.inner.entropy.id());
    engine
        .inner
        .store
        .write(move |tx| {
            async move {
                if let Some(gap) = gap {
                    pollers::add_gap(tx, &id, &lane, gap.span_s, machine.micros(), &gap.held).await?;
                }
                pollers::completed(tx, &lane, to_s, machine.micros()).await
            }
            .boxed()
        })
        .await
        .map_err(store_error)?;
    if let Some(gap) = found {
        let (from_s, to_s, held) = (gap.span_s.0, gap.span_s.1, gap.held.values().sum::<i64>());
        metrics::counter!("bursar_event_gaps_total").increment(1);
        tracing::warn!(lane = %open.lane, from_s, to_s, held, "a hole in the events was found and filled");
    }
    Ok(count)
}

/// The first poll of a lane: from here on it is followed, and what was before is history, read beside it.
async fn begin(engine: &Engine, open: &Open, newest: Option<i64>) -> Result<pollers::Poller> {
    let lane = open.lane.to_string();
    let now_s = newest.unwrap_or_else(|| engine.inner.clocks.business().unix_s());
    let back = i64::try_from(open.connection.first_poll_back.as_secs()).unwrap_or(KEPT_S).min(KEPT_S);
    let row = lane.clone();
    engine
        .inner
        .store
        .write(move |tx| async move { pollers::start(tx, &row, now_s, now_s - back).await }.boxed())
        .await
        .map_err(store_error)?;
    let known = pollers::get(&mut engine.inner.store.read().await?, &lane).await?;
    known.ok_or_else(|| Error::Broken(format!("{lane} was not kept")))
}

/// When the newest event was created.
async fn newest_event_s(open: &Open) -> Result<Option<i64>> {
    let newest = open.client.newest("event", Class::Enrichment).await?;
    Ok(newest.and_then(|event| event.get("created").and_then(Value::as_i64)))
}

/// Fetches `[from_s, to_s)` in windows and keeps what is new.
pub(crate) async fn fetch(
    engine: &Engine,
    open: &Open,
    from_s: i64,
    to_s: i64,
    source: &'static str,
) -> Result<Vec<Fresh>> {
    let class = if to_s - from_s > 2 * OVERLAP_S { Class::Backfill } else { Class::Enrichment };
    let mut new = Vec::new();
    let (mut start, mut window) = (from_s, WINDOW_S);
    while start < to_s {
        if engine.is_stopping() {
            return Err(Error::Stopping);
        }
        let end = to_s.min(start.saturating_add(window));
        let (gte, lt) = (start.to_string(), end.to_string());
        let filter = [("created[gte]", gte.as_str()), ("created[lt]", lt.as_str())];
        let most = if end - start > 1 { EVENTS_MAX } else { OF_A_SECOND_MAX };
        let listed = open.client.list("event", &filter, most, class).await?;
        // Too many for one window: the older ones would be missing.
        if !listed.complete {
            if end - start <= 1 {
                let what =
                    format!("more than {most} events of the second {start}: it was not taken for complete");
                return Err(Error::Broken(what));
            }
            window = ((end - start) / 4).max(1);
            continue;
        }
        new.extend(keep(engine, open, &listed.items, source).await?);
        start = end;
        window = (window * 2).min(WINDOW_S);
    }
    Ok(new)
}

/// An event that was not held before.
pub(crate) struct Fresh {
    created_s: i64,
    kind: String,
}

/// Oldest first, so that what follows from one another arrives in order. What cannot be read is set aside as a webhook's
/// would be: the list goes on past it, and would not show it again.
async fn keep(engine: &Engine, open: &Open, items: &[Value], source: &'static str) -> Result<Vec<Fresh>> {
    let lane = open.lane.to_string();
    let origin = || Origin { lane: Some(open.lane.clone()), connection: &open.connection.name, source };
    let ids: Vec<&str> = items.iter().filter_map(id_of).collect();
    let missing = events::missing(&mut engine.inner.store.read().await?, &lane, &ids).await?;
    let mut accepting = Vec::new();
    for item in items.iter().rev() {
        if id_of(item).is_some_and(|id| !missing.contains(&id)) {
            continue;
        }
        let body = serde_json::to_vec(item).map_err(|error| Error::Broken(error.to_string()))?;
        match Event::parse(&body) {
            Ok(event) => accepting.push((event, body)),
            Err(error) => {
                engine.keep_apart(origin(), error.reason(), &body).await?;
            }
        }
    }
    let mut fresh = Vec::new();
    for together in accepting.chunks(TOGETHER) {
        let offers = together.iter().map(|(event, body)| accept_with_patience(engine, event, origin(), body));
        for (answer, (event, _)) in futures_util::future::join_all(offers).await.into_iter().zip(together) {
            if answer? == IngestAnswer::Accepted {
                fresh.push(Fresh { created_s: event.created_s, kind: event.kind.clone() });
            }
        }
    }
    Ok(fresh)
}

/// What Stripe sends and finds no room it sends again; what was fetched waits here.
async fn accept_with_patience(
    engine: &Engine,
    event: &Event,
    origin: Origin<'_>,
    body: &[u8],
) -> Result<IngestAnswer> {
    let mut offers = 1;
    loop {
        match engine.accept(event, origin.clone(), body).await {
            Err(Error::Unavailable { on: "the store", after, .. })
                if offers < OFFERS_MAX && !engine.is_stopping() =>
            {
                offers += 1;
                tokio::time::sleep(after).await;
            }
            answer => return answer,
        }
    }
}

fn id_of(item: &Value) -> Option<&str> {
    item.get("id").and_then(Value::as_str)
}
