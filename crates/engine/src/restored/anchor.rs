//! Keeps the anchor as the chain is sealed: at most once a second, and never ahead of what is on disk, because what readers
//! see is. Every node keeps one of its own, whoever seals. Before it is moved the database is compared with it, so that a
//! copy put under a running node is noticed too.

use std::time::Duration;

use bursar_store::anchor::{self, Anchor, Fit};
use bursar_store::audit;

use super::note;
use crate::start::Engine;
use crate::{Error, Result};

const EVERY: Duration = Duration::from_secs(1);

/// Keeps it until the engine stops.
pub(crate) async fn keep(engine: Engine) {
    let mut stopping = engine.stopping();
    // What was there at the start was compared when the store was opened, and is replaced.
    let mut kept: Option<Anchor> = None;
    loop {
        if let Err(error) = step(&engine, &mut kept).await {
            tracing::error!(%error, "the anchor of the audit could not be moved on; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.changed() => return,
        }
    }
}

/// The last word before the engine goes.
pub(crate) async fn settle(engine: &Engine) {
    // Somebody else's word would be compared at the next start: this one is only written where nothing is off.
    let mut kept = anchor::read(engine.inner.store.anchor_path()).ok().flatten();
    if let Err(error) = step(engine, &mut kept).await {
        tracing::warn!(%error, "the anchor of the audit stays where it was");
    }
}

async fn step(engine: &Engine, kept: &mut Option<Anchor>) -> Result<()> {
    let (seq, hash) = {
        let mut db = engine.inner.store.read().await?;
        if let Some(anchor) = kept.as_ref() {
            let fit = anchor::compare(&mut db, anchor).await?;
            if fit != Fit::Fits {
                drop(db);
                let why = (fit.as_str(), Some(anchor));
                note(&engine.inner.store, &engine.inner.clocks, &engine.inner.entropy, why).await?;
                engine.take_stock().await?;
                *kept = None;
                return Ok(());
            }
        }
        audit::head(&mut db).await?
    };
    if kept.as_ref().is_some_and(|kept| kept.seq == seq && kept.hash == hash) {
        return Ok(());
    }
    let new = Anchor {
        installation: engine.inner.installation.id.clone(),
        seq,
        hash,
        at: engine.inner.clocks.machine().micros(),
    };
    let (path, written) = (engine.inner.store.anchor_path().to_owned(), new.clone());
    tokio::task::spawn_blocking(move || anchor::write(&path, &written))
        .await
        .map_err(|error| Error::Broken(error.to_string()))??;
    *kept = Some(new);
    Ok(())
}
