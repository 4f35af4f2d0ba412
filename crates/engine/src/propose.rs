//! Filing a judged proposal: the row, the approval where people are asked, the job where nobody needs to be, and the
//! audit entry, all in the caller's transaction.

use std::time::Duration;

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::approval::ApprovalState;
use bursar_domain::audit::Commitment;
use bursar_domain::facts::Facts;
use bursar_domain::id::{ApprovalId, AuditId, CaseId, DecisionId, JobId, ProposalId};
use bursar_domain::lane::Lane;
use bursar_domain::proposal::{self, ProposalState, Rationale};
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::Ruling;
use bursar_store::approvals::{self, Approval};
use bursar_store::audit::{self, Record, Table};
use bursar_store::jobs::{self, Clock, NewJob};
use bursar_store::proposals::{self, Content, Proposal};
use bursar_store::seal::Keyring;
use bursar_store::{Db, Tx, executions};
use serde_json::json;

use crate::govern::Judged;
use crate::start::Engine;
use crate::{Error, Result, execute};

/// What somebody wants, judged.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) action: Action,
    pub(crate) rationale: Rationale,
    pub(crate) facts: Facts,
    pub(crate) actor: Actor,
    pub(crate) roles: Vec<Role>,
    pub(crate) judged: Judged,
    pub(crate) decision: Option<DecisionId>,
    pub(crate) customer: Option<String>,
    pub(crate) subject: String,
    /// The same wish as it was before the world changed under it.
    pub(crate) supersedes: Option<ProposalId>,
}

/// Ready to be written.
#[derive(Clone, Debug)]
pub(crate) struct Filing {
    pub(crate) proposal: Proposal,
    pub(crate) approval: Option<Approval>,
    pub(crate) jobs: Vec<NewJob>,
    entry: AuditId,
    /// Machine time.
    at: i64,
}

impl Engine {
    /// Fixes ids, expiry and digest. The expiry is part of what people vote on.
    pub(crate) fn prepare(
        &self,
        lane: &Lane,
        case: &CaseId,
        draft: Draft,
        now: BusinessTime,
    ) -> Result<Filing> {
        let ruling = draft.judged.effective.ruling;
        let state = match ruling {
            Ruling::Observe => ProposalState::Observed,
            Ruling::Deny => ProposalState::Denied,
            Ruling::Ask => ProposalState::Asking,
            Ruling::Allow => ProposalState::Approved,
        };
        let expiry = draft
            .judged
            .effective
            .expires_s
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(self.inner.settings.approval_expiry, Duration::from_secs);
        let expires_at = (ruling == Ruling::Ask).then(|| now.plus(expiry));
        let digest = proposal::digest(lane, &draft.action, &draft.facts, expires_at)
            .map_err(|error| Error::Broken(error.to_string()))?;
        let settled = matches!(state, ProposalState::Observed | ProposalState::Denied);
        let proposal = Proposal {
            id: ProposalId::from_entropy(self.inner.entropy.id()),
            lane: lane.to_string(),
            case: case.clone(),
            decision: draft.decision,
            customer: draft.customer,
            actor: draft.actor,
            state,
            digest,
            policy_set: draft.judged.policy.policy_set.clone(),
            policy_verdict: draft.judged.policy,
            verdict: draft.judged.effective,
            proposed_at: now,
            expires_at,
            settled_at: settled.then_some(now),
            settled_why: None,
            settled_words: None,
            subject: draft.subject,
            content: Content {
                action: draft.action,
                actor_roles: draft.roles,
                rationale: draft.rationale,
                facts: draft.facts,
                supersedes: draft.supersedes,
            },
        };
        let approval = self.approval_of(&proposal);
        let mut follow_up = Vec::new();
        if let Some(approval) = &approval {
            follow_up.push(self.expiry_job(approval));
        }
        if proposal.state == ProposalState::Approved {
            follow_up.push(self.execute_job(lane, &proposal.content.action, &proposal.id));
        }
        let at = self.inner.clocks.machine().micros();
        Ok(Filing { proposal, approval, jobs: follow_up, entry: self.audit_id(), at })
    }

