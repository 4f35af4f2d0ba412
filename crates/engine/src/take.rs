//! Events in hand: each mirrors its object and wakes the playbooks that want to hear of it. Many are taken in one commit;
//! one that cannot go with the others is left to be taken by itself, so that it holds up nobody.

mod at_once;
mod thin;

use bursar_domain::case::CaseKey;
use bursar_playbooks::{Playbook, Signal, Wakes};
use bursar_store::events::{Resolved, Stored};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{Job, NewJob};
use bursar_store::objects::Snapshot;
use bursar_store::{Db, Tx, cases, events, jobs, objects};
use bursar_stripe::event::{Event, EventObject};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::mirror::snapshot_of;
use crate::reversal::REFUND;
use crate::start::{Engine, store_error};
use crate::{Error, Result};

pub(crate) use at_once::{AtOnce, Maker, can_be_at_once, take};

/// An event, and the job that brought it.
struct InHand {
    job: Job,
    event: Event,
}

/// What an event comes to, before it is written.
struct Taken {
    job: Job,
    signal: String,
    seen: Seen,
    /// Each playbook that wants to hear of it, by name.
    wakes: Vec<(&'static str, Wakes)>,
    /// What Stripe's word on a request for approval leads to.
    decided: Option<NewJob>,
}

/// What an event shows of its object.
#[derive(Default)]
struct Seen {
    /// What is to be heard; nothing where the object is gone, or where another event tells of the same change.
    object: Option<Value>,
    snapshot: Option<Snapshot>,
    /// Kind and id of an object that changed unseen: its copy is to be read again before it is used.
    changed: Option<(String, String)>,
    /// What became of the object of a thin event.
    resolved: Option<Resolved>,
}

impl Engine {
    /// An event by itself.
    pub(crate) async fn take_event(&self, job: &Job) -> Result<()> {
        let id = event_id(&job.payload);
        let mut db = self.inner.store.read().await?;
        let stored =
            events::get(&mut db, &job.lane, id).await?.ok_or_else(|| Error::not_found("event", id))?;
        let event = self.open_event(&mut db, &stored).await?;
        // Stripe may have to be asked now, and be slow.
        drop(db);
        self.pass(FailPoint::EventOpened).await?;
        let batch = [InHand { job: job.clone(), event }];
        let taken = self.look_at(&batch[0], &batch).await?;
        self.keep_taken(vec![taken]).await
    }

    /// Many events. Gives back those that want to be taken one by one: what must be asked of Stripe first, and what did not
    /// work out, whose reason comes to light then.
    pub(crate) async fn take_events(&self, jobs: Vec<Job>) -> Vec<Job> {
        match self.take_together(&jobs).await {
            Ok(alone) => alone,
            Err(error) => {
                tracing::debug!(%error, "events are taken one by one");
                jobs
            }
        }
    }

    async fn take_together(&self, jobs: &[Job]) -> Result<Vec<Job>> {
        let (batch, mut alone) = self.open_together(jobs).await?;
        let mut taken = Vec::with_capacity(batch.len());
        for one in &batch {
            match self.look_at(one, &batch).await {
                Ok(one) => taken.push(one),
                Err(_) => alone.push(one.job.clone()),
            }
        }
        if !taken.is_empty() {
            self.keep_taken(taken).await?;
        }
        Ok(alone)
    }

    /// The events of many jobs; and the jobs whose event is not held, cannot be opened, or is about something that must be
    /// asked of Stripe.
    async fn open_together(&self, jobs: &[Job]) -> Result<(Vec<InHand>, Vec<Job>)> {
        let names: Vec<(&str, &str)> =
            jobs.iter().map(|job| (job.lane.as_str(), event_id(&job.payload))).collect();
        let mut db = self.inner.store.read().await?;
        let stored = events::get_many(&mut db, &names).await?;
        let (mut batch, mut alone) = (Vec::with_capacity(jobs.len()), Vec::new());
        for (job, stored) in jobs.iter().zip(stored) {
            let event = match stored {
                Some(stored) => self.open_event(&mut db, &stored).await.ok(),
                None => None,
            };
            match event {
                Some(event) if !asks_stripe(&event) => batch.push(InHand { job: job.clone(), event }),
                _ => alone.push(job.clone()),
            }
        }
        Ok((batch, alone))
    }

