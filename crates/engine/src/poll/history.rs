//! Events from before a lane was followed: newest first, a day at a time, resumed where it ended, behind everything else.

use std::time::Duration;

use bursar_store::pollers;
use futures_util::FutureExt as _;

use super::fetch;
use crate::Result;
use crate::lanes::Open;
use crate::start::{Engine, store_error};

const DAY_S: i64 = 86_400;
/// The first poll makes the row; until then there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until the history is read or the engine stops.
pub(super) async fn run(engine: Engine, open: Open) {
    let mut stopping = engine.stopping();
    let mut failures = 0;
    loop {
        let wait = match step(&engine, &open).await {
            Ok(Step::Done) => return,
            Ok(Step::More) => {
                failures = 0;
                continue;
            }
            Ok(Step::NotYet) => LOOK_EVERY,
            Err(error) => {
                failures += 1;
                tracing::warn!(lane = %open.lane, %error, "history could not be read; trying again");
                crate::error::backoff(failures)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopping.changed() => return,
        }
    }
}

enum Step {
    NotYet,
    More,
    Done,
}

async fn step(engine: &Engine, open: &Open) -> Result<Step> {
    if !engine.inner.duties.are_ours(&super::duty(open)) {
        return Ok(Step::NotYet);
    }
    let lane = open.lane.to_string();
    let Some(known) = pollers::get(&mut engine.inner.store.read().await?, &lane).await? else {
        return Ok(Step::NotYet);
    };
    if known.history_to_s <= known.history_from_s {
        return Ok(Step::Done);
    }
    let from_s = (known.history_to_s - DAY_S).max(known.history_from_s);
    fetch(engine, open, from_s, known.history_to_s, "backfill").await?;
    engine
        .inner
        .store
        .write(move |tx| async move { pollers::history_read(tx, &lane, from_s).await }.boxed())
        .await
        .map_err(store_error)?;
    Ok(Step::More)
}
