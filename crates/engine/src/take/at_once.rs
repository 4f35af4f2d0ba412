//! Most events can be taken in the commit that accepts them: all that is needed came with them, or lies in the database.
//! Such an event leaves no job of its own. What must ask Stripe, look for something else or reverse something is left to a
//! worker.

use bursar_domain::case::CaseKey;
use bursar_domain::id::JobId;
use bursar_playbooks::{Signal, Wakes};
use bursar_store::jobs::NewJob;
use bursar_store::objects::Snapshot;
use bursar_store::seal::Keyring;
use bursar_store::{Tx, events, jobs, modes, objects};
use bursar_stripe::event::{Event, EventObject};

use super::{event_id, listeners, woken};
use crate::clock::Clocks;
use crate::decide::new_decide_job;
use crate::entropy::Entropy;
use crate::mirror::snapshot_of;
use crate::reversal::REFUND;
use crate::start::Engine;

/// What an event comes to, as far as it can be told without the database.
#[derive(Debug)]
pub(crate) struct AtOnce {
    signal: String,
    snapshot: Option<Snapshot>,
    wakes: Vec<(&'static str, Wakes)>,
    /// What is left instead while its lane is stopped, or where this cannot be done.
    pub(crate) job: NewJob,
}

impl AtOnce {
    /// Lane and id of the event.
    fn name(&self) -> (&str, &str) {
        (&self.job.lane, event_id(&self.job.payload))
    }
}

/// Whether nothing has to be asked or looked for. A refund may have to be reversed; a dispute names its charge only, and
/// whose that is must be looked for.
pub(crate) fn can_be_at_once(event: &Event) -> bool {
    let is_looked_for = match event.object_kind() {
        Some("dispute") => !listeners(event).is_empty(),
        kind => kind == Some(REFUND),
    };
    matches!(event.object, EventObject::Snapshot { .. }) && !is_looked_for
}

impl Engine {
    /// Of an event that can be taken at once; `job` is what a worker gets where it is not.
    pub(crate) fn at_once(&self, event: &Event, job: NewJob) -> AtOnce {
        let mut wakes = Vec::new();
        if let EventObject::Snapshot { object, .. } = &event.object {
            let signal = Signal::Event { kind: event.occurrence(), object };
            let heard = listeners(event).into_iter().map(|one| (one.name, (one.trigger)(&signal)));
            wakes.extend(heard.filter(|(_, wakes)| *wakes != Wakes::Nothing));
        }
        AtOnce {
            signal: event.occurrence().to_owned(),
            snapshot: snapshot_of(&job.lane, event, self.inner.clocks.business()),
            wakes,
            job,
        }
    }
}

/// What new jobs are made with.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) entropy: Entropy,
    pub(crate) clocks: Clocks,
}

impl Maker {
    fn decide_job(&self, of: &AtOnce, key: &CaseKey, opens: bool) -> NewJob {
        let id = JobId::from_entropy(self.entropy.id());
        new_decide_job(id, (&of.job.lane, key), &of.signal, opens, self.clocks.machine().micros())
    }
}

/// Takes events in the transaction that accepts them. Says whether any leaves work to do.
pub(crate) async fn take(
    tx: &mut Tx,
    keyring: &Keyring,
    new: &[&AtOnce],
    maker: &Maker,
    at: i64,
) -> bursar_store::Result<bool> {
    let killed = modes::killed(tx).await?;
    let (stopped, going): (Vec<&AtOnce>, Vec<&AtOnce>) =
        new.iter().partition(|one| modes::stops(&killed, &one.job.lane));
    let mut left: Vec<NewJob> = stopped.iter().map(|one| one.job.clone()).collect();
    let snapshots: Vec<&Snapshot> = going.iter().filter_map(|one| one.snapshot.as_ref()).collect();
    objects::put_many(tx, keyring, &snapshots, at).await?;
    for (one, woken) in woken_by(tx, &going).await? {
        left.extend(woken.iter().map(|(key, opens)| maker.decide_job(one, key, *opens)));
    }
    jobs::add_many(tx, left.iter()).await?;
    Ok(!left.is_empty())
}

/// The events that wake somebody, with whom. Nobody is woken about a change for which a thin event woke them already.
async fn woken_by<'e>(
    tx: &mut Tx,
    going: &[&'e AtOnce],
) -> bursar_store::Result<Vec<(&'e AtOnce, Vec<(CaseKey, bool)>)>> {
    let mut waking: Vec<&AtOnce> = going.iter().copied().filter(|one| !one.wakes.is_empty()).collect();
    let names: Vec<(&str, &str)> = waking.iter().map(|one| one.name()).collect();
    let told = events::read_for(tx, &names).await?;
    if !told.is_empty() {
        waking.retain(|one| !told.contains(&(one.job.lane.clone(), one.name().1.to_owned())));
    }
    let wakes: Vec<(&str, &[(&'static str, Wakes)])> =
        waking.iter().map(|one| (one.job.lane.as_str(), one.wakes.as_slice())).collect();
    let woken = woken(tx, &wakes).await?;
    Ok(waking.into_iter().zip(woken).collect())
}
