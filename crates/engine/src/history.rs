//! Stripe's objects from before we came, read into the mirror because a person asked for them: kind by kind, newest first,
//! a page at a time, behind everything else that talks to Stripe. It wakes no playbook and opens no case.
//!
//! A page and the place where the next one begins are kept in one commit, so that a kill costs at most the page in hand.
//! Lists shift under whoever reads them: what is new stands before our place and comes by events; what is deleted moves
//! nothing, because the place is an object and no number, and where that object itself goes the list is taken up again at
//! its second. What the mirror holds and is newer stays.

mod page;
mod told;

use std::collections::BTreeSet;
use std::time::Duration;

use bursar_domain::time::BusinessTime;
use bursar_store::history::{self, Progress};
use bursar_store::{modes, objects};
use futures_util::FutureExt as _;

use crate::lanes::Open;
use crate::mirror::snapshot_read;
use crate::start::{Engine, store_error};
use crate::{Error, Result};

pub use told::{HistoryHealth, KindRead};

/// What is read, in the order in which people are told. Each has its turn.
pub(crate) const KINDS: [&str; 8] = [
    "customer",
    "subscription",
    "invoice",
    "invoice_payment",
    "charge",
    "refund",
    "dispute",
    "balance_transaction",
];

/// How soon a node notices that it was asked at another one.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Stripe's clock and ours are no further apart. A read is dated so much earlier than it was made: whatever the mirror has
/// from since then stays.
const CLOCKS_APART: Duration = Duration::from_mins(5);
/// Stripe opened in 2011: none of its objects is older.
const FIRST_S: i64 = 1_293_840_000;

/// What one node at a time does for a lane.
fn duty(open: &Open) -> String {
    format!("history:{}", open.lane)
}

/// Starts reading for the lanes of a connection, as soon as somebody asks.
pub(crate) async fn start(engine: &Engine, connection: &str) {
    for open in engine.inner.lanes.all() {
        if open.connection.name == connection {
            engine.spawn(Box::pin(run(engine.clone(), open))).await;
        }
    }
}

