//! An intent of which surely nothing has left, come upon again: a kill switch, a missing mail server or a dead process
//! held it up. Meanwhile the invoice may have been paid or the policy changed, so it goes out only if everything that
//! held when it was written holds still, and not at all once it is old.

use std::time::Duration;

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::execution::{ExecutionState, WITHDRAWN};
use bursar_domain::id::ExecutionId;
use bursar_domain::time::BusinessTime;
use bursar_store::Tx;
use bursar_store::executions::{self, Execution, Progress};
use bursar_store::fail_point::FailPoint;
use futures_util::FutureExt as _;

use super::intent::{Step, Work};
use super::outcome::Outcome;
use super::{Task, send};
use crate::start::Engine;
use crate::{Result, budget, govern};

/// How often a letter looks whether there is a mail server by now: after half of the time that it has waited.
const NO_MAIL_EVERY: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(30));

/// An intent of which surely nothing left ends with the proposal it was for.
pub(crate) async fn let_go(
    tx: &mut Tx,
    lane: &str,
    id: &ExecutionId,
    now: BusinessTime,
) -> bursar_store::Result<()> {
    let progress = Progress {
        state: ExecutionState::NoEffect,
        code: Some(WITHDRAWN),
        waiting_for: None,
        absent_since: None,
        receipt: None,
    };
    executions::record(tx, id, &progress, now).await?;
    budget::give_back(tx, lane, id).await
}

impl Engine {
    pub(super) async fn take_up(&self, task: &Task<'_>, execution: Execution) -> Result<()> {
        self.pass(FailPoint::TakenUp).await?;
        // What is done inside Bursar happens in the transaction that says so.
        if matches!(task.proposal.content.action, Action::CreateTask { .. }) {
            return self.carry_out(task, execution).await;
        }
        if let Some(outcome) = self.hindrance(task, &execution).await? {
            return self.conclude(task, &execution, outcome).await;
        }
        match self.intend_again(task, &execution).await? {
            Step::Intended => self.carry_out(task, execution).await,
            Step::Stopped { scope, reason } => {
                self.conclude(task, &execution, send::held_by(&scope, &reason)).await
            }
            Step::Voided(voided) => {
                self.tell_voided(task, &voided);
                Ok(())
            }
        }
    }

    /// What keeps it from going out, before anybody is asked anything.
    async fn hindrance(&self, task: &Task<'_>, execution: &Execution) -> Result<Option<Outcome>> {
        if self.inner.clocks.business() > execution.intent.deadline_at {
            return Ok(Some(Outcome::TooLate));
        }
        if let Some(outcome) = self.no_mail_server(task, execution) {
            return Ok(Some(outcome));
        }
        let mut db = self.inner.store.read().await?;
        let stopped = govern::stopped(&mut db, &execution.intent.lane, &task.proposal.actor).await?;
        Ok(stopped.map(|(scope, reason)| send::held_by(&scope, &reason)))
    }

    pub(super) fn no_mail_server(&self, task: &Task<'_>, execution: &Execution) -> Option<Outcome> {
        let is_mail = matches!(task.proposal.content.action, Action::SendMail(_));
        if !is_mail || self.inner.settings.mail.is_some() {
            return None;
        }
        let waited = self.inner.clocks.business().since(execution.intent.intended_at);
        let (least, most) = NO_MAIL_EVERY;
        Some(Outcome::Held {
            after: (waited / 2).clamp(least, most),
            why: "no mail server is configured".to_owned(),
        })
    }

    async fn intend_again(&self, task: &Task<'_>, execution: &Execution) -> Result<Step> {
        let now = self.inner.clocks.business();
        let (facts, gathered) = self.read_target(task, now).await?;
        let work = Work {
            engine: self.clone(),
            job: task.job.clone(),
            proposal: task.proposal.clone(),
            wake: self.wake_of(&task.case.lane, &task.case.key),
            actor: Actor::Engine,
            facts,
            gathered,
            intent: execution.intent.clone(),
            now,
            at: self.inner.clocks.machine().micros(),
        };
        self.inner.store.write(move |tx| async move { work.decide_again(tx).await }.boxed()).await
    }
}
