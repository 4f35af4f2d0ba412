//! The line of decisions that wait for a commit. Those that come while one is under way share the next; one that cannot go with
//! the others is written by itself, so that it holds up nobody.

use std::sync::Arc;

use bursar_store::Store;
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};

use super::save::Saving;
use super::write::write;
use crate::start::store_error;
use crate::{Error, Result};

/// Decisions that share a commit at most.
const GROUP_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Saver(mpsc::UnboundedSender<Waiting>);

/// What somebody wants kept, and who wants to hear of it.
struct Waiting {
    saving: Saving,
    answer: oneshot::Sender<Result<()>>,
}

impl Saver {
    pub(crate) fn start(store: Store) -> Self {
        let (line, waiting) = mpsc::unbounded_channel();
        tokio::spawn(run(store, waiting));
        Self(line)
    }

    /// Keeps one: on disk, all of it, before this answers.
    pub(super) async fn save(&self, saving: Saving) -> Result<()> {
        let (answer, kept) = oneshot::channel();
        self.0.send(Waiting { saving, answer }).map_err(|_| Error::Stopping)?;
        kept.await.map_err(|_| Error::Stopping)?
    }
}

async fn run(store: Store, mut line: mpsc::UnboundedReceiver<Waiting>) {
    let mut waiting = Vec::with_capacity(GROUP_MAX);
    while line.recv_many(&mut waiting, GROUP_MAX).await > 0 {
        // Who takes back a proposal waits for whoever has it in hand: the others need not.
        let (alone, together): (Vec<Waiting>, Vec<Waiting>) =
            waiting.drain(..).partition(|one| !one.saving.withdrawn.is_empty());
        for one in alone {
            let store = store.clone();
            tokio::spawn(async move { keep(&store, vec![one]).await });
        }
        keep(&store, together).await;
    }
}

async fn keep(store: &Store, waiting: Vec<Waiting>) {
    let (savings, answers): (Vec<Saving>, Vec<_>) =
        waiting.into_iter().map(|one| (one.saving, one.answer)).unzip();
    let savings: Arc<[Saving]> = savings.into();
    let all = 0..savings.len();
    let kept = commit(store, &savings, all.clone()).await;
    let each_by_itself = savings.len() > 1 && kept.as_ref().is_err_and(may_lie_in_one);
    for (place, answer) in all.zip(answers) {
        let kept =
            if each_by_itself { commit(store, &savings, place..place + 1).await } else { kept.clone() };
        let _ = answer.send(kept.map_err(store_error));
    }
}

async fn commit(
    store: &Store,
    savings: &Arc<[Saving]>,
    places: std::ops::Range<usize>,
) -> bursar_store::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let (savings, keyring) = (Arc::clone(savings), Arc::clone(store.keyring()));
    store.write(move |tx| async move { write(tx, &keyring, &savings[places]).await }.boxed()).await
}

/// A database that is away or full keeps none of them.
fn may_lie_in_one(error: &bursar_store::Error) -> bool {
    use bursar_store::Error::{Busy, Closing, Full};
    !matches!(error, Busy(_) | Full(_) | Closing)
}

#[cfg(test)]
mod tests {
    use bursar_domain::actor::Actor;
    use bursar_domain::id::DecisionId;
    use bursar_store::decisions::{self, NewDecision};
    use bursar_store::jobs::Job;
    use bursar_store::{audit, cases, timeline};
    use serde_json::json;

    use super::*;
    use crate::mirror::Gathered;
    use crate::still::{LANE, NOW, Still};

    /// What a decision about a case of its own leaves.
    async fn saving(still: &Still, job: Job) -> Saving {
        let case = still.add_case(&format!("in_{}", job.key)).await;
        let inputs = job.key.clone().into_bytes();
        let decision = NewDecision {
            id: DecisionId::from_entropy(still.engine.inner.entropy.id()),
            lane: LANE.to_owned(),
            case: case.id.clone(),
            playbook: "recovery".to_owned(),
            at: NOW,
            signal: "timer".to_owned(),
            class: "temporary_failure".to_owned(),
            rule: "insufficient_funds".to_owned(),
            mode: "observe".to_owned(),
            policy_set: "policies".to_owned(),
            settings_hash: "settings".to_owned(),
            inputs_hash: decisions::inputs_hash(&inputs),
        };
        let timer = still.new_job("timer", &format!("case of {}", job.key), json!({}));
        Saving {
            case: cases::Case { class: Some(format!("decided by {}", job.key)), ..case },
            job,
            is_new: false,
            decision,
            inputs,
            gathered: Gathered::default(),
            actor: Actor::Engine,
            lines: vec![("decision", None, json!({"number": 1})), ("decision", None, json!({"number": 2}))],
            withdrawn: Vec::new(),
            filings: Vec::new(),
            timer: Some(timer),
            entry: still.engine.audit_id(),
            at: NOW,
        }
    }

    #[tokio::test]
    async fn decisions_share_a_commit_and_one_that_lost_its_job_takes_no_other_with_it() {
        let still = Still::open().await;
        for key in ["a", "b", "c"] {
            still.queue("decide", key, json!({})).await;
        }
        let entries = async || {
            let report = audit::verify(&mut still.engine.inner.store.read().await.unwrap()).await.unwrap();
            assert!(report.ok, "{:?}", report.first_bad);
            report.entries + report.unsealed
        };
        let before = entries().await;
        let (mut waiting, mut kept, mut decided) = (Vec::new(), Vec::new(), Vec::new());
        for mut job in still.claim().await {
            if job.key == "b" {
                job.fence -= 1;
            }
            let (answer, hears) = oneshot::channel();
            let saving = saving(&still, job).await;
            decided.push((saving.case.clone(), saving.decision.clone()));
            waiting.push(Waiting { saving, answer });
            kept.push(hears);
        }
        let store = &still.engine.inner.store;
        keep(store, waiting).await;
        let mut db = store.read().await.unwrap();
        for (hears, (case, decision)) in kept.into_iter().zip(decided) {
            let held = cases::get(&mut db, store.keyring(), &case.id).await.unwrap().unwrap();
            let told = timeline::of_case(&mut db, store.keyring(), &case.id).await.unwrap();
            let stored = decisions::of_case(&mut db, &case.id).await.unwrap();
            let inputs =
                decisions::inputs(&mut db, store.keyring(), LANE, &decision.inputs_hash).await.unwrap();
            match hears.await.unwrap() {
                Ok(()) => {
                    assert_eq!(held.class, case.class);
                    let numbers: Vec<_> = told.iter().map(|told| &told.body["number"]).collect();
                    assert_eq!(numbers, [1, 2]);
                    assert_eq!((stored.len(), inputs.is_some()), (1, true));
                }
                Err(error) => {
                    assert!(matches!(&error, Error::Store(bursar_store::Error::Fenced(_))), "{error}");
                    assert_eq!(case.key.object_id, "in_b");
                    assert_eq!((held.class, told.len(), stored.len(), inputs), (None, 0, 0, None));
                }
            }
        }
        assert_eq!(entries().await, before + 2);
    }
}
