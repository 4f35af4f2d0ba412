//! Making an approved action true, effectively once. The protocol, in order: re-read the target and compare the guard
//! facts; judge again with the votes; one transaction with the budget and the intent; only then a socket; outcome and
//! audit entry together. An intent that may have been sent is looked up before anything is sent again.

mod again;
mod anew;
mod intent;
mod lookup;
mod outcome;
mod parked;
mod payment;
mod receipt;
mod request;
mod send;
mod waits;

use bursar_domain::execution::{ExecutionState, KEY_TRUSTED};
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_store::cases::{self, Case};
use bursar_store::executions::{self, Execution};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::Job;
use bursar_store::planted::{Bug, planted};
use bursar_store::proposals::{self, Proposal};
use bursar_store::restores;

use crate::start::Engine;
use crate::{Error, Result};

pub(crate) use again::let_go;
pub(crate) use anew::refundable_line;
pub(crate) use request::{idempotency_key, of as request_of};
pub(crate) use waits::{told as wait_told, words as wait_words};

use outcome::Outcome;

/// Everything an execution works with.
pub(crate) struct Task<'a> {
    pub(crate) job: &'a Job,
    pub(crate) proposal: Proposal,
    pub(crate) case: Case,
}

impl Engine {
    /// One claimed `execute` job.
    pub(crate) async fn execute(&self, job: &Job) -> Result<()> {
        let id: ProposalId = job.payload["proposal"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Error::Broken("an execution without a proposal".to_owned()))?;
        let keyring = self.inner.store.keyring();
        let mut db = self.inner.store.read().await?;
        let proposal = proposals::get(&mut db, keyring, &id).await?;
        let proposal = proposal.ok_or_else(|| Error::not_found("proposal", id.as_str()))?;
        let case = cases::get(&mut db, keyring, &proposal.case).await?;
        let case = case.ok_or_else(|| Error::not_found("case", proposal.case.as_str()))?;
        let execution = executions::of_proposal(&mut db, keyring, &id).await?;
        let restored = restores::is_open(&mut db).await?;
        drop(db);
        // In doubt is looked at again when a person asks for it; everything else that ended stays ended.
        if !matches!(proposal.state, ProposalState::Approved | ProposalState::InDoubt) {
            return self.finish(job).await;
        }
        // Keys, deadlines and budgets are all told by the clock: with a wrong one none of them protects anything.
        if let Some(why) = self.clock_trouble() {
            return Err(Error::Clock(why));
        }
        self.pass(FailPoint::ExecutionBegun).await?;
        let task = Task { job, proposal, case };
        // Before an intent is written: the guard facts may have changed by this very action, which the copy forgot.
        let leaves = task.proposal.content.action.effects().iter().any(|effect| effect.leaves_bursar());
        if restored && leaves && execution.is_none() {
            return Err(Error::Restored);
        }
        match execution {
            None => match self.intend(&task).await? {
                Some(execution) => {
                    self.pass(FailPoint::Intended).await?;
                    self.carry_out(&task, execution).await
                }
                // Voided, or judged again as something else: the transaction that said so also finished the job.
                None => Ok(()),
            },
            Some(execution) if execution.never_left() => self.take_up(&task, execution).await,
            Some(execution) => self.carry_out(&task, execution).await,
        }
    }

    /// From a durable intent to an outcome.
    async fn carry_out(&self, task: &Task<'_>, execution: Execution) -> Result<()> {
        let outcome = match execution.state {
            // Sends are counted before the socket: none counted means none happened.
            _ if execution.never_left() => self.send(task, &execution).await?,
            ExecutionState::WaitingAtStripe => {
                let outcome = self.check_parked(task, &execution).await?;
                self.unless_decided(task, &execution, outcome)
            }
            ExecutionState::Intent | ExecutionState::Unknown | ExecutionState::InDoubt => {
                self.find_or_resend(task, &execution).await?
            }
            ExecutionState::Done | ExecutionState::Refused | ExecutionState::NoEffect => {
                return self.finish(task.job).await;
            }
        };
        self.pass(FailPoint::Answered).await?;
        self.conclude(task, &execution, outcome).await?;
        self.pass(FailPoint::Concluded).await?;
        Ok(())
    }

    /// Something may have been sent: look first. The same key and bytes again only while Stripe surely keeps the key,
    /// and only when the last answer was not one that Stripe replays.
    async fn find_or_resend(&self, task: &Task<'_>, execution: &Execution) -> Result<Outcome> {
        self.pass(FailPoint::LookingUp).await?;
        let found = self.look_up(task, execution).await?;
        self.pass(FailPoint::LookedUp).await?;
        match found {
            lookup::Found::Effect(receipt) => return Ok(Outcome::Done(receipt)),
            lookup::Found::Parked { object } => return Ok(Outcome::Parked { request: object }),
            lookup::Found::Failed { code } => return Ok(Outcome::Refused { code, message: String::new() }),
            lookup::Found::Unknowable { why } => {
                return Ok(Outcome::InDoubt { code: "possibly_sent".to_owned(), why });
            }
            lookup::Found::Wrong { why } => return Ok(Outcome::Halt { why }),
            lookup::Found::Cut if execution.state != ExecutionState::InDoubt => return Ok(Outcome::Cut),
            lookup::Found::Cut => {
                let code = execution.outcome_code.clone().unwrap_or_default();
                return Ok(Outcome::InDoubt { code, why: outcome::TOO_MUCH.to_owned() });
            }
            lookup::Found::Nothing => {}
        }
        // A person asked to look again: looking is all that is safe.
        if execution.state == ExecutionState::InDoubt {
            let why = "a complete look found nothing; whether it happened is still not known".to_owned();
            return Ok(Outcome::InDoubt { code: execution.outcome_code.clone().unwrap_or_default(), why });
        }
        let age =
            execution.first_sent_at.map(|at| self.inner.clocks.business().since(at)).unwrap_or_default();
        let replays = execution.outcome_code.as_deref() == Some(outcome::STORED);
        let trusted = age < KEY_TRUSTED || planted(Bug::KeyTooOld);
        if trusted && (!replays || planted(Bug::KeyAfter500)) {
            return self.send(task, execution).await;
        }
        Ok(Outcome::Absent)
    }
}