    /// The question to people, where the proposal waits for them.
    fn approval_of(&self, proposal: &Proposal) -> Option<Approval> {
        let expires_at = proposal.expires_at?;
        Some(Approval {
            id: ApprovalId::from_entropy(self.inner.entropy.id()),
            lane: proposal.lane.clone(),
            proposal: proposal.id.clone(),
            case: proposal.case.clone(),
            digest: proposal.digest.clone(),
            state: ApprovalState::Open,
            requirements: proposal.verdict.requirements.clone(),
            makers: proposal.actor.person().cloned().into_iter().collect(),
            opened_at: proposal.proposed_at,
            expires_at,
            closed_at: None,
            closed_why: None,
        })
    }

    pub(crate) fn execute_job(&self, lane: &Lane, action: &Action, proposal: &ProposalId) -> NewJob {
        let machine = self.inner.clocks.machine().micros();
        let target =
            action.target().map_or_else(|| proposal.to_string(), |(kind, id)| format!("{kind}:{id}"));
        NewJob {
            id: JobId::from_entropy(self.inner.entropy.id()),
            lane: lane.to_string(),
            kind: "execute",
            key: format!("execute:{lane}:{target}"),
            payload: json!({"proposal": proposal.as_str()}),
            clock: Clock::Machine,
            due_at: machine,
            created_at: machine,
        }
    }

    fn expiry_job(&self, approval: &Approval) -> NewJob {
        NewJob {
            id: JobId::from_entropy(self.inner.entropy.id()),
            lane: approval.lane.clone(),
            kind: "expire",
            key: format!("expire:{}", approval.id),
            payload: json!({"approval": approval.id.as_str()}),
            clock: Clock::Business,
            due_at: approval.expires_at.micros(),
            created_at: self.inner.clocks.machine().micros(),
        }
    }

    pub(crate) fn announce(&self, filing: &Filing, headline: &str) {
        let proposal = &filing.proposal;
        let word = match proposal.state {
            ProposalState::Asking => "WAITING FOR A PERSON",
            ProposalState::Approved => "allowed",
            ProposalState::Denied => "denied",
            _ => "observed",
        };
        let approval = filing.approval.as_ref().map(|approval| approval.id.to_string());
        let about = (Some(proposal.case.as_str()), approval.as_deref());
        self.tell("approval", &proposal.lane, about, format!("{headline}: {word}"));
        if !filing.jobs.is_empty() {
            self.inner.work.notify_one();
        }
    }
}

/// Writes it.
pub(crate) async fn file(tx: &mut Tx, keyring: &Keyring, filing: &Filing) -> bursar_store::Result<()> {
    file_many(tx, keyring, &[filing]).await
}

/// Writes them.
pub(crate) async fn file_many(
    tx: &mut Tx,
    keyring: &Keyring,
    filings: &[&Filing],
) -> bursar_store::Result<()> {
    let Some(first) = filings.first() else { return Ok(()) };
    let proposed: Vec<&Proposal> = filings.iter().map(|filing| &filing.proposal).collect();
    let proposed = proposals::add(tx, keyring, &proposed, first.at).await?;
    let asked: Vec<&Approval> = filings.iter().filter_map(|filing| filing.approval.as_ref()).collect();
    let mut asked = approvals::add(tx, &asked).await?.into_iter();
    jobs::add_many(tx, filings.iter().flat_map(|filing| &filing.jobs)).await?;
    let records = filings.iter().zip(proposed).map(|(filing, proposal)| {
        let approval = filing.approval.as_ref().and_then(|_| asked.next());
        filing.record(std::iter::once(proposal).chain(approval).collect())
    });
    let records = records.collect();
    audit::append_many(tx, records).await
}

