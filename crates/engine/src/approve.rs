//! Votes. A person votes on a digest; the vote, what it decides and its audit entry are one commit. Expiry is a job.

mod refused;

use bursar_domain::actor::Actor;
use bursar_domain::approval::{self, ApprovalState, Choice, Question, Tally, VoteError, Voter};
use bursar_domain::audit::Commitment;
use bursar_domain::case::CaseKey;
use bursar_domain::id::{ApprovalId, AuditId, PersonId, VoteId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_store::approvals::{self, Approval, Vote};
use bursar_store::audit::{self, Record};
use bursar_store::cases::{self, Case};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{self, Job, NewJob};
use bursar_store::people::{self, Person};
use bursar_store::planted::{Bug, planted};
use bursar_store::proposals::{self, Proposal};
use bursar_store::seal::Keyring;
use bursar_store::timeline::{self, NewEntry, Of};
use bursar_store::{Db, Tx, restores};
use futures_util::FutureExt as _;
use serde_json::json;

pub use refused::RefusedVote;

use crate::govern::parse_lane;
use crate::propose::{self, Ending};
use crate::start::{Engine, store_error};
use crate::{Error, Result, blocked};

/// One vote, as a person casts it. Their identity and roles were established by whoever calls.
#[derive(Clone, Debug)]
pub struct VoteCast {
    pub approval: ApprovalId,
    pub person: PersonId,
    pub name: String,
    pub roles: Vec<Role>,
    pub choice: Choice,
    pub digest: String,
    pub reason: Option<String>,
    /// `console`, `api`, `cli`.
    pub method: String,
}

/// What a vote's transaction needs besides the vote.
struct Ballot {
    cast: VoteCast,
    single_operator: bool,
    now: BusinessTime,
    at: i64,
    vote: VoteId,
    entries: [AuditId; 2],
    execute: NewJob,
    wake: Option<NewJob>,
}

impl Engine {
    /// Counts a vote; answers what it led to.
    pub async fn vote(&self, cast: VoteCast) -> Result<Tally> {
        // A clock that went back would let people decide what has expired.
        if let Some(why) = self.clock_trouble().filter(|_| !planted(Bug::ClockBack)) {
            return Err(Error::Clock(why));
        }
        let mut db = self.inner.store.read().await?;
        if restores::is_unknown(&mut db).await? {
            return Err(Error::Restored);
        }
        let approval = approvals::get(&mut db, &cast.approval).await?;
        let approval = approval.ok_or_else(|| Error::not_found("approval", cast.approval.as_str()))?;
        let keyring = self.inner.store.keyring().clone();
        let proposal = proposals::get(&mut db, &keyring, &approval.proposal).await?;
        let proposal = proposal.ok_or_else(|| Error::not_found("proposal", approval.proposal.as_str()))?;
        let case = cases::get(&mut db, &keyring, &approval.case).await?;
        let case = case.ok_or_else(|| Error::not_found("case", approval.case.as_str()))?;
        drop(db);
        let lane = parse_lane(&approval.lane)?;
        let ballot = Ballot {
            single_operator: self.is_single_operator(),
            // Back by less than a clock can be wrong, it still makes nothing live again that was over.
            now: if planted(Bug::ClockBack) {
                self.inner.clocks.business()
            } else {
                self.business_never_back()
            },
            at: self.inner.clocks.machine().micros(),
            vote: VoteId::from_entropy(self.inner.entropy.id()),
            entries: [self.audit_id(), self.audit_id()],
            execute: self.execute_job(&lane, &proposal.content.action, &proposal.id),
            wake: self.wake_of(&case.lane, &case.key),
            cast,
        };
        let attempt = ballot.cast.clone();
        let id = attempt.approval.clone();
        let by_playbook = matches!(proposal.actor, Actor::Playbook { .. });
        self.pass(FailPoint::Voting).await?;
        let tally = self
            .inner
            .store
            .write(move |tx| async move { count(tx, &keyring, &proposal, ballot).await }.boxed())
            .await;
        let word = match &tally {
            Ok(Tally::Met) => "met",
            Ok(Tally::Refused) => "refused",
            Ok(Tally::Open) => "counted",
            Err(_) => "not_counted",
        };
        metrics::counter!("bursar_votes_total", "result" => word, "method" => attempt.method.clone())
            .increment(1);
        if by_playbook && matches!(tally, Ok(Tally::Refused)) {
            metrics::counter!("bursar_disagreements_total", "kind" => "person").increment(1);
        }
        if tally.is_ok() {
            self.pass(FailPoint::VoteKept).await?;
        }
        if let Err(Error::Vote(why)) = tally {
            self.note_refusal(attempt, why).await;
        }
        if tally.is_ok() {
            self.inner.work.notify_one();
            self.tell(
                "approval",
                &approval.lane,
                (Some(approval.case.as_str()), Some(id.as_str())),
                format!("vote {word}"),
            );
        }
        tally
    }

    /// A rejection without its reason is a form filled in by half, and no attempt at anything.
    async fn note_refusal(&self, cast: VoteCast, why: VoteError) {
        if why == VoteError::ReasonMissing {
            return;
        }
        let vote = RefusedVote {
            approval: cast.approval,
            actor: Actor::Person { id: cast.person, name: cast.name },
            choice: cast.choice,
            method: cast.method,
            why: why.code(),
        };
        // Refused it is, recorded or not.
        if let Err(error) = self.record_refused_vote(vote).await {
            tracing::error!(%error, "a refused vote could not be recorded");
        }
    }

    /// Work for the case's playbook after something in it ended; nothing for cases without one.
    pub(crate) fn wake_of(&self, lane: &str, key: &CaseKey) -> Option<NewJob> {
        bursar_playbooks::by_name(&key.playbook).map(|_| self.decide_job(lane, key, "outcome", false))
    }

    /// An approval that nobody decided in time: refused by default, nothing was sent.
    pub(crate) async fn expire(&self, job: &Job) -> Result<()> {
        let id: ApprovalId = job.payload["approval"]
            .as_str()
            .unwrap_or_default()
            .parse()
            .map_err(|_| Error::Broken("an expiry without an approval".to_owned()))?;
        let mut db = self.inner.store.read().await?;
        let Some(approval) = approvals::get(&mut db, &id).await? else { return self.finish(job).await };
        let keyring = self.inner.store.keyring().clone();
        let case = cases::get(&mut db, &keyring, &approval.case).await?;
        drop(db);
        let now = self.inner.clocks.business();
        if approval.state != ApprovalState::Open {
            return self.finish(job).await;
        }
        let ending = Ending {
            to: ProposalState::Expired,
            approval_to: ApprovalState::Expired,
            code: "expired",
            words: "nobody decided in time; nothing was sent".to_owned(),
            by: "engine".to_owned(),
            now,
            at: self.inner.clocks.machine().micros(),
            entry: self.audit_id(),
        };
        let wake = case.as_ref().and_then(|case| self.wake_of(&case.lane, &case.key));
        let (job, lane) = (job.clone(), approval.lane);
        let about = id.clone();
        self.pass(FailPoint::Expiring).await?;
        let expired = self
            .inner
            .store
            .write(move |tx| {
                async move {
                    jobs::check_fence(tx, &job).await?;
                    let expired = end_unanswered(tx, &keyring, &about, ending).await?;
                    if expired {
                        jobs::add_many(tx, wake.iter()).await?;
                    }
                    jobs::finish(tx, &job).await?;
                    tx.pass(FailPoint::ExpiryWritten).await.map(|()| expired)
                }
                .boxed()
            })
            .await
            .map_err(store_error)?;
        self.pass(FailPoint::Expired).await?;
        if !expired {
            return Ok(());
        }
        metrics::counter!("bursar_approvals_expired_total").increment(1);
        self.tell("approval", &lane, (None, Some(id.as_str())), "approval expired".to_owned());
        Ok(())
    }
}

/// Answers false where somebody decided since we looked: what they said stands.
async fn end_unanswered(
    tx: &mut Tx,
    keyring: &Keyring,
    id: &ApprovalId,
    ending: Ending,
) -> bursar_store::Result<bool> {
    let approval = approvals::get(tx, id).await?;
    let Some(approval) = approval.filter(|approval| approval.state == ApprovalState::Open) else {
        return Ok(false);
    };
    let (now, at) = (ending.now, ending.at);
    propose::end(tx, keyring, &approval.proposal, ending).await?;
    if let Some(case) = cases::get(tx, keyring, &approval.case).await? {
        let body = json!({"approval": approval.id.as_str(), "state": "expired"});
        note(tx, keyring, &case, "vote", &Actor::Engine, body, (now, at)).await?;
        settle_own_case(tx, keyring, case, "approval expired", now, at).await?;
    }
    Ok(true)
}

async fn count(tx: &mut Tx, keyring: &Keyring, proposal: &Proposal, ballot: Ballot) -> Result<Tally> {
    // Read again inside the transaction: what was read before it may have changed.
    let approval = approvals::get(tx, &ballot.cast.approval).await?;
    let approval = approval.ok_or_else(|| Error::not_found("approval", ballot.cast.approval.as_str()))?;
    let case = cases::get(tx, keyring, &approval.case).await?;
    let case = case.ok_or_else(|| Error::not_found("case", approval.case.as_str()))?;
    let cast = &ballot.cast;
    let mut earlier = yes_voters(tx, keyring, &approval).await?;
    let question = question(&approval, ballot.single_operator);
    let voter = Voter { person: cast.person.clone(), roles: roles_left(tx, cast).await? };
    if planted(Bug::OneVoteTwice) {
        earlier.push(shadow(&voter));
    }
    let digest = if planted(Bug::DigestNotChecked) { &approval.digest } else { &cast.digest };
    let now = if planted(Bug::ExpiredCounts) { approval.opened_at } else { ballot.now };
    let reason = cast.reason.as_deref();
    let tally = approval::cast(&question, &voter, cast.choice, digest, reason, &earlier, now)?;
    let vote = Vote {
        id: ballot.vote.clone(),
        lane: approval.lane.clone(),
        approval: approval.id.clone(),
        person: cast.person.clone(),
        roles: voter.roles,
        choice: cast.choice,
        digest: cast.digest.clone(),
        at: ballot.now.micros(),
        method: cast.method.clone(),
        subject: case.subject.clone(),
        reason: cast.reason.clone(),
    };
    let kept = approvals::add_vote(tx, keyring, &vote, ballot.at).await?;
    tx.pass(FailPoint::VoteWritten).await?;
    let actor = Actor::Person { id: cast.person.clone(), name: cast.name.clone() };
    record_vote(tx, &approval, (&vote, kept), &ballot, &actor).await?;
    tx.pass(FailPoint::VoteRecorded).await?;
    let body = json!({"approval": approval.id.as_str(), "choice": cast.choice.as_str(), "reason": cast.reason,
        "method": cast.method});
    note(tx, keyring, &case, "vote", &actor, body, (ballot.now, ballot.at)).await?;
    follow(tx, keyring, case, proposal, &approval, ballot, tally).await?;
    tx.pass(FailPoint::VoteFollowed).await?;
    Ok(tally)
}

/// What the votes lead to: an execution, an end, or more waiting.
async fn follow(
    tx: &mut Tx,
    keyring: &Keyring,
    case: Case,
    proposal: &Proposal,
    approval: &Approval,
    ballot: Ballot,
    tally: Tally,
) -> Result<()> {
    match tally {
        Tally::Open => {}
        Tally::Met => {
            approvals::close(tx, &approval.id, ApprovalState::Met, ballot.now, "approved").await?;
            proposals::advance(
                tx,
                &proposal.id,
                ProposalState::Asking,
                ProposalState::Approved,
                ballot.now,
                None,
            )
            .await?;
            jobs::drop_queued(tx, "expire", &[format!("expire:{}", approval.id)]).await?;
            jobs::add(tx, &ballot.execute).await?;
            // It is decided: what its case waits for now is the execution.
            settle_own_case(tx, keyring, case, "approved", ballot.now, ballot.at).await?;
        }
        Tally::Refused => {
            let [_, entry] = ballot.entries;
            let ending = Ending {
                to: ProposalState::Rejected,
                approval_to: ApprovalState::Refused,
                code: "rejected",
                words: ballot.cast.reason.unwrap_or_default(),
                by: format!("person:{}", ballot.cast.person),
                now: ballot.now,
                at: ballot.at,
                entry,
            };
            propose::end(tx, keyring, &proposal.id, ending).await?;
            jobs::add_many(tx, ballot.wake.iter()).await?;
            settle_own_case(tx, keyring, case, "rejected", ballot.now, ballot.at).await?;
        }
    }
    Ok(())
}

/// The same person under another name: [`Bug::OneVoteTwice`].
fn shadow(voter: &Voter) -> Voter {
    let name: [u8; 16] = std::array::from_fn(|at| voter.person.as_str().as_bytes()[at + 5]);
    Voter { person: PersonId::from_entropy(name), roles: voter.roles.clone() }
}

/// What the voter came with, less what they were taken meanwhile.
async fn roles_left(tx: &mut Tx, cast: &VoteCast) -> Result<Vec<Role>> {
    let person = people::get(tx, &cast.person).await?.filter(|person| !person.disabled);
    let held = person.map(|person| person.roles).unwrap_or_default();
    Ok(cast.roles.iter().copied().filter(|role| held.contains(role)).collect())
}

async fn record_vote(
    tx: &mut Tx,
    approval: &Approval,
    (vote, kept): (&Vote, Commitment),
    ballot: &Ballot,
    actor: &Actor,
) -> Result<()> {
    let data = json!({"approval": approval.id.as_str(), "proposal": approval.proposal.as_str(),
        "choice": ballot.cast.choice.as_str(), "digest": ballot.cast.digest, "method": ballot.cast.method,
        "roles": vote.roles});
    let record = Record {
        id: ballot.entries[0].clone(),
        at: ballot.at,
        kind: "vote.cast",
        lane: Some(approval.lane.clone()),
        actor: Some(actor.key()),
        data,
        commits: vec![kept],
    };
    Ok(audit::append(tx, record).await?)
}

/// An approval as the rules of voting see it.
pub(crate) fn question(approval: &Approval, single_operator: bool) -> Question<'_> {
    Question {
        digest: &approval.digest,
        state: approval.state,
        requirements: &approval.requirements,
        makers: &approval.makers,
        single_operator,
        expires_at: approval.expires_at,
    }
}