    async fn open_event(&self, db: &mut Db, stored: &Stored) -> Result<Event> {
        let body = stored.body(db, self.inner.store.keyring()).await?;
        Event::parse(&body).map_err(|error| Error::Broken(format!("{}: {error}", stored.id)))
    }

    /// `batch` is what is taken in the same commit: what it says counts as known.
    async fn look_at(&self, InHand { job, event }: &InHand, batch: &[InHand]) -> Result<Taken> {
        let listeners = listeners(event);
        let wanted = !listeners.is_empty();
        let mut seen = match &event.object {
            EventObject::Snapshot { object, .. } => {
                self.see_snapshot(&job.lane, event, (object, wanted)).await?
            }
            EventObject::Thin { .. } => {
                self.see_thin(&job.lane, event, wanted || event.object_kind() == Some(REFUND)).await?
            }
        };
        let mut wakes = Vec::new();
        if let Some(mut object) = seen.object.take() {
            self.notice_reversal(&job.lane, &object).await?;
            if wanted {
                self.name_customer(&job.lane, &mut object, batch).await?;
            }
            let signal = Signal::Event { kind: event.occurrence(), object: &object };
            wakes.extend(listeners.iter().map(|playbook| (playbook.name, (playbook.trigger)(&signal))));
        }
        let decided = match self.inner.lanes.get(&job.lane) {
            Some(open) => self.heard_from_stripes_people(&open.lane, event).await?,
            None => None,
        };
        Ok(Taken { job: job.clone(), signal: event.occurrence().to_owned(), seen, wakes, decided })
    }

    /// A whole object comes with it. Nobody is woken about a change for which a thin event woke them already.
    async fn see_snapshot(
        &self,
        lane: &str,
        event: &Event,
        (object, wanted): (&Value, bool),
    ) -> Result<Seen> {
        let told = wanted && {
            let mut db = self.inner.store.read().await?;
            !events::read_for(&mut db, &[(lane, event.id.as_str())]).await?.is_empty()
        };
        let heard = !told && (wanted || event.object_kind() == Some(REFUND));
        let snapshot = snapshot_of(lane, event, self.inner.clocks.business());
        Ok(Seen { object: heard.then(|| object.clone()), snapshot, ..Seen::default() })
    }

    async fn keep_taken(&self, taken: Vec<Taken>) -> Result<()> {
        let (keyring, at) = (self.inner.store.keyring().clone(), self.inner.clocks.machine().micros());
        let engine = self.clone();
        self.pass(FailPoint::EventTaken).await?;
        let woke = self
            .inner
            .store
            .write(move |tx| {
                async move {
                    let done: Vec<&Job> = taken.iter().map(|one| &one.job).collect();
                    jobs::finish_many(tx, &done).await?;
                    tx.pass(FailPoint::EventJobGone).await?;
                    let snapshots: Vec<&Snapshot> =
                        taken.iter().filter_map(|one| one.seen.snapshot.as_ref()).collect();
                    objects::put_many(tx, &keyring, &snapshots, at).await?;
                    for one in &taken {
                        one.note_what_was_not_seen(tx).await?;
                    }
                    let follow_up = engine.follow_up(tx, &taken).await?;
                    jobs::add_many(tx, follow_up.iter()).await?;
                    tx.pass(FailPoint::EventFollowed).await?;
                    Ok(!follow_up.is_empty())
                }
                .boxed()
            })
            .await
            .map_err(store_error)?;
        self.pass(FailPoint::EventDone).await?;
        if woke {
            self.inner.work.notify_one();
        }
        Ok(())
    }

