//! A claimed signal becomes decisions: perform the reads the playbook asks for, run it, build facts, ask the gate, save
//! everything with the inputs it rested on in one commit.

use bursar_domain::actor::Actor;
use bursar_domain::approval::ApprovalState;
use bursar_domain::canonical;
use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::id::{CaseId, DecisionId, JobId};
use bursar_domain::known::Known;
use bursar_domain::mode::Mode;
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;
use bursar_playbooks::{Classified, Plan, Playbook, Signal, Wakes};
use bursar_store::audit::{self, Record, Table};
use bursar_store::cases::{self, Case, Details};
use bursar_store::decisions::{self, NewDecision};
use bursar_store::jobs::{self, Clock, Job, NewJob};
use bursar_store::seal::NO_SUBJECT;
use bursar_store::timeline::{self, NewEntry};
use bursar_store::{events, modes, objects};
use bursar_stripe::event::{Event, EventObject};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::govern::{self, Motion};
use crate::lanes::Open;
use crate::mirror::{Freshness, snapshot_of};
use crate::propose::{self, Draft, Ending, Filing};
use crate::reads::Reader;
use crate::start::{Engine, store_error};
use crate::{Error, Result, cards, facts};

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
    /// An event: mirror its object, wake the playbooks that want to hear of it.
    pub(crate) async fn take_event(&self, job: &Job) -> Result<()> {
        let id = job.payload["event"].as_str().unwrap_or_default().to_owned();
        let mut db = self.inner.store.read().await?;
        let stored = events::get(&mut db, &job.lane, &id).await?.ok_or_else(|| Error::not_found("event", &id))?;
        let body = stored.body(&mut db, self.inner.store.keyring()).await?;
        let event = Event::parse(&body).map_err(|error| Error::Broken(format!("{id}: {error}")))?;
        let mut wanted = Vec::new();
        for playbook in bursar_playbooks::ALL.iter().filter(|playbook| playbook.events.contains(&event.kind.as_str())) {
            let Some(mut object) = self.object_of(&job.lane, &event).await? else { continue };
            self.name_customer(&mut db, &job.lane, &mut object).await?;
            let signal = Signal::Event { kind: &event.kind, object: &object };
            match (playbook.trigger)(&signal) {
                Wakes::Nothing => {}
                Wakes::Case { key, opens } => wanted.push((key, opens)),
                Wakes::OpenCasesOf { customer } => {
                    let open = cases::open_of_customer(&mut db, &job.lane, playbook.name, &customer).await?;
                    wanted.extend(open.into_iter().map(|key| (key, false)));
                }
            }
        }
        drop(db);
        let follow_up: Vec<NewJob> = wanted
            .into_iter()
            .map(|(key, opens)| self.decide_job(&job.lane, &key, &event.kind, opens))
            .collect();
        let snapshot = snapshot_of(&job.lane, &event);
        let foreign_version = event.api_version.as_deref() != Some(bursar_stripe::api_version::PINNED);
        let (keyring, at) = (self.inner.store.keyring().clone(), self.inner.clocks.machine().micros());
        let job = job.clone();
        let woke = !follow_up.is_empty();
        self.inner
            .store
            .write(move |tx| {
                async move {
                    jobs::check_fence(tx, &job).await?;
                    if let Some(snapshot) = snapshot {
                        let kept = objects::put(tx, &keyring, &snapshot, at).await?;
                        // Another version's shape is good enough to wake somebody, not to decide on.
                        if foreign_version && kept == objects::Kept::Stored {
                            objects::mark_stale(tx, &snapshot.lane, &snapshot.kind, &snapshot.id).await?;
                        }
                    }
                    jobs::add_many(tx, follow_up.iter()).await?;
                    jobs::finish(tx, &job).await
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

    /// The object an event is about: its snapshot, or what a thin event refers to.
    async fn object_of(&self, lane: &str, event: &Event) -> Result<Option<Value>> {
        match &event.object {
            EventObject::Snapshot { object, .. } => Ok(Some(object.clone())),
            EventObject::Thin { .. } => {
                let (Some(kind), Some(id)) = (event.object_kind(), event.object_id()) else { return Ok(None) };
                let open = self.inner.lanes.require(lane)?;
                open.client.object(kind, id, crate::stripe_api::Class::Enrichment).await
            }
        }
    }

    /// A dispute names its charge only: whose it is, the mirror knows.
    async fn name_customer(&self, db: &mut bursar_store::Db, lane: &str, object: &mut Value) -> Result<()> {
        let charge = object.get("charge").and_then(Value::as_str).map(str::to_owned);
        let (Some(charge), true) = (charge, object["object"] == "dispute") else { return Ok(()) };
        let held = objects::get(db, self.inner.store.keyring(), lane, "charge", &charge).await?;
        if let Some(customer) = held.and_then(|held| held.body.get("customer").cloned()) {
            object["charge"] = json!({"id": charge, "object": "charge", "customer": customer});
        }
        Ok(())
    }

    pub(crate) fn decide_job(&self, lane: &str, key: &CaseKey, signal: &str, opens: bool) -> NewJob {
        let machine = self.inner.clocks.machine().micros();
        NewJob {
            id: JobId::from_entropy(self.inner.entropy.id()),
            lane: lane.to_owned(),
            kind: "decide",
            key: case_job_key(lane, key),
            payload: json!({"key": key, "signal": signal, "opens": opens}),
            clock: Clock::Machine,
            due_at: machine,
            created_at: machine,
        }
    }

    fn timer_job(&self, lane: &str, key: &CaseKey, wake_at: BusinessTime) -> NewJob {
        let job = self.decide_job(lane, key, "timer", false);
        NewJob { kind: "timer", clock: Clock::Business, due_at: wake_at.micros(), ..job }
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
        let open = self.inner.lanes.require(&job.lane)?;
        let mut db = self.inner.store.read().await?;
        let case = cases::open_of(&mut db, self.inner.store.keyring(), &job.lane, &asked.key).await?;
        drop(db);
        if case.is_none() && !asked.opens {
            return self.finish(job).await;
        }
        let case_id =
            case.as_ref().map_or_else(|| CaseId::from_entropy(self.inner.entropy.id()), |case| case.id.clone());
        let mut reader = Reader {
            engine: self,
            open: &open,
            case: Some(case_id.clone()),
            freshness: Freshness::Within(self.inner.settings.mirror_age_max),
            gathered: crate::mirror::Gathered::default(),
        };
        let decision = DecisionId::from_entropy(self.inner.entropy.id());
        let outcome = self.think(&asked, &open, &case_id, &decision, &mut reader).await?;
        let gathered = reader.gathered;
        self.save(job, &asked, &open, case, case_id, decision, outcome, gathered).await
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
        let mut classified = (playbook.classify)(&known, &settings);
        if !complete && classified.incomplete.is_none() {
            classified.incomplete = Some("more objects than one decision may read".to_owned());
        }
        let plan = (playbook.propose)(&known, &classified, &settings);
        let actor = Actor::Playbook { name: playbook.name.to_owned(), author: None };
        let lane = open.lane.to_string();
        let mut filings = Vec::new();
        for wanted in &plan.wanted {
            let action = &wanted.action;
            if !plan.withdraw.contains(&action.verb()) && self.is_already_wanted(&lane, action).await? {
                continue;
            }
            reader.settle(&mut known, |known| facts::reads(action, known)).await?;
            let mut facts = facts::build(action, &known, Some(classified.class), &self.inner.settings.home);
            let mut db = self.inner.store.read().await?;
            govern::add_spent_today(&mut db, &mut facts, &lane, &self.inner.settings.home, now).await?;
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
            };
            filings.push(self.prepare(&open.lane, case, draft, now)?);
        }
        Ok(Outcome { known, classified, plan, filings })
    }

    async fn is_already_wanted(&self, lane: &str, action: &bursar_domain::action::Action) -> Result<bool> {
        let Some((_, target)) = action.target() else { return Ok(false) };
        let mut db = self.inner.store.read().await?;
        Ok(bursar_store::proposals::open_for(&mut db, lane, action.verb(), target).await?.is_some())
    }

    #[expect(clippy::too_many_arguments, reason = "everything one commit holds, each of its own type")]
    async fn save(
        &self,
        job: &Job,
        asked: &Asked,
        open: &Open,
        case: Option<Case>,
        case_id: CaseId,
        decision: DecisionId,
        outcome: Outcome,
        gathered: crate::mirror::Gathered,
    ) -> Result<()> {
        let lane = open.lane.to_string();
        let now = outcome.known.now;
        let at = self.inner.clocks.machine().micros();
        let opened = case.is_none();
        let state = next_state(&outcome, now);
        let subject = outcome
            .plan
            .customer
            .clone()
            .or_else(|| case.as_ref().map(|case| case.subject.clone()))
            .unwrap_or_else(|| NO_SUBJECT.to_owned());
        let row = Case {
            id: case_id.clone(),
            lane: lane.clone(),
            key: asked.key.clone(),
            customer: outcome.plan.customer.clone().or_else(|| case.as_ref().and_then(|case| case.customer.clone())),
            state,
            class: Some(outcome.classified.class.to_owned()),
            amount: outcome.plan.amount.or_else(|| case.as_ref().and_then(|case| case.amount)),
            due_at: outcome.filings.iter().filter_map(|filing| filing.proposal.expires_at).min().map(BusinessTime::micros),
            opened_at: case.as_ref().map_or(now.micros(), |case| case.opened_at),
            updated_at: now.micros(),
            subject: subject.clone(),
            details: Details {
                title: outcome.plan.title.clone(),
                customer_name: outcome.plan.customer_name.clone(),
            },
        };
        let settings = self.inner.settings.playbooks.get(asked.playbook.name);
        let mut new_decision = NewDecision {
            id: decision,
            lane: lane.clone(),
            case: case_id.clone(),
            playbook: asked.playbook.name.to_owned(),
            at: now.micros(),
            signal: asked.signal.clone(),
            class: outcome.classified.class.to_owned(),
            rule: outcome.classified.rule.clone(),
            mode: self.mode_of(&lane, asked.playbook.name).await?.as_str().to_owned(),
            policy_set: self.policy().hash().to_owned(),
            settings_hash: settings_hash(&settings.map_or(Value::Null, |settings| settings.body.clone()))?,
            inputs_hash: String::new(),
        };
        let inputs = serde_json::to_vec(&outcome.known).map_err(|error| Error::Broken(error.to_string()))?;
        let entries = timeline_of(&asked.signal, &outcome, opened);
        let actor = Actor::Playbook { name: asked.playbook.name.to_owned(), author: None };
        let timer = outcome.plan.wake_at.map(|wake_at| self.timer_job(&lane, &asked.key, wake_at));
        let timer_key = case_job_key(&lane, &asked.key);
        let endings: Vec<Ending> = outcome.known.history().unwrap_or_default().iter().map(|_| self.withdrawal(now)).collect();
        let withdrawn: Vec<_> = outcome
            .known
            .history()
            .unwrap_or_default()
            .iter()
            .zip(endings)
            .filter(|(past, _)| {
                past.state.is_open()
                    && (outcome.plan.close.is_some() || outcome.plan.withdraw.contains(&past.verb.as_str()))
            })
            .map(|(past, ending)| (past.id.clone(), ending))
            .collect();
        let entry = self.audit_id();
        let (keyring, job) = (self.inner.store.keyring().clone(), job.clone());
        let filings = outcome.filings;
        let written = filings.clone();
        let class = outcome.classified.class;
        let headline = row.details.title.clone();
        self.inner
            .store
            .write(move |tx| {
                async move {
                    jobs::check_fence(tx, &job).await?;
                    gathered.save(tx, &keyring, at).await?;
                    cases::save(tx, &keyring, &row, at).await?;
                    new_decision.inputs_hash =
                        decisions::keep_inputs(tx, &keyring, &row.lane, &subject, &inputs, at).await?;
                    decisions::add(tx, &new_decision).await?;
                    let inputs_key = format!("{} {}", row.lane, new_decision.inputs_hash);
                    let commits = vec![
                        audit::commitment(tx, Table::Decisions, new_decision.id.as_str()).await?,
                        audit::commitment(tx, Table::Inputs, &inputs_key).await?,
                    ];
                    let data = json!({"decision": new_decision.id.as_str(), "case": row.id.as_str(),
                        "class": class, "signal": new_decision.signal});
                    let record = Record {
                        id: entry,
                        at,
                        kind: "decision.made",
                        lane: Some(row.lane.clone()),
                        actor: Some(actor.key()),
                        data,
                        commits,
                    };
                    audit::append(tx, record).await?;
                    for (kind, who, body) in entries {
                        let entry = NewEntry {
                            case: &row.id,
                            lane: &row.lane,
                            subject: &subject,
                            at: row.updated_at,
                            written_at: at,
                            kind,
                            actor: who.as_ref().unwrap_or(&actor),
                            body,
                        };
                        timeline::add(tx, &keyring, entry).await?;
                    }
                    for (proposal, ending) in withdrawn {
                        propose::end(tx, &keyring, &proposal, ending).await?;
                    }
                    for filing in &written {
                        propose::file(tx, &keyring, filing).await?;
                    }
                    jobs::drop_queued(tx, "timer", &timer_key).await?;
                    if let Some(timer) = timer {
                        jobs::add(tx, &timer).await?;
                    }
                    jobs::finish(tx, &job).await
                }
                .boxed()
            })
            .await
            .map_err(store_error)?;
        metrics::counter!("bursar_cases_decided_total", "playbook" => asked.playbook.name, "class" => class).increment(1);
        self.tell("case", &lane, (Some(case_id.as_str()), None), headline.clone());
        for filing in &filings {
            self.announce(filing, &cards::headline(&filing.proposal.content.action, None));
        }
        Ok(())
    }

    fn withdrawal(&self, now: BusinessTime) -> Ending {
        Ending {
            to: ProposalState::Void,
            approval_to: ApprovalState::Void,
            why: "it no longer makes sense: the case has moved on".to_owned(),
            by: "engine".to_owned(),
            now,
            at: self.inner.clocks.machine().micros(),
            entry: self.audit_id(),
        }
    }

    pub(crate) async fn mode_of(&self, lane: &str, playbook: &str) -> Result<Mode> {
        let set = modes::get(&mut self.inner.store.read().await?, lane, playbook).await?;
        Ok(set.unwrap_or_else(|| self.inner.lanes.default_mode(lane)))
    }

    /// Nothing to do after all.
    pub(crate) async fn finish(&self, job: &Job) -> Result<()> {
        let job = job.clone();
        self.inner.store.write(move |tx| async move { jobs::finish(tx, &job).await }.boxed()).await.map_err(store_error)
    }
}

pub(crate) fn case_job_key(lane: &str, key: &CaseKey) -> String {
    format!("case:{lane}:{}:{}:{}", key.playbook, key.object_kind, key.object_id)
}

fn next_state(outcome: &Outcome, now: BusinessTime) -> CaseState {
    if let Some(close) = &outcome.plan.close {
        return CaseState::Closed { outcome: close.clone(), at: now };
    }
    if let Some(what) = &outcome.classified.incomplete {
        return CaseState::Blocked { on: what.clone() };
    }
    let asks = outcome.filings.iter().any(|filing| filing.approval.is_some());
    let withdrawn = |verb: &str| outcome.plan.withdraw.contains(&verb);
    let asked = outcome
        .known
        .history()
        .unwrap_or_default()
        .iter()
        .any(|past| past.state == ProposalState::InDoubt || (past.state == ProposalState::Asking && !withdrawn(&past.verb)));
    let tasked = outcome.filings.iter().any(|filing| {
        matches!(filing.proposal.content.action, bursar_domain::action::Action::CreateTask { .. })
    });
    match outcome.plan.wake_at {
        _ if asks || asked || tasked => CaseState::NeedsPerson,
        Some(until) => CaseState::Waiting { until },
        None => CaseState::Open,
    }
}

type Line = (&'static str, Option<Actor>, Value);

fn timeline_of(signal: &str, outcome: &Outcome, opened: bool) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    if signal.contains('.') {
        lines.push(("event", Some(Actor::Engine), json!({"type": signal, "opened": opened})));
    }
    lines.push((
        "decision",
        None,
        json!({"class": outcome.classified.class, "rule": outcome.classified.rule,
               "incomplete": outcome.classified.incomplete,
               "wake_at": outcome.plan.wake_at.map(BusinessTime::micros)}),
    ));
    for filing in &outcome.filings {
        lines.push(("proposal", None, cards::timeline_line(&filing.proposal, filing.approval.as_ref())));
    }
    if let Some(close) = &outcome.plan.close {
        lines.push(("closed", None, json!({"outcome": close})));
    }
    lines
}
