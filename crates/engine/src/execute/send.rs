//! The socket: a send is counted on disk before it happens, the stored bytes go out as they are, and the answer is read
//! against one table.

use std::time::Duration;

use bursar_connectors::mail::Letter;
use bursar_connectors::{Connector as _, Delivery, DeliveryOutcome};
use bursar_domain::action::{Action, Mail};
use bursar_domain::time::BusinessTime;
use bursar_store::executions::{self, Execution};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs;
use bursar_store::planted::{Bug, planted};
use bursar_store::proposals::Proposal;
use futures_util::FutureExt as _;

use super::outcome::Outcome;
use super::{Task, receipt};
use crate::govern;
use crate::start::{Engine, store_error};
use crate::stripe_api::{Answered, Meaning, SendError, Written, meaning};
use crate::{Error, Result};

/// How often what a kill switch holds up looks whether it still is.
const STOPPED_EVERY: Duration = Duration::from_secs(30);

/// What a kill switch does to what was about to be sent.
pub(super) fn held_by(scope: &str, reason: &str) -> Outcome {
    Outcome::Held { after: STOPPED_EVERY, why: format!("{scope} is stopped: {reason}") }
}

impl Engine {
    /// Sends, or sends again, the same bytes under the same key.
    pub(super) async fn send(&self, task: &Task<'_>, execution: &Execution) -> Result<Outcome> {
        match &task.proposal.content.action {
            Action::CreateTask { .. } => Ok(Outcome::Done(receipt::of_task())),
            Action::SendMail(_) => self.send_mail(task, execution).await,
            Action::RefundCharge { .. } | Action::PayInvoice { .. } | Action::CreatePortalSession { .. } => {
                self.send_to_stripe(task, execution).await
            }
        }
    }

    /// Counts a send in the transaction that finds no kill switch thrown; else answers what waits instead. What was sent
    /// before stays followed: looking sends nothing.
    async fn count_send(&self, task: &Task<'_>, execution: &Execution) -> Result<Option<Outcome>> {
        let (job, id, now) = (task.job.clone(), execution.intent.id.clone(), self.inner.clocks.business());
        let (lane, actor) = (execution.intent.lane.clone(), task.proposal.actor.clone());
        let stopped = self
            .inner
            .store
            .write(move |tx| {
                async move {
                    jobs::check_fence(tx, &job).await?;
                    let stopped = govern::stopped(tx, &lane, &actor).await?;
                    if stopped.is_none() {
                        executions::mark_sent(tx, &id, now).await?;
                    }
                    tx.pass(FailPoint::SendCounted).await?;
                    Ok(stopped)
                }
                .boxed()
            })
            .await
            .map_err(store_error)?;
        self.pass(FailPoint::Counted).await?;
        Ok(stopped.map(|(scope, reason)| held_by(&scope, &reason)))
    }

    async fn send_to_stripe(&self, task: &Task<'_>, execution: &Execution) -> Result<Outcome> {
        let open = self.inner.lanes.require(&execution.intent.lane)?;
        if self.is_past_deadline(execution) {
            return Ok(Outcome::Absent);
        }
        // First the turn, then the count with its fence: whoever waited until the lease was over sends nothing.
        let turn = match open.client.turn().await {
            Ok(turn) => turn,
            Err(wait) => {
                let why = "Stripe asked this account to slow down".to_owned();
                return Ok(Outcome::Later { after: Some(wait), why, sent: false });
            }
        };
        self.pass(FailPoint::TurnTaken).await?;
        if let Some(waits) = self.count_send(task, execution).await? {
            return Ok(waits);
        }
        // A process that was stopped between the count and here may wake a day later: others have looked, and said that
        // it did not happen. From here on nothing awaits.
        if self.is_past_deadline(execution) {
            let why = "it waited for longer than its key is trusted".to_owned();
            return Ok(Outcome::Later { after: None, why, sent: false });
        }
        let intent = &execution.intent;
        let key = self.planted_key(execution);
        let written = Written {
            path: &intent.path,
            body: &intent.request,
            idempotency_key: key.as_deref().unwrap_or(&intent.idempotency_key),
            api_version: &intent.api_version,
        };
        let answer = open.client.send(turn, written).await;
        self.pass(FailPoint::SocketClosed).await?;
        Ok(match answer {
            Ok(answered) if answered.status == 429 && planted(Bug::RateLimitIsRefusal) => {
                Outcome::Refused { code: "rate_limit".to_owned(), message: String::new() }
            }
            Ok(answered) => self.read_answer(task, &answered),
            Err(SendError::NotSent(why)) => Outcome::Later { after: None, why, sent: false },
            Err(SendError::Lost(why)) => Outcome::Later { after: None, why, sent: true },
        })
    }

