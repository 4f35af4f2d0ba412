//! Did it happen? Each action declares how its effect is found: a refund by our mark in its metadata, a paid invoice by
//! the event that carries our idempotency key or by its charges.

use bursar_domain::action::Action;
use bursar_domain::execution::Receipt;
use bursar_store::executions::Execution;
use bursar_stripe::object::{Refund, RefundStatus};
use serde_json::Value;

use super::{Outcome, Task, receipt};
use crate::lanes::Open;
use crate::start::Engine;
use crate::stripe_api::Class;
use crate::{Error, Result, restored};

/// What a look came to.
#[derive(Clone, Debug)]
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
    /// Nobody can be asked, or what was seen can be read in two ways.
    Unknowable {
        why: String,
    },
    /// Ours, and of another amount than was approved.
    Wrong {
        why: String,
    },
    /// More objects than a look may read: nothing is known, and absence least of all.
    Cut,
}

/// Objects of one list that a look-up reads at most; more than that is no complete read.
pub(super) const LOOK_MAX: usize = 1_000;
/// Clocks differ: how long before the first send an effect may claim to have happened.
pub(super) const SLACK_S: i64 = 300;

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
            Action::SendMail(_) if execution.outcome_code.as_deref() == Some(restored::CODE) => {
                let why = "it may have gone out before a copy of the database was put back";
                Ok(Found::Unknowable { why: why.to_owned() })
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
        let Some(ours) = ours else {
            // A list that was cut short proves no absence.
            return Ok(if listed.complete { Found::Nothing } else { Found::Cut });
        };
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

    /// What was parked at Stripe, or accepted and not settled: waited for, never resent.
    pub(super) async fn check_parked(&self, task: &Task<'_>, execution: &Execution) -> Result<Outcome> {
        Ok(match self.look_up(task, execution).await? {
            Found::Effect(receipt) => Outcome::Done(receipt),
            Found::Failed { code } => Outcome::Refused { code, message: String::new() },
            Found::Parked { object } => Outcome::Parked { request: object },
            Found::Nothing => Outcome::Parked { request: execution.waiting_for.clone().unwrap_or_default() },
            Found::Unknowable { why } => Outcome::InDoubt { code: "possibly_sent".to_owned(), why },
            Found::Wrong { why } => Outcome::Halt { why },
            Found::Cut => Outcome::Cut,
        })
    }
}
