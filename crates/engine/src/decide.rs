//! A claimed signal becomes decisions: perform the reads the playbook asks for, run it, build facts, ask the gate, save
//! everything with the inputs it rested on in one commit.

mod save;
mod saver;
mod write;

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::canonical;
use bursar_domain::case::CaseKey;
use bursar_domain::id::{CaseId, DecisionId, JobId, ProposalId};
use bursar_domain::known::{Known, PastProposal};
use bursar_domain::mode::Mode;
use bursar_playbooks::{Classified, Plan, Playbook};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{self, Clock, Job, NewJob};
use bursar_store::seal::NO_SUBJECT;
use bursar_store::{cases, modes, proposals};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

pub(crate) use saver::Saver;

use crate::budget::Budget;
use crate::govern::{self, Motion};
use crate::lanes::Open;
use crate::mirror::Freshness;
use crate::propose::{self, Draft, Filing};
use crate::reads::Reader;
use crate::start::{Engine, store_error};
use crate::{Error, Result, facts};

/// The content hash of a playbook's settings.
pub(crate) fn settings_hash(settings: &Value) -> Result<String> {
    canonical::digest(settings).map_err(|error| Error::Broken(error.to_string()))
}

/// What a decision was asked to look at.
#[derive(Clone)]
struct Asked {
    playbook: &'static Playbook,
    key: CaseKey,
    signal: String,
    opens: bool,
}

/// What a decision came to, before it is written.
struct Outcome {
    known: Known,
    classified: Classified,
    plan: Plan,
    filings: Vec<Filing>,
}

impl Engine {
    pub(crate) fn decide_job(&self, lane: &str, key: &CaseKey, signal: &str, opens: bool) -> NewJob {
        let id = JobId::from_entropy(self.inner.entropy.id());
        let machine = self.inner.clocks.machine().micros();
        new_decide_job(id, (lane, key), signal, opens, machine)
    }

    /// A decision about one case.
    pub(crate) async fn decide(&self, job: &Job) -> Result<()> {
        let key: CaseKey = serde_json::from_value(job.payload["key"].clone())
            .map_err(|error| Error::Broken(format!("a job without a case key: {error}")))?;
        // A case that people opened themselves has no playbook to run.
        let Some(playbook) = bursar_playbooks::by_name(&key.playbook) else { return self.finish(job).await };
        let asked = Asked {
            playbook,
            signal: job.payload["signal"].as_str().unwrap_or_default().to_owned(),
            opens: job.payload["opens"].as_bool().unwrap_or(false),
            key,
        };
        self.pass(FailPoint::DecisionBegun).await?;
        let open = self.inner.lanes.require(&job.lane)?;
        let mut db = self.inner.store.read().await?;
        let case = cases::open_of(&mut db, self.inner.store.keyring(), &job.lane, &asked.key).await?;
        drop(db);
        if case.is_none() && !asked.opens {
            return self.finish(job).await;
        }
        let case_id = case
            .as_ref()
            .map_or_else(|| CaseId::from_entropy(self.inner.entropy.id()), |case| case.id.clone());
        let mut reader = Reader {
            engine: self,
            open: &open,
            // A new one has no past.
            case: case.as_ref().map(|case| case.id.clone()),
            freshness: Freshness::Within(self.inner.settings.mirror_age_max),
            gathered: crate::mirror::Gathered::default(),
        };
        let decision = DecisionId::from_entropy(self.inner.entropy.id());
        let outcome = self.think(&asked, &open, &case_id, &decision, &mut reader).await?;
        let gathered = reader.gathered;
        self.pass(FailPoint::Decided).await?;
        let thought = save::Thought { asked, open, case, case_id, decision, outcome, gathered };
        self.save(job, thought).await
    }

