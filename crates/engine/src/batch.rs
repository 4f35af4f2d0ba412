//! Acceptance in groups: events that arrive together share one commit. Whoever waits is answered after the commit, and
//! told to come back when the line is too long.

use std::sync::Arc;

use bursar_domain::id::AuditId;
use bursar_store::events::{self, Accepted, NewEvent};
use bursar_store::quarantine::{self, NewQuarantined};
use bursar_store::{Store, Tx};
use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use crate::clock::Clocks;
use crate::entropy::Entropy;
use crate::line::Line;
use crate::start::store_error;
use crate::{Error, Result};

const GROUP_MAX: usize = 256;

#[derive(Debug)]
struct Waiting {
    event: NewEvent,
    answer: oneshot::Sender<Result<Accepted>>,
}

#[derive(Debug)]
pub(crate) struct Batcher {
    line: Arc<Line<Waiting>>,
    store: Store,
}

impl Batcher {
    pub(crate) fn start(store: Store, clocks: Clocks) -> Self {
        let line = Arc::new(Line::new());
        tokio::spawn(run(store.clone(), clocks, Arc::clone(&line)));
        Self { line, store }
    }

    /// Keeps one event, once, on disk before this answers.
    pub(crate) async fn accept(&self, event: NewEvent) -> Result<Accepted> {
        let (answer, accepted) = oneshot::channel();
        let (lane, bytes) = (event.lane.clone(), event.body.len());
        if !self.line.join(&lane, bytes, Waiting { event, answer }) {
            return Err(no_room());
        }
        accepted.await.map_err(|_| Error::Stopping)?
    }

    /// Fails where an event of this lane would find no room, before anything is done for it.
    pub(crate) fn room(&self, lane: &str, bytes: usize) -> Result<()> {
        if self.line.has_room(lane, bytes) { Ok(()) } else { Err(no_room()) }
    }

    pub(crate) async fn quarantine(&self, new: NewQuarantined) -> Result<bool> {
        let keyring = Arc::clone(self.store.keyring());
        self.store
            .write(move |tx| async move { quarantine::keep(tx, &keyring, new).await }.boxed())
            .await
            .map_err(store_error)
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.line.close();
    }
}

fn no_room() -> Error {
    let why = "too many events wait for it".to_owned();
    Error::Unavailable { on: "the store", why, after: std::time::Duration::from_secs(1) }
}

async fn run(store: Store, clocks: Clocks, line: Arc<Line<Waiting>>) {
    let entropy = Entropy::default();
    let mut group: Vec<Waiting> = Vec::with_capacity(GROUP_MAX);
    while line.take(GROUP_MAX, &mut group).await > 0 {
        let (events, answers): (Vec<NewEvent>, Vec<_>) =
            group.drain(..).map(|waiting| (waiting.event, waiting.answer)).unzip();
        let entry = AuditId::from_entropy(entropy.id());
        let (keyring, at) = (Arc::clone(store.keyring()), clocks.machine().micros());
        let events = Arc::new(events);
        let kept = loop {
            let (keyring, events, entry) = (keyring.clone(), Arc::clone(&events), entry.clone());
            let kept: bursar_store::Result<Vec<Accepted>> = store
                .write(move |tx: &mut Tx| {
                    async move { events::accept(tx, &keyring, &events, entry, at).await }.boxed()
                })
                .await;
            // Another node is just keeping one of them: nothing of the group was kept, and next time it is known.
            if !matches!(kept, Err(bursar_store::Error::Conflict(_))) {
                break kept;
            }
        };
        match kept {
            Ok(verdicts) => {
                for (answer, verdict) in answers.into_iter().zip(verdicts) {
                    let _ = answer.send(Ok(verdict));
                }
            }
            Err(error) => {
                // What is held needs no commit to be acknowledged again.
                let known = known(&store, &events).await;
                for (answer, known) in answers.into_iter().zip(known) {
                    let _ = answer.send(known.ok_or_else(|| store_error(error.clone())));
                }
            }
        }
    }
}

/// Of each event, what it is beside the one that is held under its name; nothing where none is, or nobody can tell. A copy
/// beside it in the group is not held: a sender that lost patience and came again would be told that it is, and go.
async fn known(store: &Store, events: &[NewEvent]) -> Vec<Option<Accepted>> {
    let judged = async { events::judge_each(&mut store.read().await?, events).await };
    match judged.await {
        Ok(verdicts) => {
            verdicts.into_iter().map(|one| Some(one).filter(|one| *one != Accepted::New)).collect()
        }
        Err(_) => vec![None; events.len()],
    }
}
