//! Acceptance in groups: events that arrive together share one commit. Whoever waits is answered after the commit, and
//! told to come back when the line is too long. What an event comes to is part of the commit where nothing has to be asked
//! for it.

use std::sync::Arc;

use bursar_domain::id::AuditId;
use bursar_store::events::{self, Accepted, NewEvent};
use bursar_store::fail_point::FailPoint;
use bursar_store::planted::{Bug, planted};
use bursar_store::quarantine::{self, NewQuarantined};
use bursar_store::seal::Keyring;
use bursar_store::{Store, Tx};
use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use crate::clock::Clocks;
use crate::entropy::Entropy;
use crate::line::Line;
use crate::start::store_error;
use crate::take::{AtOnce, Maker, take};
use crate::{Error, Result};

const GROUP_MAX: usize = 256;
/// Other nodes may come between so often before a group is given back to its sender.
const TRIES_MAX: u32 = 8;

#[derive(Debug)]
struct Waiting {
    event: NewEvent,
    at_once: Option<AtOnce>,
    answer: oneshot::Sender<Result<Kept>>,
}

/// What became of an event, and whether it leaves work to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) accepted: Accepted,
    pub(crate) work: bool,
}

#[derive(Debug)]
pub(crate) struct Batcher {
    line: Arc<Line<Waiting>>,
    store: Store,
}

impl Batcher {
    pub(crate) fn start(store: Store, clocks: Clocks, entropy: &Entropy) -> Self {
        let line = Arc::new(Line::new());
        let maker = Arc::new(Maker { entropy: entropy.another(), clocks });
        tokio::spawn(run(store.clone(), maker, Arc::clone(&line)));
        Self { line, store }
    }

