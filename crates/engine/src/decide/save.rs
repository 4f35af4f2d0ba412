//! What a thought leaves: the case, the decision with its inputs, what it withdraws and files, the timer.

use bursar_domain::actor::Actor;
use bursar_domain::approval::ApprovalState;
use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::id::{AuditId, CaseId, DecisionId, ProposalId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;
use bursar_store::cases::{Case, Details};
use bursar_store::decisions::{self, NewDecision};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{Clock, Job, NewJob};
use bursar_store::seal::NO_SUBJECT;
use serde_json::{Value, json};

use super::{Asked, Outcome, settings_hash, withdrawn};
use crate::lanes::Open;
use crate::mirror::Gathered;
use crate::propose::{Ending, Filing};
use crate::start::Engine;
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
pub(super) struct Saving {
    pub(super) job: Job,
    pub(super) case: Case,
    /// It was opened by this decision: it has no timer yet.
    pub(super) is_new: bool,
    pub(super) decision: NewDecision,
    pub(super) inputs: Vec<u8>,
    pub(super) gathered: Gathered,
    pub(super) actor: Actor,
    pub(super) lines: Vec<Line>,
    pub(super) withdrawn: Vec<(ProposalId, Ending)>,
    pub(super) filings: Vec<Filing>,
    pub(super) timer: Option<NewJob>,
    pub(super) entry: AuditId,
    /// Machine time.
    pub(super) at: i64,
}

/// Kind, actor where it is not the playbook, and words of one line in the timeline.
pub(super) type Line = (&'static str, Option<Actor>, Value);

impl Engine {
    pub(super) async fn save(&self, job: &Job, thought: Thought) -> Result<()> {
        let (playbook, class) = (thought.asked.playbook.name, thought.outcome.classified.class);
        let (lane, case) = (thought.open.lane.to_string(), thought.case_id.clone());
        let headline = thought.outcome.plan.title.clone();
        let filings = thought.outcome.filings.clone();
        let saving = self.saving(job, thought).await?;
        self.inner.saver.save(saving).await?;
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
        let inputs =
            serde_json::to_vec(&thought.outcome.known).map_err(|error| Error::Broken(error.to_string()))?;
        let decision = self.new_decision(&thought, &inputs).await?;
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
            inputs,
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

    async fn new_decision(&self, thought: &Thought, inputs: &[u8]) -> Result<NewDecision> {
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
            inputs_hash: decisions::inputs_hash(inputs),
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