    fn is_past_deadline(&self, execution: &Execution) -> bool {
        self.inner.clocks.business() > execution.intent.deadline_at && !planted(Bug::KeyTooOld)
    }

    /// Another key than the intent's, where a bug would send one.
    fn planted_key(&self, execution: &Execution) -> Option<String> {
        let again = execution.sends > 0;
        let code = execution.outcome_code.as_deref();
        let in_use = execution.waiting_for.as_deref() == Some("idempotency_key_in_use");
        let another = (planted(Bug::KeyPerSend) && again)
            || (planted(Bug::KeyAfter500) && code == Some(super::outcome::STORED))
            || (planted(Bug::KeyAfter409) && in_use);
        let key = &execution.intent.idempotency_key;
        if planted(Bug::KeyFromTime) {
            return Some(format!("{key}_{}", self.inner.clocks.business().unix_s()));
        }
        another.then(|| format!("{key}_{}", execution.sends))
    }

    fn read_answer(&self, task: &Task<'_>, answered: &Answered) -> Outcome {
        let action = &task.proposal.content.action;
        match meaning(answered) {
            Meaning::Done(object) => {
                if let Some(why) = receipt::mismatch(action, &object) {
                    return Outcome::Halt { why };
                }
                self.hand_over(&task.proposal, &object);
                receipt::read(task, &object, answered)
            }
            Meaning::WaitingAtStripe { request, .. } if planted(Bug::ParkedIsDone) => {
                Outcome::Done(receipt::of_mail(&request))
            }
            Meaning::WaitingAtStripe { request, expires_s } => {
                Outcome::AwaitsApproval { request, until: expires_s.map(BusinessTime::from_unix_s) }
            }
            Meaning::Refused { code, message } => Outcome::Refused { code, message },
            Meaning::SameAgain { after, why } => Outcome::Later { after, why, sent: true },
            Meaning::LookUp { why } => Outcome::Stored { why },
            Meaning::Halt { why } => Outcome::Halt { why },
        }
    }

    /// The address of a portal session goes to whoever waits for it and nowhere else.
    fn hand_over(&self, proposal: &Proposal, object: &serde_json::Value) {
        let url = object.get("url").and_then(serde_json::Value::as_str);
        if let (Action::CreatePortalSession { .. }, Some(url)) = (&proposal.content.action, url) {
            self.inner.handover.put((&proposal.id, &proposal.actor), url, self.inner.clocks.machine());
        }
    }

    async fn send_mail(&self, task: &Task<'_>, execution: &Execution) -> Result<Outcome> {
        if let Some(waits) = self.no_mail_server(task, execution) {
            return Ok(waits);
        }
        let mail = self.inner.settings.mail.clone();
        let mail = mail.ok_or_else(|| Error::Broken("a letter and no mail server".to_owned()))?;
        let letter: Mail = serde_json::from_slice(&execution.intent.request)
            .map_err(|error| Error::Broken(format!("a stored letter: {error}")))?;
        let key = execution
            .intent
            .idempotency_key
            .parse()
            .map_err(|error: bursar_connectors::Error| Error::Broken(error.to_string()))?;
        if let Some(waits) = self.count_send(task, execution).await? {
            return Ok(waits);
        }
        let delivery = Delivery { key, at: execution.intent.intended_at, message: Letter::from(&letter) };
        Ok(match mail.deliver(&delivery).await {
            DeliveryOutcome::Delivered { reference } => Outcome::Done(receipt::of_mail(&reference)),
            DeliveryOutcome::Refused { code, text } => Outcome::Refused {
                code: code.map_or_else(|| "mail_refused".to_owned(), |code| format!("smtp_{code}")),
                message: text,
            },
            DeliveryOutcome::Retry { after, why } => Outcome::Later { after: Some(after), why, sent: false },
            DeliveryOutcome::PossiblySent { why } => {
                Outcome::InDoubt { code: "possibly_sent".to_owned(), why }
            }
        })
    }
}
