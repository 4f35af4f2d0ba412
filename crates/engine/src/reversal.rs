//! A refund that Stripe had carried out and that failed afterwards: the money came back to the balance, the customer has
//! nothing. The case opens again for a person; nothing is repeated by itself.

use bursar_domain::actor::Actor;
use bursar_domain::case::CaseState;
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_store::audit::{self, Record};
use bursar_store::{cases, proposals};
use bursar_stripe::object::{Refund, RefundStatus};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::approve::note;
use crate::start::{Engine, store_error};
use crate::{Result, cards};

/// The kind of object that can be reversed.
pub(crate) const REFUND: &str = "refund";

impl Engine {
    /// Looks at an object that an event is about; acts only on a refund of ours that was done and has failed.
    pub(crate) async fn notice_reversal(&self, object: &Value) -> Result<()> {
        let Some((id, reason)) = failed_refund_of_ours(object) else { return Ok(()) };
        let keyring = self.inner.store.keyring().clone();
        let mut db = self.inner.store.read().await?;
        let Some(proposal) = proposals::get(&mut db, &keyring, &id).await? else { return Ok(()) };
        if proposal.state != ProposalState::Done {
            return Ok(());
        }
        let Some(mut case) = cases::get(&mut db, &keyring, &proposal.case).await? else { return Ok(()) };
        drop(db);
        let (now, at) = (self.inner.clocks.business(), self.inner.clocks.machine().micros());
        let headline = cards::headline(&proposal.content.action, case.details.customer_name.as_deref());
        case.state = CaseState::NeedsPerson;
        case.updated_at = now.micros();
        let record = Record {
            id: self.audit_id(),
            at,
            kind: "execution.reversed",
            lane: Some(case.lane.clone()),
            actor: Some("engine".to_owned()),
            data: json!({"proposal": id.as_str(), "reason": reason.clone()}),
            commits: Vec::new(),
        };
        let (lane, case_id) = (case.lane.clone(), case.id.clone());
        let text =
            format!("{headline}: failed after it was done ({reason}); the customer has not got the money");
        let line = json!({"verb": "refund.create", "state": "reversed", "code": reason, "why": text});
        self.inner
            .store
            .write(move |tx| {
                async move {
                    // Said once: only what was done can be reversed.
                    let (done, reversed) = (ProposalState::Done, ProposalState::Reversed);
                    proposals::advance(tx, &id, done, reversed, now, Some(&reason)).await?;
                    cases::save(tx, &keyring, &case, at).await?;
                    note(tx, &keyring, &case, "execution", &Actor::Engine, line, (now, at)).await?;
                    audit::append(tx, record).await
                }
                .boxed()
            })
            .await
            .map_err(store_error)?;
        metrics::counter!("bursar_actions_reversed_total").increment(1);
        self.tell("execution", &lane, (Some(case_id.as_str()), None), text);
        Ok(())
    }
}

fn failed_refund_of_ours(object: &Value) -> Option<(ProposalId, String)> {
    if object.get("object")? != REFUND {
        return None;
    }
    let refund = Refund::from_value(object).ok()?;
    if !matches!(refund.status, Some(RefundStatus::Failed | RefundStatus::Canceled)) {
        return None;
    }
    let id = refund.metadata.get("bursar_action")?.parse().ok()?;
    let reason = refund.failure_reason.as_ref().map_or("unknown", |reason| reason.as_str());
    Some((id, reason.to_owned()))
}