    /// The decisions that events lead to.
    async fn follow_up(&self, tx: &mut Tx, taken: &[Taken]) -> bursar_store::Result<Vec<NewJob>> {
        let wakes: Vec<(&str, &[(&'static str, Wakes)])> =
            taken.iter().map(|one| (one.job.lane.as_str(), one.wakes.as_slice())).collect();
        let mut jobs = Vec::new();
        for (one, woken) in taken.iter().zip(woken(tx, &wakes).await?) {
            jobs.extend(
                woken.iter().map(|(key, opens)| self.decide_job(&one.job.lane, key, &one.signal, *opens)),
            );
            jobs.extend(one.decided.clone());
        }
        Ok(jobs)
    }

    /// A dispute names its charge only: whose it is, the events beside it or the mirror know.
    async fn name_customer(&self, lane: &str, object: &mut Value, batch: &[InHand]) -> Result<()> {
        let charge = object.get("charge").and_then(Value::as_str).map(str::to_owned);
        let (Some(charge), true) = (charge, object["object"] == "dispute") else { return Ok(()) };
        let beside =
            batch.iter().filter(|one| one.job.lane == lane).find_map(|one| match &one.event.object {
                EventObject::Snapshot { object, .. }
                    if one.event.object_kind() == Some("charge")
                        && one.event.object_id() == Some(charge.as_str()) =>
                {
                    Some(object.clone())
                }
                _ => None,
            });
        let held = if beside.is_some() {
            beside
        } else {
            let mut db = self.inner.store.read().await?;
            let held = objects::get(&mut db, self.inner.store.keyring(), lane, "charge", &charge).await?;
            held.map(|held| held.body)
        };
        if let Some(customer) = held.and_then(|held| held.get("customer").cloned()) {
            object["charge"] = json!({"id": charge, "object": "charge", "customer": customer});
        }
        Ok(())
    }
}

impl Taken {
    async fn note_what_was_not_seen(&self, tx: &mut Tx) -> bursar_store::Result<()> {
        let lane = &self.job.lane;
        if let Some((kind, id)) = &self.seen.changed {
            objects::mark_stale(tx, lane, kind, id).await?;
        }
        match self.seen.resolved {
            Some(resolved) => events::resolve(tx, lane, event_id(&self.job.payload), resolved).await,
            None => Ok(()),
        }
    }
}

/// Of each event with its lane, the cases that are to be decided on, and whether each may be opened for it. Which are open
/// is asked where nothing can come between: a case that was opened a moment ago hears of it too.
async fn woken(
    tx: &mut Tx,
    events: &[(&str, &[(&'static str, Wakes)])],
) -> bursar_store::Result<Vec<Vec<(CaseKey, bool)>>> {
    let mut whose = Vec::new();
    for &(lane, wakes) in events {
        whose.extend(wakes.iter().filter_map(|(playbook, wakes)| match wakes {
            Wakes::OpenCasesOf { customer } => Some((lane, *playbook, customer.as_str())),
            Wakes::Nothing | Wakes::Case { .. } => None,
        }));
    }
    let mut open = cases::open_of_customers(tx, &whose).await?.into_iter();
    let mut of_one = |(_, wakes): &(&'static str, Wakes)| match wakes {
        Wakes::Nothing => Vec::new(),
        Wakes::Case { key, opens } => vec![(key.clone(), *opens)],
        Wakes::OpenCasesOf { .. } => {
            open.next().unwrap_or_default().into_iter().map(|key| (key, false)).collect()
        }
    };
    Ok(events.iter().map(|(_, wakes)| wakes.iter().flat_map(&mut of_one).collect()).collect())
}

/// The playbooks that want to hear of an event.
fn listeners(event: &Event) -> Vec<&'static Playbook> {
    let all = bursar_playbooks::ALL.iter().copied();
    all.filter(|playbook| playbook.events.contains(&event.occurrence())).collect()
}

/// Whether what an event is about must be asked of Stripe before the event can be taken.
pub(crate) fn asks_stripe(event: &Event) -> bool {
    matches!(event.object, EventObject::Thin { .. })
}

/// Which event a job's payload is about.
fn event_id(payload: &Value) -> &str {
    payload["event"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
