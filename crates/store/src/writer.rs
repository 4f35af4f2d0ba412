//! The one writer: takes waiting closures, runs them in one transaction, each in its own savepoint, commits once, and
//! answers them all after the commit is on disk. A closure that fails or panics takes back its own changes only.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::dialect::Tx;
use crate::seal::Keyring;
use crate::{Error, Result};

/// At most this many closures share a commit; the bound keeps one commit short.
const GROUP_MAX: usize = 256;

/// One closure waiting to be run.
pub(crate) trait Unit: Send {
    /// Runs it; true when its changes are to be kept.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Tells the caller, after the group's fate is known.
    fn answer(self: Box<Self>, commit: &Result<()>);
}

pub(crate) struct Typed<T, E, F> {
    pub(crate) work: Option<F>,
    pub(crate) result: Option<std::result::Result<T, E>>,
    pub(crate) reply: oneshot::Sender<std::result::Result<T, E>>,
}

impl<T, E, F> Unit for Typed<T, E, F>
where
    T: Send,
    E: From<Error> + Send,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, std::result::Result<T, E>> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        async move {
            let Some(work) = self.work.take() else { return false };
            let ran = AssertUnwindSafe(async { work(tx).await }).catch_unwind().await;
            let result = ran.unwrap_or_else(|_| {
                tracing::error!("a write panicked and was taken back");
                Err(Error::Database("the write panicked".to_owned()).into())
            });
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        }
        .boxed()
    }

    fn answer(self: Box<Self>, commit: &Result<()>) {
        let this = *self;
        let answer = match (this.result, commit) {
            (Some(Ok(_)) | None, Err(error)) => Err(error.clone().into()),
            (Some(result), _) => result,
            (None, Ok(())) => Err(Error::Closing.into()),
        };
        // A caller that went away no longer wants to know; its changes are kept all the same.
        let _ = this.reply.send(answer);
    }
}

/// Runs until every sender is gone.
pub(crate) async fn run(mut tx: Tx, mut inbox: mpsc::Receiver<Box<dyn Unit>>, keyring: Arc<Keyring>) {
    let mut group: Vec<Box<dyn Unit>> = Vec::with_capacity(GROUP_MAX);
    while inbox.recv_many(&mut group, GROUP_MAX).await > 0 {
        let seq_before = tx.writer_seq;
        let commit = commit_group(&mut tx, &mut group).await;
        match &commit {
            Ok(()) => keyring.remember(tx.fresh_keys.drain(..)),
            Err(error) => {
                tracing::error!(%error, "a commit group was lost; nothing in it was acknowledged");
                let _ = tx.command("ROLLBACK").await;
                tx.writer_seq = seq_before;
                tx.fresh_keys.clear();
            }
        }
        for unit in group.drain(..) {
            unit.answer(&commit);
        }
    }
}

async fn commit_group(tx: &mut Tx, group: &mut [Box<dyn Unit>]) -> Result<()> {
    // Every command is a trip to the connection's thread and back: they travel together.
    tx.command("BEGIN IMMEDIATE; SAVEPOINT unit").await?;
    let last = group.len() - 1;
    for (place, unit) in group.iter_mut().enumerate() {
        let (seq_before, keys_before) = (tx.writer_seq, tx.fresh_keys.len());
        if !unit.run(tx).await {
            tx.command("ROLLBACK TO unit").await?;
            tx.writer_seq = seq_before;
            tx.fresh_keys.truncate(keys_before);
        }
        let next = if place == last { "RELEASE unit; COMMIT" } else { "RELEASE unit; SAVEPOINT unit" };
        tx.command(next).await?;
    }
    Ok(())
}
