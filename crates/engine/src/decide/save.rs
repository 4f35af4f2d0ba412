//! One decision becomes one commit: the case, the decision with its inputs, what it withdraws and files, the timer.

use bursar_domain::actor::Actor;
use bursar_domain::approval::ApprovalState;
use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::id::{AuditId, CaseId, DecisionId, ProposalId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;
use bursar_store::audit::{self, Record, Table};
use bursar_store::cases::{self, Case, Details};
use bursar_store::decisions::{self, NewDecision};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{self, Clock, Job, NewJob};
use bursar_store::seal::{Keyring, NO_SUBJECT};
use bursar_store::timeline::{self, NewEntry, Of};
use bursar_store::{Tx, proposals};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{Asked, Outcome, case_job_key, settings_hash, withdrawn};
use crate::lanes::Open;
use crate::mirror::Gathered;
use crate::propose::{self, Ending, Filing};
use crate::start::{Engine, store_error};
use crate::{Error, Result, cards};

/// What a decision came to, with everything it was about.
pub(super) struct Thought {
    pub(super) asked: Asked,
    pub(super) open: Open,
    pub(super) case: Option<Case>,
    pub(super) case_id: CaseId,
    pub(super) decision: DecisionId,
    pub(super) outcome: Outcome,
    pub(super) gathered: Gathered,
}

/// What is written.
struct Saving {
    job: Job,
    case: Case,
    /// It was opened by this decision: it has no timer yet.
    is_new: bool,
    decision: NewDecision,
    inputs: Vec<u8>,
    gathered: Gathered,
    actor: Actor,
    lines: Vec<Line>,
    withdrawn: Vec<(ProposalId, Ending)>,
    filings: Vec<Filing>,
    timer: Option<NewJob>,
    entry: AuditId,
    /// Machine time.
    at: i64,
}

/// Kind, actor where it is not the playbook, and words of one line in the timeline.
type Line = (&'static str, Option<Actor>, Value);

impl Engine {
    pub(super) async fn save(&self, job: &Job, thought: Thought) -> Result<()> {
        let (playbook, class) = (thought.asked.playbook.name, thought.outcome.classified.class);
        let (lane, case) = (thought.open.lane.to_string(), thought.case_id.clone());
        let headline = thought.outcome.plan.title.clone();
        let filings = thought.outcome.filings.clone();
        let saving = self.saving(job, thought).await?;
        let keyring = self.inner.store.keyring().clone();
        self.inner
            .store
            .write(move |tx| async move { saving.write(tx, &keyring).await }.boxed())
            .await
            .map_err(store_error)?;
        self.pass(FailPoint::DecisionKept).await?;
        metrics::counter!("bursar_cases_decided_total", "playbook" => playbook, "class" => class)
            .increment(1);
        self.tell("case", &lane, (Some(case.as_str()), None), headline);
        for filing in &filings {
            self.announce(filing, &cards::headline(&filing.proposal.content.action, None));
        }
        Ok(())
    }

    async fn saving(&self, job: &Job, thought: Thought) -> Result<Saving> {
        let decision = self.new_decision(&thought).await?;
        let case = case_row(&thought);
        let Thought { asked, open, outcome, gathered, .. } = thought;
        let (lane, now) = (open.lane.to_string(), outcome.known.now);
        let timer = outcome.plan.wake_at.map(|wake_at| self.timer_job(&lane, &asked.key, wake_at));
        let withdrawn = withdrawn(&outcome.plan, &outcome.known);
        let withdrawn = withdrawn.map(|past| (past.id.clone(), self.withdrawal(now))).collect();
        Ok(Saving {
            job: job.clone(),
            is_new: thought.case.is_none(),
            case,
            decision,
            inputs: serde_json::to_vec(&outcome.known).map_err(|error| Error::Broken(error.to_string()))?,
            gathered,
            actor: Actor::Playbook { name: asked.playbook.name.to_owned(), author: None },
            lines: lines(&asked.signal, &outcome, thought.case.as_ref()),
            withdrawn,
            filings: outcome.filings,
            timer,
            entry: self.audit_id(),
            at: self.inner.clocks.machine().micros(),
        })
    }

    async fn new_decision(&self, thought: &Thought) -> Result<NewDecision> {
        let (asked, outcome) = (&thought.asked, &thought.outcome);
        let lane = thought.open.lane.to_string();
        let settings = self.inner.settings.playbooks.get(asked.playbook.name);
        Ok(NewDecision {
            id: thought.decision.clone(),
            case: thought.case_id.clone(),
            playbook: asked.playbook.name.to_owned(),
            at: outcome.known.now.micros(),
            signal: asked.signal.clone(),
            class: outcome.classified.class.to_owned(),
            rule: outcome.classified.rule.clone(),
            mode: self.mode_of(&lane, asked.playbook.name).await?.as_str().to_owned(),
            policy_set: self.policy().hash().to_owned(),
            settings_hash: settings_hash(&settings.map_or(Value::Null, |settings| settings.body.clone()))?,
            inputs_hash: String::new(),
            lane,
        })
    }

    fn timer_job(&self, lane: &str, key: &CaseKey, wake_at: BusinessTime) -> NewJob {
        let job = self.decide_job(lane, key, "timer", false);
        NewJob { kind: "timer", clock: Clock::Business, due_at: wake_at.micros(), ..job }
    }

    fn withdrawal(&self, now: BusinessTime) -> Ending {
        Ending {
            to: ProposalState::Void,
            approval_to: ApprovalState::Void,
            code: "withdrawn",
            words: "it no longer makes sense: the case has moved on".to_owned(),
            by: "engine".to_owned(),
            now,
            at: self.inner.clocks.machine().micros(),
            entry: self.audit_id(),
        }
    }
}

impl Saving {
    async fn write(mut self, tx: &mut Tx, keyring: &Keyring) -> bursar_store::Result<()> {
        // First of all: whoever no longer holds it changes nothing.
        jobs::finish(tx, &self.job).await?;
        self.gathered.save(tx, keyring, self.at).await?;
        cases::save(tx, keyring, &self.case, self.at).await?;
        self.keep_what_is_in_doubt(tx, keyring).await?;
        tx.pass(FailPoint::DecisionCase).await?;
        self.record(tx, keyring).await?;
        tx.pass(FailPoint::DecisionRecorded).await?;
        self.tell(tx, keyring).await?;
        // What is withdrawn goes before what replaces it.
        for (proposal, ending) in std::mem::take(&mut self.withdrawn) {
            propose::end(tx, keyring, &proposal, ending).await?;
        }
        self.refuse_second_keys(tx).await?;
        for filing in &self.filings {
            propose::file(tx, keyring, filing).await?;
            tx.pass(FailPoint::DecisionFiled).await?;
        }
        if !self.is_new {
            jobs::drop_queued(tx, "timer", &case_job_key(&self.case.lane, &self.case.key)).await?;
        }
        if let Some(timer) = &self.timer {
            jobs::add(tx, timer).await?;
        }
        tx.pass(FailPoint::DecisionWritten).await
    }

    /// Nothing is due any more, and of something nobody knows what became of it: closed, the case would call nobody, and
    /// nobody would ever look. Asked once the case is ours: an execution may have come into doubt a moment ago.
    async fn keep_what_is_in_doubt(&mut self, tx: &mut Tx, keyring: &Keyring) -> bursar_store::Result<()> {
        if !self.case.state.is_closed() {
            return Ok(());
        }
        let past = proposals::past(tx, &self.case.id).await?;
        if past.iter().any(|past| past.state == ProposalState::InDoubt) {
            self.case.state = CaseState::NeedsPerson;
            self.lines.retain(|(kind, ..)| *kind != "closed");
            cases::save(tx, keyring, &self.case, self.at).await?;
        }
        Ok(())
    }

    async fn tell(&self, tx: &mut Tx, keyring: &Keyring) -> bursar_store::Result<()> {
        let of = Of {
            case: &self.case.id,
            lane: &self.case.lane,
            subject: &self.case.subject,
            at: self.case.updated_at,
            written_at: self.at,
        };
        let entries = self.lines.iter().map(|(kind, who, body)| NewEntry {
            kind,
            actor: who.as_ref().unwrap_or(&self.actor),
            body: body.clone(),
        });
        let entries: Vec<NewEntry<'_>> = entries.collect();
        timeline::add(tx, keyring, of, &entries).await
    }

    /// What was to be replaced got its intent since we looked, or somebody asked for the same: decided again.
    async fn refuse_second_keys(&self, tx: &mut Tx) -> bursar_store::Result<()> {
        for filing in &self.filings {
            let action = &filing.proposal.content.action;
            if let Some(other) = proposals::unsettled_for(tx, &self.case.lane, action).await?.first() {
                return Err(bursar_store::Error::Conflict(format!("{other} is the same and on its way")));
            }
        }
        Ok(())
    }

    /// The decision, the inputs it rested on, and the audit entry that commits to both.
    async fn record(&mut self, tx: &mut Tx, keyring: &Keyring) -> bursar_store::Result<()> {
        let (lane, subject) = (&self.case.lane, &self.case.subject);
        self.decision.inputs_hash =
            decisions::keep_inputs(tx, keyring, lane, subject, &self.inputs, self.at).await?;
        decisions::add(tx, &self.decision).await?;
        let inputs_key = format!("{lane} {}", self.decision.inputs_hash);
        let commits = vec![
            audit::commitment(tx, Table::Decisions, self.decision.id.as_str()).await?,
            audit::commitment(tx, Table::Inputs, &inputs_key).await?,
        ];
        let data = json!({"decision": self.decision.id.as_str(), "case": self.case.id.as_str(),
            "class": self.decision.class, "signal": self.decision.signal});
        let record = Record {
            id: self.entry.clone(),
            at: self.at,
            kind: "decision.made",
            lane: Some(lane.clone()),
            actor: Some(self.actor.key()),
            data,
            commits,
        };
        audit::append(tx, record).await
    }
}

fn case_row(thought: &Thought) -> Case {
    let (outcome, before) = (&thought.outcome, thought.case.as_ref());
    let plan = &outcome.plan;
    let now = outcome.known.now;
    let customer = plan.customer.clone().or_else(|| before.and_then(|case| case.customer.clone()));
    let expires = outcome.filings.iter().filter_map(|filing| filing.proposal.expires_at).min();
    let state = next_state(outcome, now);
    let still_due = before.and_then(|case| case.due_at).filter(|_| state == CaseState::NeedsPerson);
    Case {
        id: thought.case_id.clone(),
        lane: thought.open.lane.to_string(),
        key: thought.asked.key.clone(),
        subject: customer
            .clone()
            .or_else(|| before.map(|case| case.subject.clone()))
            .unwrap_or_else(|| NO_SUBJECT.to_owned()),
        customer,
        class: Some(outcome.classified.class.to_owned()),
        amount: plan.amount.or_else(|| before.and_then(|case| case.amount)),
        due_at: expires.map(BusinessTime::micros).or(still_due),
        opened_at: before.map_or(now.micros(), |case| case.opened_at),
        updated_at: now.micros(),
        details: Details {
            title: plan.title.clone(),
            customer_name: plan
                .customer_name
                .clone()
                .or_else(|| before.and_then(|case| case.details.customer_name.clone())),
        },
        state,
    }
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
    let asked = outcome.known.history().unwrap_or_default().iter().any(|past| {
        past.state == ProposalState::InDoubt
            || (past.state == ProposalState::Asking && !withdrawn(&past.verb))
    });
    let tasked = outcome.filings.iter().any(|filing| {
        matches!(filing.proposal.content.action, bursar_domain::action::Action::CreateTask { .. })
    });
    match outcome.plan.wake_at {
        _ if asks || asked || tasked => CaseState::NeedsPerson,
        Some(until) => CaseState::Waiting { until },
        None => CaseState::Open,
    }
}

/// What people read. Looking again and finding the same is kept as a decision and not told again.
fn lines(signal: &str, outcome: &Outcome, before: Option<&Case>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let same_class = before.is_some_and(|case| case.class.as_deref() == Some(outcome.classified.class));
    if same_class && outcome.filings.is_empty() && outcome.plan.close.is_none() {
        return lines;
    }
    if signal.contains('.') {
        lines.push(("event", Some(Actor::Engine), json!({"type": signal, "opened": before.is_none()})));
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
