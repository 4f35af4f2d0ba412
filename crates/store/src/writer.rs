//! The writers. Each takes waiting closures, runs them in one transaction, each in its own savepoint, commits once, and
//! answers them all after the commit is on disk. A closure that fails or panics takes back its own changes only. `SQLite`
//! has one writer, whose groups are as large as what has gathered; `PostgreSQL` several, whose groups are of one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::{Pool, Postgres};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::dialect::Tx;
use crate::fail_point::{FailPoint, FailPoints};
use crate::open::acquire;
use crate::seal::Keyring;
use crate::{Error, Result};

/// At most this many closures share a commit; the bound keeps one commit short.
const GROUP_MAX: usize = 256;

/// One closure waiting to be run.
pub(crate) trait Unit: Send {
    /// Runs it; true when its changes are to be kept.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Turns what it wanted kept into an error.
    fn refuse(&mut self, error: Error);
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

    fn refuse(&mut self, error: Error) {
        self.result = Some(Err(error.into()));
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

/// Who takes waiting closures: a connection of its own and, where it is one among several, the way to another.
pub(crate) struct Writer {
    tx: Tx,
    /// What it was called at first.
    name: String,
    /// How often it had to go on under another.
    renamed: u64,
    others: Option<Others>,
}

struct Others {
    pool: Pool<Postgres>,
    /// Counts, for all of them, the connections that were given up: where one broke, the others may have.
    doubt: Arc<AtomicU64>,
    /// Up to which of those its own has been asked since.
    trusted: u64,
}

impl Writer {
    /// The one writer of a file: its changes share commits.
    pub(crate) fn alone(tx: Tx) -> Self {
        Self { name: tx.writer.clone(), tx, renamed: 0, others: None }
    }

    /// One of several: each change is a transaction of its own, and the database flushes them together.
    pub(crate) fn among(mut tx: Tx, pool: Pool<Postgres>, doubt: &Arc<AtomicU64>) -> Self {
        tx.hurry();
        let (name, doubt) = (tx.writer.clone(), Arc::clone(doubt));
        Self { tx, name, renamed: 0, others: Some(Others { pool, doubt, trusted: 0 }) }
    }

    fn group_max(&self) -> usize {
        if self.others.is_some() { 1 } else { GROUP_MAX }
    }

    /// Asks a connection whether anybody is there, where another writer has just found that nobody was on its own: else each
    /// of them would find out by itself, one long wait after the other.
    async fn assure(&mut self) {
        let Some(others) = &mut self.others else { return };
        let doubt = others.doubt.load(Ordering::Relaxed);
        if doubt != others.trusted {
            others.trusted = doubt;
            if !self.tx.answers().await {
                self.recover().await;
            }
        }
    }

    /// After a group was lost: its connection may be too, and whether its commit went through nobody knows. So the name
    /// in the audit changes: a count that may have gone on is never used again, or every later change would fail over it.
    async fn recover(&mut self) {
        let another = format!("{}.{}", self.name, self.renamed + 1);
        let Some(others) = &mut self.others else {
            let _ = self.tx.command("ROLLBACK").await;
            self.renamed += 1;
            self.tx.rename(another);
            return;
        };
        match acquire(&others.pool).await {
            Ok(conn) => {
                self.renamed += 1;
                others.trusted = others.doubt.fetch_add(1, Ordering::Relaxed) + 1;
                self.tx.renew(conn, another);
            }
            Err(error) => {
                tracing::error!(%error, "no other connection yet; trying again with the next change");
            }
        }
    }
}

type Inbox = Arc<Mutex<mpsc::Receiver<Box<dyn Unit>>>>;

/// Lets them work until every sender is gone.
pub(crate) fn start(
    writers: Vec<Writer>,
    inbox: mpsc::Receiver<Box<dyn Unit>>,
    keyring: &Arc<Keyring>,
    fail_points: &Arc<FailPoints>,
) {
    let inbox = Arc::new(Mutex::new(inbox));
    for mut writer in writers {
        writer.tx.fail_points = Arc::clone(fail_points);
        tokio::spawn(run(writer, Arc::clone(&inbox), Arc::clone(keyring)));
    }
}

async fn run(mut writer: Writer, inbox: Inbox, keyring: Arc<Keyring>) {
    let mut group: Vec<Box<dyn Unit>> = Vec::with_capacity(writer.group_max());
    while inbox.lock().await.recv_many(&mut group, writer.group_max()).await > 0 {
        writer.assure().await;
        let seq_before = writer.tx.writer_seq;
        let commit = commit_group(&mut writer.tx, &mut group).await;
        match &commit {
            Ok(()) => keyring.remember(writer.tx.fresh_keys.drain(..)),
            Err(error) => {
                tracing::error!(%error, "a commit group was lost; nothing in it was acknowledged");
                writer.tx.writer_seq = seq_before;
                writer.tx.fresh_keys.clear();
                writer.recover().await;
            }
        }
        for unit in group.drain(..) {
            unit.answer(&commit);
        }
    }
}

async fn commit_group(tx: &mut Tx, group: &mut [Box<dyn Unit>]) -> Result<()> {
    run_group(tx, group).await?;
    tx.pass(FailPoint::Committed).await
}

async fn run_group(tx: &mut Tx, group: &mut [Box<dyn Unit>]) -> Result<()> {
    if let [unit] = group {
        tx.begin(false).await?;
        let kept = run_unit(tx, unit).await;
        tx.pass(FailPoint::Committing).await?;
        return tx.command(if kept { "COMMIT" } else { "ROLLBACK" }).await;
    }
    tx.begin(true).await?;
    let last = group.len() - 1;
    for (place, unit) in group.iter_mut().enumerate() {
        if !run_unit(tx, unit).await {
            tx.command("ROLLBACK TO unit").await?;
        }
        if place == last {
            tx.pass(FailPoint::Committing).await?;
        }
        let next = if place == last { "RELEASE unit; COMMIT" } else { "RELEASE unit; SAVEPOINT unit" };
        tx.command(next).await?;
    }
    Ok(())
}

/// Whether its changes are to be kept. One that went on after a statement of it had failed is not: `PostgreSQL` has
/// forgotten all of it, and would say nothing at the commit.
async fn run_unit(tx: &mut Tx, unit: &mut Box<dyn Unit>) -> bool {
    let (seq_before, keys_before) = (tx.writer_seq, tx.fresh_keys.len());
    let mut kept = unit.run(tx).await;
    if tx.take_failed() && kept {
        unit.refuse(Error::Database("a change went on after one of its statements had failed".to_owned()));
        kept = false;
    }
    if !kept {
        tx.writer_seq = seq_before;
        tx.fresh_keys.truncate(keys_before);
    }
    kept
}
