//! Events in hand: each mirrors its object and wakes the playbooks that want to hear of it. Many are taken in one commit;
//! one that cannot go with the others is left to be taken by itself, so that it holds up nobody.

mod thin;

use bursar_playbooks::{Playbook, Signal, Wakes};
use bursar_store::events::{Resolved, Stored};
use bursar_store::jobs::{Job, NewJob};
use bursar_store::objects::{Kept, Snapshot};
use bursar_store::{Db, Tx, cases, events, jobs, objects};
use bursar_stripe::event::{Event, EventObject};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::crash_point::CrashPoint;
use crate::mirror::snapshot_of;
use crate::reversal::REFUND;
use crate::start::{Engine, store_error};
use crate::{Error, Result};

/// Stripe's clock and ours may differ by this much before its word needs a second look.
const AHEAD_S_MAX: i64 = 300;

/// What an event comes to, before it is written.
struct Taken {
    job: Job,
    seen: Seen,
    follow_up: Vec<NewJob>,
}

/// What an event shows of its object.
#[derive(Default)]
struct Seen {
    /// What is to be heard; nothing where the object is gone, or where another event tells of the same change.
    object: Option<Value>,
    snapshot: Option<Snapshot>,
    /// Another version's shape, or another time's: good enough to wake somebody, not to decide on.
    doubtful: bool,
    /// Kind and id of an object that changed unseen: its copy is to be read again before it is used.
    changed: Option<(String, String)>,
    /// What became of the object of a thin event.
    resolved: Option<Resolved>,
}

impl Engine {
    /// An event by itself.
    pub(crate) async fn take_event(&self, job: &Job) -> Result<()> {
        let id = event_id(job);
        let mut db = self.inner.store.read().await?;
        let stored =
            events::get(&mut db, &job.lane, id).await?.ok_or_else(|| Error::not_found("event", id))?;
        let event = self.open_event(&mut db, &stored).await?;
        let taken = self.look_at(&mut db, job, &event).await?;
        drop(db);
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
        let names: Vec<(&str, &str)> = jobs.iter().map(|job| (job.lane.as_str(), event_id(job))).collect();
        let mut db = self.inner.store.read().await?;
        let stored = events::get_many(&mut db, &names).await?;
        let (mut taken, mut alone) = (Vec::with_capacity(jobs.len()), Vec::new());
        for (job, stored) in jobs.iter().zip(stored) {
            match self.look_without_asking(&mut db, job, stored).await {
                Ok(Some(one)) => taken.push(one),
                Ok(None) | Err(_) => alone.push(job.clone()),
            }
        }
        drop(db);
        if !taken.is_empty() {
            self.keep_taken(taken).await?;
        }
        Ok(alone)
    }

    /// Nothing where the event is not held, or its object must be asked of Stripe.
    async fn look_without_asking(
        &self,
        db: &mut Db,
        job: &Job,
        stored: Option<Stored>,
    ) -> Result<Option<Taken>> {
        let Some(stored) = stored else { return Ok(None) };
        let event = self.open_event(db, &stored).await?;
        match event.object {
            EventObject::Thin { .. } => Ok(None),
            EventObject::Snapshot { .. } => self.look_at(db, job, &event).await.map(Some),
        }
    }

    async fn open_event(&self, db: &mut Db, stored: &Stored) -> Result<Event> {
        let body = stored.body(db, self.inner.store.keyring()).await?;
        Event::parse(&body).map_err(|error| Error::Broken(format!("{}: {error}", stored.id)))
    }

    async fn look_at(&self, db: &mut Db, job: &Job, event: &Event) -> Result<Taken> {
        let listeners: Vec<&Playbook> = bursar_playbooks::ALL
            .iter()
            .copied()
            .filter(|playbook| playbook.events.contains(&event.occurrence()))
            .collect();
        let mut seen = match &event.object {
            EventObject::Snapshot { object, .. } => {
                self.see_snapshot(db, &job.lane, event, (object, !listeners.is_empty())).await?
            }
            EventObject::Thin { .. } => {
                let wanted = !listeners.is_empty() || event.object_kind() == Some(REFUND);
                self.see_thin(db, &job.lane, event, wanted).await?
            }
        };
        let mut follow_up = Vec::new();
        if let Some(mut object) = seen.object.take() {
            self.notice_reversal(&job.lane, &object).await?;
            if !listeners.is_empty() {
                self.name_customer(db, &job.lane, &mut object).await?;
                follow_up = self.wake(db, &job.lane, (event.occurrence(), &object), &listeners).await?;
            }
        }
        if let Some(open) = self.inner.lanes.get(&job.lane) {
            follow_up.extend(self.heard_from_stripes_people(db, &open.lane, event).await?);
        }
        Ok(Taken { job: job.clone(), seen, follow_up })
    }