async fn run(engine: Engine, open: Open) {
    let mut stopping = engine.stopping();
    let duty = duty(&open);
    engine.inner.duties.want(&duty);
    let mut failures = 0;
    loop {
        let step = async {
            if engine.inner.duties.are_ours(&duty) { step(&engine, &open).await } else { Ok(Step::Nothing) }
        };
        // A page that is being waited for is read again by whoever comes next.
        let went = tokio::select! {
            went = step => went,
            _ = stopping.changed() => return,
        };
        let wait = match went {
            Ok(Step::On) => {
                failures = 0;
                continue;
            }
            Ok(Step::Nothing) => LOOK_EVERY,
            Err(error) => {
                failures += 1;
                tracing::warn!(lane = %open.lane, %error, "history could not be read; trying again");
                crate::error::backoff(failures)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = engine.inner.history_asked.notified() => {}
            _ = stopping.changed() => return,
        }
    }
}

enum Step {
    /// There may be more at once.
    On,
    Nothing,
}

/// One page of the kind whose turn it is.
async fn step(engine: &Engine, open: &Open) -> Result<Step> {
    let lane = open.lane.to_string();
    let now = engine.inner.clocks.machine().micros();
    let mut db = engine.inner.store.read().await?;
    let Some(from) = history::next(&mut db, &lane, now).await? else { return Ok(Step::Nothing) };
    // Under a kill switch nothing of a lane is read.
    if modes::stops(&modes::killed(&mut db).await?, &lane) {
        return Ok(Step::Nothing);
    }
    drop(db);
    let as_of = engine.inner.clocks.business();
    let began = tokio::time::Instant::now();
    match page::read(open, &from).await {
        Ok(Some(page)) => keep(engine, &from, &page, as_of, began.elapsed()).await,
        Ok(None) => lose_place(engine, from).await,
        Err(error) => put_off(engine, &from, &error).await,
    }
}

/// Objects and progress, in one commit.
async fn keep(
    engine: &Engine,
    from: &Progress,
    page: &page::Page,
    as_of: BusinessTime,
    took: Duration,
) -> Result<Step> {
    let dated = BusinessTime::from_micros(as_of.micros() - micros(CLOCKS_APART));
    let mut seen = BTreeSet::new();
    let snapshots: Vec<_> = page
        .items
        .iter()
        .filter_map(|body| snapshot_read(&from.lane, &from.kind, body, dated, None))
        .filter(|snapshot| seen.insert(snapshot.id.clone()))
        .collect();
    let progress = page.progress(from, micros(took));
    let (from, at) = (from.clone(), engine.inner.clocks.machine().micros());
    let keyring = std::sync::Arc::clone(engine.inner.store.keyring());
    let kept = engine
        .inner
        .store
        .write(move |tx| {
            async move {
                history::read(tx, &from, &progress, at).await?;
                objects::put_many(tx, &keyring, &snapshots.iter().collect::<Vec<_>>(), at).await?;
                Ok(())
            }
            .boxed()
        })
        .await
        .map_err(store_error);
    match kept {
        // Another node read on, or somebody asked anew: look again where it stands.
        Ok(()) | Err(Error::Store(bursar_store::Error::Conflict(_))) => Ok(Step::On),
        Err(error) => Err(error),
    }
}

async fn lose_place(engine: &Engine, from: Progress) -> Result<Step> {
    let store = &engine.inner.store;
    store
        .write(move |tx| async move { history::lose_place(tx, &from).await }.boxed())
        .await
        .map_err(store_error)?;
    Ok(Step::On)
}

/// A kind that cannot be read holds up no other.
async fn put_off(engine: &Engine, from: &Progress, error: &Error) -> Result<Step> {
    let pause = match error.fate(1) {
        crate::error::Fate::Wait { after, .. } => after,
        crate::error::Fate::Park | crate::error::Fate::Leave => Duration::from_mins(1),
    };
    tracing::warn!(lane = from.lane, kind = from.kind, %error, "a page of history could not be read; trying again");
    let (from, why) = (from.clone(), error.for_keeping());
    let at = engine.inner.clocks.machine().micros();
    engine
        .inner
        .store
        .write(move |tx| {
            async move { history::failed(tx, &from, &why, at, at + micros(pause)).await }.boxed()
        })
        .await
        .map_err(store_error)?;
    Ok(Step::On)
}

impl Engine {
    /// Asks for the objects of the last so many seconds, on every lane. It goes on by itself, over restarts, until all is
    /// read.
    pub async fn ask_history(&self, since_s: i64) -> Result<HistoryHealth> {
        if since_s <= 0 {
            return Err(Error::invalid(
                "since_s",
                "since_s is how far back, more than 0 seconds; nothing was asked",
            ));
        }
        let lanes: Vec<String> = self.inner.lanes.all().iter().map(|open| open.lane.to_string()).collect();
        if lanes.is_empty() {
            return Err(Error::invalid(
                "lanes",
                "no Stripe account is connected: bursar doctor --only stripe. Nothing was asked",
            ));
        }
        let from_s = self.inner.clocks.business().unix_s().saturating_sub(since_s).max(FIRST_S);
        let at = self.inner.clocks.machine().micros();
        self.inner
            .store
            .write(move |tx| {
                async move {
                    for (lane, kind) in lanes.iter().flat_map(|lane| KINDS.map(|kind| (lane, kind))) {
                        history::ask(tx, lane, kind, from_s, at).await?;
                    }
                    Ok(())
                }
                .boxed()
            })
            .await
            .map_err(store_error)?;
        self.inner.history_asked.notify_waiters();
        self.history().await
    }

    /// How far reading is.
    pub async fn history(&self) -> Result<HistoryHealth> {
        health(&mut self.inner.store.read().await?).await
    }
}

/// How far reading is, for whoever tells how the installation stands.
pub(crate) async fn health(db: &mut bursar_store::Db) -> Result<HistoryHealth> {
    Ok(told::health(&history::all(db).await?))
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
