//! Did it happen? Each action declares how its effect is found: by our mark in the object's metadata, or by the event
//! that carries our idempotency key.

use bursar_domain::action::Action;
use bursar_domain::execution::Receipt;
use bursar_domain::time::BusinessTime;
use bursar_store::events;
use bursar_store::executions::Execution;
use bursar_stripe::object::{Refund, RefundStatus};
use serde_json::Value;

use super::{Task, receipt};
use crate::lanes::Open;
use crate::start::Engine;
use crate::stripe_api::Class;
use crate::{Error, Result};

/// What a complete look came to.
pub(super) enum Found {
    Effect(Receipt),
    /// Accepted, not settled.
    Parked {
        object: String,
    },
    /// It was taken on and then failed for good.
    Failed {
        code: String,
    },
    /// Every place was read to its end, and there is nothing.
    Nothing,
    /// Nobody can be asked.
    Unknowable {
        why: String,
    },
}

/// Objects a look-up reads at most; more than that is no complete read.
const LOOK_MAX: usize = 1_000;
/// Clocks differ: how long before the first send an effect may claim to have happened.
const SLACK_S: i64 = 300;

impl Engine {
    pub(super) async fn look_up(&self, task: &Task<'_>, execution: &Execution) -> Result<Found> {
        let open = self.inner.lanes.require(&execution.intent.lane)?;
        match &task.proposal.content.action {
            Action::RefundCharge { charge, .. } => self.look_for_refund(task, &open, charge.as_str()).await,
            Action::PayInvoice { invoice, .. } => {
                self.look_for_payment(task, &open, execution, invoice.as_str()).await
            }
            Action::SendMail(_) if execution.outcome_code.as_deref() == Some("possibly_sent") => {
                Ok(Found::Unknowable { why: "a mail server cannot be asked what it holds".to_owned() })
            }
            // Counted as sent, and the process died: SMTP may have gone through or not.
            Action::SendMail(_) if execution.outcome_code.is_none() => Ok(Found::Unknowable {
                why: "sending was interrupted; the letter may have gone out".to_owned(),
            }),
            // Another portal session is as good as the first; what the first may have been went to nobody.
            Action::CreatePortalSession { .. } | Action::SendMail(_) | Action::CreateTask { .. } => {
                Ok(Found::Nothing)
            }
        }
    }

    async fn look_for_refund(&self, task: &Task<'_>, open: &Open, charge: &str) -> Result<Found> {
        let listed = open.client.list("refund", &[("charge", charge)], LOOK_MAX, Class::Action).await?;
        let ours = listed.items.iter().find(|refund| {
            let mark = refund.pointer("/metadata/bursar_action").and_then(Value::as_str);
            mark == Some(task.proposal.id.as_str())
        });
        let Some(ours) = ours else { return absent(listed.complete) };
        let refund =
            Refund::from_value(ours).map_err(|error| Error::Broken(format!("a refund of ours: {error}")))?;
        match refund.status {
            Some(RefundStatus::Pending | RefundStatus::RequiresAction) => {
                Ok(Found::Parked { object: refund.id.as_str().to_owned() })
            }
            Some(RefundStatus::Failed | RefundStatus::Canceled) => Ok(Found::Failed {
                code: refund.failure_reason.as_ref().map_or_else(
                    || "refund_failed".to_owned(),
                    |reason| format!("refund_failed_{}", reason.as_str()),
                ),
            }),
            _ => Ok(Found::Effect(receipt::of_found(task, ours, "found by metadata"))),
        }
    }

    async fn look_for_payment(
        &self,
        task: &Task<'_>,
        open: &Open,
        execution: &Execution,
        invoice: &str,
    ) -> Result<Found> {
        let key = &execution.intent.idempotency_key;
        let mut db = self.inner.store.read().await?;
        let heard = events::caused_by(&mut db, &execution.intent.lane, key).await?;
        drop(db);
        let current = open.client.object("invoice", invoice, Class::Action).await?;
        let Some(current) = current else { return Ok(Found::Failed { code: "resource_missing".to_owned() }) };
        let paid = current.get("status").and_then(Value::as_str) == Some("paid");
        let by_event = heard.is_some() || self.event_says_so(open, execution).await?;
        match (paid, by_event) {
            (true, true) => Ok(Found::Effect(receipt::of_found(task, &current, "found by event"))),
            // Our request was carried out and the payment failed: a decline is an answer.
            (false, true) => Ok(Found::Failed { code: "card_declined".to_owned() }),
            (_, false) => Ok(Found::Nothing),
        }
    }

    /// The universal look-up: an event whose request carries our key.
    async fn event_says_so(&self, open: &Open, execution: &Execution) -> Result<bool> {
        let since = execution.first_sent_at.map_or(0, BusinessTime::unix_s) - SLACK_S;
        let since = since.to_string();
        let listed =
            open.client.list("event", &[("created[gte]", since.as_str())], LOOK_MAX, Class::Action).await?;
        let ours = listed.items.iter().any(|event| {
            event.pointer("/request/idempotency_key").and_then(Value::as_str)
                == Some(execution.intent.idempotency_key.as_str())
        });
        if !ours && !listed.complete {
            return Err(incomplete());
        }
        Ok(ours)
    }

    /// What was parked at Stripe, or accepted and not settled: waited for, never resent.
    pub(super) async fn check_parked(
        &self,
        task: &Task<'_>,
        execution: &Execution,
    ) -> Result<super::Outcome> {
        Ok(match self.look_up(task, execution).await? {
            Found::Effect(receipt) => super::Outcome::Done(receipt),
            Found::Failed { code } => super::Outcome::Refused { code, message: String::new() },
            Found::Parked { object } => super::Outcome::Parked { request: object },
            Found::Nothing | Found::Unknowable { .. } => {
                super::Outcome::Parked { request: execution.waiting_for.clone().unwrap_or_default() }
            }
        })
    }
}

fn absent(complete: bool) -> Result<Found> {
    if complete { Ok(Found::Nothing) } else { Err(incomplete()) }
}

/// A list that was cut short proves no absence.
fn incomplete() -> Error {
    Error::Unavailable {
        on: "Stripe",
        why: "more objects than a look-up may read; a person must look".to_owned(),
        after: std::time::Duration::from_mins(5),
    }
}