    /// Keeps one event, once, on disk before this answers; with what it comes to, where that can be told at once.
    pub(crate) async fn accept(&self, event: NewEvent, at_once: Option<AtOnce>) -> Result<Kept> {
        let (answer, kept) = oneshot::channel();
        let (lane, bytes) = (event.lane.clone(), event.body.len());
        if !self.line.join(&lane, bytes, Waiting { event, at_once, answer }) {
            return Err(no_room());
        }
        if planted(Bug::AckBeforeCommit) {
            return Ok(Kept { accepted: Accepted::New, work: true });
        }
        kept.await.map_err(|_| Error::Stopping)?
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

/// Events that share a commit.
struct Group {
    events: Vec<NewEvent>,
    at_once: Vec<Option<AtOnce>>,
}

impl Group {
    /// Every event with the job of a worker.
    fn left_to_workers(&self) -> Group {
        let with_job = |(event, at_once): (&NewEvent, &Option<AtOnce>)| {
            let job = at_once.as_ref().map(|at_once| at_once.job.clone());
            NewEvent { job: job.or_else(|| event.job.clone()), ..event.clone() }
        };
        let events = self.events.iter().zip(&self.at_once).map(with_job).collect();
        Group { events, at_once: self.at_once.iter().map(|_| None).collect() }
    }

    async fn keep(
        &self,
        tx: &mut Tx,
        keyring: &Keyring,
        maker: &Maker,
        entry: AuditId,
    ) -> bursar_store::Result<Vec<Kept>> {
        let at = maker.clocks.machine().micros();
        let verdicts = events::accept(tx, keyring, &self.events, entry, at).await?;
        tx.pass(FailPoint::EventsWritten).await?;
        let new = verdicts.iter().zip(&self.at_once).filter(|(accepted, _)| **accepted == Accepted::New);
        let at_once: Vec<&AtOnce> = new.filter_map(|(_, at_once)| at_once.as_ref()).collect();
        let work = !at_once.is_empty() && take(tx, keyring, &at_once, maker, at).await?;
        let kept =
            |(accepted, event): (Accepted, &NewEvent)| Kept { accepted, work: work || event.job.is_some() };
        Ok(verdicts.into_iter().zip(&self.events).map(kept).collect())
    }
}

async fn run(store: Store, maker: Arc<Maker>, line: Arc<Line<Waiting>>) {
    let mut waiting: Vec<Waiting> = Vec::with_capacity(GROUP_MAX);
    while line.take(GROUP_MAX, &mut waiting).await > 0 {
        let mut answers = Vec::with_capacity(waiting.len());
        let mut group = Group { events: Vec::new(), at_once: Vec::new() };
        for Waiting { event, at_once, answer } in waiting.drain(..) {
            group.events.push(event);
            group.at_once.push(at_once);
            answers.push(answer);
        }
        let mut group = Arc::new(group);
        let mut kept = commit(&store, &maker, &group).await;
        if let Err(error) = &kept
            && may_lie_in_what_follows(error)
            && group.at_once.iter().any(Option::is_some)
        {
            // What an event comes to never keeps it from being accepted.
            tracing::debug!(%error, "events are left to workers");
            group = Arc::new(group.left_to_workers());
            kept = commit(&store, &maker, &group).await;
        }
        match kept {
            Ok(kept) => {
                for (answer, kept) in answers.into_iter().zip(kept) {
                    let _ = answer.send(Ok(kept));
                }
            }
            Err(error) => {
                // What is held needs no commit to be acknowledged again.
                let known = known(&store, &group.events).await;
                for (answer, known) in answers.into_iter().zip(known) {
                    let known = known.map(|accepted| Kept { accepted, work: false });
                    let _ = answer.send(known.ok_or_else(|| store_error(error.clone())));
                }
            }
        }
    }
}

/// Whether the event alone might be kept all the same. A database that is away or full keeps nothing, and whoever waits is to
/// hear so at once.
fn may_lie_in_what_follows(error: &bursar_store::Error) -> bool {
    use bursar_store::Error::{Busy, Closing, Full};
    !matches!(error, Busy(_) | Full(_) | Closing)
}

async fn commit(store: &Store, maker: &Arc<Maker>, group: &Arc<Group>) -> bursar_store::Result<Vec<Kept>> {
    let entry = AuditId::from_entropy(maker.entropy.id());
    let mut tries = 0;
    loop {
        tries += 1;
        let (keyring, maker, group) = (Arc::clone(store.keyring()), Arc::clone(maker), Arc::clone(group));
        let entry = entry.clone();
        let kept: bursar_store::Result<Vec<Kept>> = async {
            store.pass(FailPoint::EventsGathered).await?;
            let kept = store
                .write(move |tx: &mut Tx| {
                    async move { group.keep(tx, &keyring, &maker, entry).await }.boxed()
                })
                .await?;
            store.pass(FailPoint::EventsKept).await?;
            Ok(kept)
        }
        .await;
        // Another node is just keeping one of them: nothing of the group was kept, and next time it is known.
        if !matches!(kept, Err(bursar_store::Error::Conflict(_))) || tries == TRIES_MAX {
            return kept;
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

#[cfg(test)]
mod tests {
    use bursar_store::jobs;
    use serde_json::json;

    use super::*;
    use crate::still::{CUSTOMER, LANE, Still, event};

    /// An event about a card of the customer, as it comes in on a lane whose key is held.
    fn arrived(still: &Still, id: &str) -> Waiting {
        let object = json!({"id": "pm_A", "object": "payment_method", "customer": CUSTOMER});
        let (event, body) = event(id, "payment_method.attached", &object);
        let mut new = still.engine.new_event(LANE, &event, "webhook", &body);
        let job = still.new_job(crate::schedule::EVENT, id, json!({"event": id}));
        assert!(crate::take::can_be_at_once(&event));
        new.job = None;
        Waiting { event: new, at_once: Some(still.engine.at_once(&event, job)), answer: oneshot::channel().0 }
    }

    fn group(waiting: Vec<Waiting>) -> Arc<Group> {
        let (events, at_once) = waiting.into_iter().map(|one| (one.event, one.at_once)).unzip();
        Arc::new(Group { events, at_once })
    }

    async fn keep(still: &Still, group: &Arc<Group>) -> Vec<Kept> {
        let clocks = still.engine.inner.clocks.clone();
        let maker = Arc::new(Maker { entropy: Entropy::default(), clocks });
        commit(&still.engine.inner.store, &maker, group).await.unwrap()
    }

    #[tokio::test]
    async fn what_an_event_comes_to_is_there_when_it_is_answered_and_comes_once() {
        let still = Still::open().await;
        still.add_case("in_A").await;
        let both = group(vec![arrived(&still, "evt_1"), arrived(&still, "evt_1")]);
        let kept = keep(&still, &both).await;
        assert_eq!(
            kept.iter().map(|kept| kept.accepted).collect::<Vec<_>>(),
            [Accepted::New, Accepted::Duplicate]
        );
        assert!(kept[0].work);
        let claimed = still.claim().await;
        assert_eq!(claimed.iter().map(|job| job.kind.as_str()).collect::<Vec<_>>(), ["decide"]);
        let mut db = still.engine.inner.store.read().await.unwrap();
        let keyring = still.engine.inner.store.keyring();
        let held =
            bursar_store::objects::get(&mut db, keyring, LANE, "payment_method", "pm_A").await.unwrap();
        assert!(held.is_some(), "mirrored");
        drop(db);
        let again = keep(&still, &group(vec![arrived(&still, "evt_1")])).await;
        assert_eq!((again[0].accepted, again[0].work), (Accepted::Duplicate, false));
        assert!(still.claim().await.is_empty());
    }

    #[tokio::test]
    async fn while_its_lane_is_stopped_an_event_is_kept_and_left() {
        let still = Still::open().await;
        still.add_case("in_A").await;
        still.engine.kill(&bursar_domain::actor::Actor::Engine, "all", "drill").await.unwrap();
        let kept = keep(&still, &group(vec![arrived(&still, "evt_1")])).await;
        assert_eq!(kept[0].accepted, Accepted::New);
        let left = still.claim().await;
        assert_eq!(left.iter().map(|job| job.kind.as_str()).collect::<Vec<_>>(), [crate::schedule::EVENT]);
    }

    #[tokio::test]
    async fn what_cannot_be_taken_at_once_is_left_to_workers_whole() {
        let still = Still::open().await;
        let both = group(vec![arrived(&still, "evt_1"), arrived(&still, "evt_2")]);
        let left = Arc::new(both.left_to_workers());
        assert!(keep(&still, &left).await.iter().all(|kept| kept.accepted == Accepted::New && kept.work));
        let mut claimed = still.claim().await;
        claimed.sort_by(|one, other| one.key.cmp(&other.key));
        let told: Vec<_> =
            claimed.iter().map(|job: &jobs::Job| (job.kind.as_str(), job.key.as_str())).collect();
        assert_eq!(told, [(crate::schedule::EVENT, "evt_1"), (crate::schedule::EVENT, "evt_2")]);
    }
}