/// The roles a vote counts with: those it was cast with, less those that were taken since. What its person may do
/// elsewhere, or was given later, adds nothing.
pub(crate) fn counted_roles(vote: &Vote, person: Option<&Person>) -> Vec<Role> {
    let held = person.filter(|person| !person.disabled).map(|person| person.roles.as_slice());
    let held = held.unwrap_or_default();
    vote.roles.iter().copied().filter(|role| held.contains(role)).collect()
}

/// Who has said yes to the digest. Whoever lost every role counts no more.
pub(crate) async fn yes_voters(db: &mut Db, keyring: &Keyring, approval: &Approval) -> Result<Vec<Voter>> {
    let mut voters = Vec::new();
    for vote in approvals::votes(db, keyring, &approval.id).await? {
        let same = vote.digest == approval.digest || planted(Bug::DigestNotChecked);
        if vote.choice != Choice::Approve || !same {
            continue;
        }
        let person = people::get(db, &vote.person).await?;
        let roles = counted_roles(&vote, person.as_ref());
        let voter = Voter { person: vote.person, roles };
        if planted(Bug::OneVoteTwice) {
            voters.push(shadow(&voter));
        }
        voters.push(voter);
    }
    Ok(voters)
}

/// A line in the case's timeline. Times are business and machine.
pub(crate) async fn note(
    tx: &mut Tx,
    keyring: &Keyring,
    case: &Case,
    kind: &'static str,
    actor: &Actor,
    body: serde_json::Value,
    (now, at): (BusinessTime, i64),
) -> bursar_store::Result<()> {
    let of =
        Of { case: &case.id, lane: &case.lane, subject: &case.subject, at: now.micros(), written_at: at };
    timeline::add(tx, keyring, of, &[NewEntry { kind, actor, body }]).await
}

/// A case that a person opened is over when nothing in it is open or in doubt any more; a playbook closes its own.
/// `case` was read in this transaction: what was read before it may have changed, and is written back whole.
pub(crate) async fn settle_own_case(
    tx: &mut Tx,
    keyring: &Keyring,
    mut case: Case,
    outcome: &str,
    now: BusinessTime,
    at: i64,
) -> bursar_store::Result<()> {
    if bursar_playbooks::by_name(&case.key.playbook).is_some() || case.state.is_closed() {
        return cases::touch(tx, &case.id, now).await;
    }
    let past = proposals::past(tx, &case.id).await?;
    case.state = if past.iter().any(|past| past.state.is_unsettled()) {
        blocked::under_way(tx, &case, &past).await?
    } else {
        bursar_domain::case::CaseState::Closed { outcome: outcome.to_owned(), at: now }
    };
    case.updated_at = now.micros();
    cases::save(tx, keyring, &case, at).await
}
