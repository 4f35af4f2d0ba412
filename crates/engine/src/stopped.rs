//! What a kill switch held goes on when no switch stops it any more: a handful at a time beside the other work, and also
//! where whoever reset the switch died over it.

use std::time::Duration;

use bursar_store::jobs;
use futures_util::FutureExt as _;

use crate::Result;
use crate::start::{Engine, store_error};

const TOGETHER: i64 = 500;
const EVERY: Duration = Duration::from_secs(30);

/// Releases until the engine stops.
pub(crate) async fn release_forever(engine: Engine) {
    let mut stopping = engine.stopping();
    loop {
        if let Err(error) = release(&engine).await {
            tracing::warn!(%error, "what a kill switch held could not all be put back in line; trying again");
        }
        tokio::select! {
            () = engine.inner.reset.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.changed() => return,
        }
    }
}

async fn release(engine: &Engine) -> Result<()> {
    let store = &engine.inner.store;
    while !engine.is_stopping() && jobs::any_to_release(&mut store.read().await?).await? {
        let released = store.write(|tx| async move { jobs::release_held(tx, TOGETHER).await }.boxed());
        if released.await.map_err(store_error)? > 0 {
            engine.inner.work.notify_one();
        }
    }
    Ok(())
}