    async fn think(
        &self,
        asked: &Asked,
        open: &Open,
        case: &CaseId,
        decision: &DecisionId,
        reader: &mut Reader<'_>,
    ) -> Result<Outcome> {
        let playbook = asked.playbook;
        let settings = self.inner.settings.playbooks.get(playbook.name);
        let settings = settings.map_or(Value::Null, |settings| settings.body.clone());
        let now = self.inner.clocks.business();
        let mut known = Known::new(asked.key.clone(), now, &asked.signal);
        let complete = reader.settle(&mut known, playbook.reads).await?;
        self.pass(FailPoint::DecisionRead).await?;
        let mut classified = (playbook.classify)(&known, &settings);
        if !complete && classified.incomplete.is_none() {
            classified.incomplete = Some("more objects than one decision may read".to_owned());
        }
        let plan = (playbook.propose)(&known, &classified, &settings);
        let actor = Actor::Playbook { name: playbook.name.to_owned(), author: None };
        let lane = open.lane.to_string();
        let going: Vec<ProposalId> = withdrawn(&plan, &known).map(|past| past.id.clone()).collect();
        let mut filings = Vec::new();
        for wanted in &plan.wanted {
            let action = &wanted.action;
            if self.is_held_up(&lane, action, &going).await? {
                continue;
            }
            reader.settle(&mut known, |known| facts::reads(action, known)).await?;
            let mut facts = facts::build(action, &known, Some(classified.class), &self.inner.settings.home);
            let mut db = self.inner.store.read().await?;
            let budget = Budget { settings: &self.inner.settings, lane: &lane, action, at: now };
            budget.add_spent(&mut db, &mut facts).await?;
            let motion = Motion { actor: &actor, roles: &[], lane: &open.lane, action, facts: &facts };
            let judged = govern::judge(&mut db, &self.policy(), motion, &self.standing(&lane)).await?;
            drop(db);
            let draft = Draft {
                action: action.clone(),
                rationale: wanted.rationale.clone(),
                facts,
                actor: actor.clone(),
                roles: Vec::new(),
                judged,
                decision: Some(decision.clone()),
                customer: plan.customer.clone(),
                subject: plan.customer.clone().unwrap_or_else(|| NO_SUBJECT.to_owned()),
                supersedes: None,
            };
            filings.push(self.prepare(&open.lane, case, draft, now)?);
        }
        self.pass(FailPoint::DecisionJudged).await?;
        Ok(Outcome { known, classified, plan, filings })
    }

    /// Whether the same is asked for, under way or in doubt. What is withdrawn stands in nobody's way, unless its intent
    /// is durable: it can no longer be taken back, and two live keys for one thing would be two effects. The outcome
    /// wakes the playbook again.
    async fn is_held_up(&self, lane: &str, action: &Action, going: &[ProposalId]) -> Result<bool> {
        let mut db = self.inner.store.read().await?;
        for other in proposals::unsettled_for(&mut db, lane, action).await? {
            let keyring = self.inner.store.keyring();
            if !going.contains(&other) || propose::is_in_flight(&mut db, keyring, &other).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) async fn mode_of(&self, lane: &str, playbook: &str) -> Result<Mode> {
        let set = modes::get(&mut self.inner.store.read().await?, lane, playbook).await?;
        Ok(set.unwrap_or_else(|| self.inner.lanes.default_mode(lane)))
    }

    /// Nothing to do after all.
    pub(crate) async fn finish(&self, job: &Job) -> Result<()> {
        let job = job.clone();
        self.inner
            .store
            .write(move |tx| async move { jobs::finish(tx, &job).await }.boxed())
            .await
            .map_err(store_error)
    }
}

/// Open proposals that no longer make sense.
fn withdrawn<'k>(plan: &'k Plan, known: &'k Known) -> impl Iterator<Item = &'k PastProposal> {
    let gone = |verb: &str| plan.close.is_some() || plan.withdraw.contains(&verb);
    let history = known.history().unwrap_or_default();
    history.iter().filter(move |past| past.state.is_open() && gone(&past.verb))
}

/// The work of deciding on a case, due now (machine time).
pub(crate) fn new_decide_job(
    id: JobId,
    (lane, key): (&str, &CaseKey),
    signal: &str,
    opens: bool,
    now: i64,
) -> NewJob {
    NewJob {
        id,
        lane: lane.to_owned(),
        kind: "decide",
        key: case_job_key(lane, key),
        payload: json!({"key": key, "signal": signal, "opens": opens}),
        clock: Clock::Machine,
        due_at: now,
        created_at: now,
    }
}

pub(crate) fn case_job_key(lane: &str, key: &CaseKey) -> String {
    format!("case:{lane}:{}:{}:{}", key.playbook, key.object_kind, key.object_id)
}
