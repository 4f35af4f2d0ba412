//! This process among others on the same database: it says that it is there, takes up what a silent one left, and holds
//! the duties that one node at a time has. A file has one process, which has them all.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bursar_store::open::Standing;
use bursar_store::{Database, nodes};
use futures_util::FutureExt as _;

use crate::Result;
use crate::start::{Engine, store_error};

/// What this node would do, and what of it is its own now.
#[derive(Debug)]
pub(crate) struct Duties {
    alone: bool,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    wanted: BTreeSet<String>,
    ours: BTreeSet<String>,
}

impl Duties {
    pub(crate) fn new(database: Database) -> Self {
        Self { alone: database == Database::Sqlite, state: RwLock::default() }
    }

    /// From the next beat on this node tries to hold it.
    pub(crate) fn want(&self, name: &str) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.wanted.insert(name.to_owned());
    }

    pub(crate) fn are_ours(&self, name: &str) -> bool {
        self.alone || self.state.read().unwrap_or_else(PoisonError::into_inner).ours.contains(name)
    }

    fn wanted(&self) -> Vec<String> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.wanted.iter().cloned().collect()
    }

    fn hold(&self, ours: Vec<String>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.ours = ours.into_iter().collect();
    }
}

/// Announces this node and goes on doing so until the engine stops.
pub(crate) async fn start(engine: &Engine) -> Result<()> {
    succeed(engine).await?;
    beat(engine).await?;
    if !engine.inner.duties.alone {
        engine.spawn(beat_forever(engine.clone())).await;
    }
    Ok(())
}

/// Whoever was killed and comes back need not wait until it is taken for dead: it knows that it was. Should the directory
/// be a copy, and the other one live, its fence tokens are outdated and nothing is done twice.
async fn succeed(engine: &Engine) -> Result<()> {
    let store = &engine.inner.store;
    if let Some(before) = store.predecessor().map(str::to_owned) {
        let buried = store.write(move |tx| async move { nodes::bury(tx, &before).await }.boxed());
        buried.await.map_err(store_error)?;
    }
    store.sign().map_err(store_error)
}

async fn beat_forever(engine: Engine) {
    let mut stopping = engine.stopping();
    let every = engine.inner.settings.node_silence / 4;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stopping.changed() => return,
        }
        if let Err(error) = beat(&engine).await {
            // Whoever cannot be heard no longer knows what is its own.
            engine.inner.duties.hold(Vec::new());
            tracing::warn!(%error, "this node could not say that it is there; trying again");
        }
    }
}

async fn beat(engine: &Engine) -> Result<()> {
    let wanted = engine.inner.duties.wanted();
    // A node that said nothing for so long is taken for dead: its jobs go to others. Should it only have been slow, its
    // fence tokens are outdated and nothing that it still does is kept. Its duties are free a little earlier.
    let silence = engine.inner.settings.node_silence;
    let (held, silence) = (micros(silence * 3 / 4), micros(silence));
    let store = engine.inner.store.clone();
    let (ours, buried, standing) = engine
        .inner
        .store
        .write(move |tx| {
            async move {
                let standing = store.standing(tx).await?;
                if matches!(standing, Standing::Changed { .. }) {
                    return Ok((Vec::new(), 0, standing));
                }
                nodes::beat(tx, env!("CARGO_PKG_VERSION")).await?;
                let buried = nodes::bury_silent(tx, silence).await?;
                Ok((nodes::hold(tx, &wanted, held).await?, buried, standing))
            }
            .boxed()
        })
        .await
        .map_err(store_error)?;
    engine.inner.duties.hold(ours);
    engine.note_standing(standing);
    if buried > 0 {
        tracing::warn!(buried, "took up what nodes left that were not heard of any more");
        engine.inner.work.notify_one();
    }
    Ok(())
}

impl Engine {
    /// A newer version may have brought the tables further while this one works.
    fn note_standing(&self, now: Standing) {
        let before = self.inner.standing.send_replace(now);
        match now {
            Standing::Added { found } if before != now => {
                tracing::warn!(
                    found,
                    "a newer version has brought the tables up to date: this node goes on, and once it has ended only the newer one starts"
                );
            }
            Standing::Changed { found } if before != now => {
                tracing::error!(found, "a newer version has changed the tables: this node ends now");
                self.give_up();
            }
            _ => {}
        }
    }

    /// Waits until this version must not go on, and says why. Nothing is to be written by it any more.
    pub async fn outdated(&self) -> String {
        let mut standing = self.inner.standing.subscribe();
        let changed = |standing: &Standing| matches!(standing, Standing::Changed { .. });
        // The sender lives as long as the engine does.
        let found = standing.wait_for(changed).await.map(|standing| *standing);
        let Ok(Standing::Changed { found }) = found else { return std::future::pending().await };
        format!("a newer version has changed the tables (migration {found}) while this node was not heard of")
    }
}

/// Others need not wait for what this node held.
pub(crate) async fn leave(engine: &Engine) {
    engine.inner.duties.hold(Vec::new());
    let left = engine.inner.store.write(|tx| async move { nodes::leave(tx).await }.boxed()).await;
    if let Err(error) = left.map_err(store_error) {
        tracing::warn!(%error, "others will notice only by its silence that this node is gone");
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
