//! What waits at Stripe for people there. It is waited for until they have decided, or can no longer: an effect that is
//! found counts before either.

use bursar_domain::lane::Lane;
use bursar_store::executions::{self, Execution};
use bursar_store::jobs::NewJob;
use bursar_store::proposals;
use bursar_stripe::event::Event;
use serde_json::json;

use super::Task;
use super::outcome::Outcome;
use crate::Result;
use crate::start::Engine;

/// Stripe's word that a request for approval came to nothing.
const FAMILY: &str = "v2.core.approval_request.";
const ENDS: [&str; 4] = ["rejected", "canceled", "expired", "failed"];

impl Engine {
    pub(super) fn unless_decided(&self, task: &Task<'_>, execution: &Execution, outcome: Outcome) -> Outcome {
        let Outcome::Parked { request } = &outcome else { return outcome };
        if execution.waiting_for.as_deref() != Some(request.as_str()) {
            return outcome;
        }
        let said = task.job.payload["stripe_said"].as_str();
        if let Some(end) = ENDS.into_iter().find(|end| said == Some(end)) {
            return Outcome::Refused { code: format!("stripe_approval_{end}"), message: String::new() };
        }
        if execution.waiting_until.is_some_and(|until| self.inner.clocks.business() > until) {
            return Outcome::InDoubt {
                code: "stripe_approval_lapsed".to_owned(),
                why: format!("nobody at Stripe agreed to {request} in time, and no effect is to be found"),
            };
        }
        outcome
    }

    /// The work that Stripe's word on a request for approval makes, where one of ours waits for that.
    pub(crate) async fn heard_from_stripes_people(
        &self,
        lane: &Lane,
        event: &Event,
    ) -> Result<Option<NewJob>> {
        let Some(end) = event.kind.strip_prefix(FAMILY).filter(|end| ENDS.contains(end)) else {
            return Ok(None);
        };
        let Some(request) = event.object_id() else { return Ok(None) };
        let mut db = self.inner.store.read().await?;
        let Some(proposal) = executions::waiting_for(&mut db, &lane.to_string(), request).await? else {
            return Ok(None);
        };
        let held = proposals::get(&mut db, self.inner.store.keyring(), &proposal).await?;
        Ok(held.map(|held| {
            let job = self.execute_job(lane, &held.content.action, &proposal);
            NewJob { payload: json!({"proposal": proposal.as_str(), "stripe_said": end}), ..job }
        }))
    }
}