    /// The decisions that an event asks of those who listen to it.
    async fn wake(
        &self,
        db: &mut Db,
        lane: &str,
        (kind, object): (&str, &Value),
        listeners: &[&Playbook],
    ) -> Result<Vec<NewJob>> {
        let mut wanted = Vec::new();
        for playbook in listeners {
            match (playbook.trigger)(&Signal::Event { kind, object }) {
                Wakes::Nothing => {}
                Wakes::Case { key, opens } => wanted.push((key, opens)),
                Wakes::OpenCasesOf { customer } => {
                    let open = cases::open_of_customer(db, lane, playbook.name, &customer).await?;
                    wanted.extend(open.into_iter().map(|key| (key, false)));
                }
            }
        }
        Ok(wanted.into_iter().map(|(key, opens)| self.decide_job(lane, &key, kind, opens)).collect())
    }

    /// A whole object comes with it. Nobody is woken about a change for which a thin event woke them already.
    async fn see_snapshot(
        &self,
        db: &mut Db,
        lane: &str,
        event: &Event,
        (object, wanted): (&Value, bool),
    ) -> Result<Seen> {
        let told = wanted && events::is_read_for(db, lane, event.id.as_str()).await?;
        let heard = !told && (wanted || event.object_kind() == Some(REFUND));
        let now = self.inner.clocks.business();
        let foreign_version = event.api_version.as_deref() != Some(bursar_stripe::api_version::PINNED);
        Ok(Seen {
            object: heard.then(|| object.clone()),
            snapshot: snapshot_of(lane, event, now),
            doubtful: foreign_version || event.created_s > now.unix_s() + AHEAD_S_MAX,
            ..Seen::default()
        })
    }

    async fn keep_taken(&self, taken: Vec<Taken>) -> Result<()> {
        let (keyring, at) = (self.inner.store.keyring().clone(), self.inner.clocks.machine().micros());
        let woke = taken.iter().any(|one| !one.follow_up.is_empty());
        self.pass(CrashPoint::EventTaken).await;
        self.inner
            .store
            .write(move |tx| {
                async move {
                    let done: Vec<&Job> = taken.iter().map(|one| &one.job).collect();
                    jobs::finish_many(tx, &done).await?;
                    let with_snapshot: Vec<(&Taken, &Snapshot)> =
                        taken.iter().filter_map(|one| Some((one, one.seen.snapshot.as_ref()?))).collect();
                    let snapshots: Vec<&Snapshot> =
                        with_snapshot.iter().map(|(_, snapshot)| *snapshot).collect();
                    let kept = objects::put_many(tx, &keyring, &snapshots, at).await?;
                    for ((one, snapshot), kept) in with_snapshot.into_iter().zip(kept) {
                        if one.seen.doubtful && kept == Kept::Stored {
                            objects::mark_stale(tx, &snapshot.lane, &snapshot.kind, &snapshot.id).await?;
                        }
                    }
                    for one in &taken {
                        one.note_what_was_not_seen(tx).await?;
                    }
                    jobs::add_many(tx, taken.iter().flat_map(|one| &one.follow_up)).await
                }
                .boxed()
            })
            .await
            .map_err(store_error)?;
        if woke {
            self.inner.work.notify_one();
        }
        Ok(())
    }

    /// A dispute names its charge only: whose it is, the mirror knows.
    async fn name_customer(&self, db: &mut Db, lane: &str, object: &mut Value) -> Result<()> {
        let charge = object.get("charge").and_then(Value::as_str).map(str::to_owned);
        let (Some(charge), true) = (charge, object["object"] == "dispute") else { return Ok(()) };
        let held = objects::get(db, self.inner.store.keyring(), lane, "charge", &charge).await?;
        if let Some(customer) = held.and_then(|held| held.body.get("customer").cloned()) {
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
            Some(resolved) => events::resolve(tx, lane, event_id(&self.job), resolved).await,
            None => Ok(()),
        }
    }
}

fn event_id(job: &Job) -> &str {
    job.payload["event"].as_str().unwrap_or_default()
}