impl Filing {
    fn record(&self, commits: Vec<Commitment>) -> Record {
        let proposal = &self.proposal;
        let policies: Vec<&str> = proposal.verdict.policies.iter().map(|policy| policy.id.as_str()).collect();
        let mut data = json!({
            "proposal": proposal.id.as_str(),
            "case": proposal.case.as_str(),
            "verb": proposal.content.action.verb(),
            "target": proposal.content.action.target().map(|(_, id)| id),
            "amount": proposal.content.action.amount(),
            "ruling": proposal.verdict.ruling.as_str(),
            "policy_ruling": proposal.policy_verdict.ruling.as_str(),
            "policies": policies,
            "policy_set": proposal.policy_set,
            "digest": proposal.digest,
            "approval": self.approval.as_ref().map(|approval| approval.id.as_str()),
        });
        if let Some(before) = &proposal.content.supersedes {
            data["supersedes"] = before.as_str().into();
        }
        Record {
            id: self.entry.clone(),
            at: self.at,
            kind: "verdict.given",
            lane: Some(proposal.lane.clone()),
            actor: Some(proposal.actor.key()),
            data,
            commits,
        }
    }
}

/// Why and when an open proposal ends without having happened.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) to: ProposalState,
    pub(crate) approval_to: ApprovalState,
    /// What the audit and the open columns say: they outlive whoever is forgotten.
    pub(crate) code: &'static str,
    /// What people read, perhaps in somebody's own words: sealed.
    pub(crate) words: String,
    pub(crate) by: String,
    pub(crate) now: BusinessTime,
    /// Machine time.
    pub(crate) at: i64,
    pub(crate) entry: AuditId,
}

/// Whether something may have left for a proposal: it can be followed to its end and no longer taken back.
pub(crate) async fn is_in_flight(
    db: &mut Db,
    keyring: &Keyring,
    id: &ProposalId,
) -> bursar_store::Result<bool> {
    let execution = executions::of_proposal(db, keyring, id).await?;
    Ok(execution.is_some_and(|execution| !execution.never_left()))
}

/// Ends an open proposal, and with it an intent of which surely nothing left. What may have been sent is not touched: it
/// must be followed to its end. Answers whether it was ended.
pub(crate) async fn end(
    tx: &mut Tx,
    keyring: &Keyring,
    id: &ProposalId,
    ending: Ending,
) -> bursar_store::Result<bool> {
    let Some(proposal) = proposals::get(tx, keyring, id).await? else { return Ok(false) };
    let execution = executions::of_proposal(tx, keyring, id).await?;
    if !proposal.state.is_open() || execution.as_ref().is_some_and(|execution| !execution.never_left()) {
        return Ok(false);
    }
    proposals::advance(tx, id, proposal.state, ending.to, ending.now, Some(ending.code)).await?;
    proposals::say_why(tx, keyring, &proposal, &ending.words, ending.at).await?;
    let mut data = json!({"proposal": id.as_str(), "state": ending.to.as_str(), "why": ending.code});
    if let Some(approval) = approvals::of_proposal(tx, id).await?
        && approval.state == ApprovalState::Open
    {
        approvals::close(tx, &approval.id, ending.approval_to, ending.now, ending.code).await?;
        data["approval"] = approval.id.as_str().into();
        jobs::drop_queued(tx, "expire", &[format!("expire:{}", approval.id)]).await?;
    }
    let mut commits = vec![audit::commitment(tx, Table::ProposalEnds, id.as_str()).await?];
    if let Some(execution) = execution {
        let id = execution.intent.id;
        execute::let_go(tx, &proposal.lane, &id, ending.now).await?;
        data["execution"] = id.as_str().into();
        commits.push(audit::commitment(tx, Table::ExecutionEnds, id.as_str()).await?);
    }
    let record = Record {
        id: ending.entry,
        at: ending.at,
        kind: "proposal.ended",
        lane: Some(proposal.lane),
        actor: Some(ending.by),
        data,
        commits,
    };
    audit::append(tx, record).await?;
    Ok(true)
}
