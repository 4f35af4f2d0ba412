//! A refund that Stripe had carried out and that failed afterwards: the money came back to the balance, the customer has
//! nothing. A case opens again for a person; nothing is repeated by itself.

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::id::{AuditId, ProposalId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;
use bursar_store::audit::{self, Record, Table};
use bursar_store::cases::Case;
use bursar_store::executions::{self, Execution};
use bursar_store::proposals::{self, Proposal};
use bursar_store::seal::Keyring;
use bursar_store::{Tx, cases};
use bursar_stripe::object::{Refund, RefundStatus};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::approve::note;
use crate::budget;
use crate::call_person::call_person;
use crate::settle::BY_A_PERSON;
use crate::start::{Engine, store_error};
use crate::{Result, cards};

/// The kind of object that can be reversed.
pub(crate) const REFUND: &str = "refund";

/// What is written.
struct Reversal {
    proposal: Proposal,
    execution: Execution,
    case: Case,
    reason: String,
    text: String,
    entry: AuditId,
    now: BusinessTime,
    at: i64,
}

impl Engine {
    /// Looks at an object that an event is about; acts only on a refund of ours that was done and has failed.
    pub(crate) async fn notice_reversal(&self, lane: &str, object: &Value) -> Result<()> {
        let Some((id, refund)) = failed_refund(object) else { return Ok(()) };
        let keyring = self.inner.store.keyring().clone();
        let mut db = self.inner.store.read().await?;
        let Some(proposal) = proposals::get(&mut db, &keyring, &id).await? else { return Ok(()) };
        let Some(execution) = executions::of_proposal(&mut db, &keyring, &id).await? else { return Ok(()) };
        if proposal.state != ProposalState::Done || !is_ours(lane, &proposal, &execution, &refund) {
            return Ok(());
        }
        let Some(case) = cases::get(&mut db, &keyring, &proposal.case).await? else { return Ok(()) };
        drop(db);
        let reason = refund.failure_reason.as_ref().map_or("unknown", |reason| reason.as_str()).to_owned();
        let headline = cards::headline(&proposal.content.action, case.details.customer_name.as_deref());
        let text =
            format!("{headline}: failed after it was done ({reason}); the customer has not got the money");
        let reversal = Reversal {
            proposal,
            execution,
            case,
            reason,
            text: text.clone(),
            entry: self.audit_id(),
            now: self.inner.clocks.business(),
            at: self.inner.clocks.machine().micros(),
        };
        let called = self
            .inner
            .store
            .write(move |tx| async move { reversal.write(tx, &keyring).await }.boxed())
            .await
            .map_err(store_error)?;
        metrics::counter!("bursar_actions_reversed_total").increment(1);
        self.tell("execution", lane, (Some(called.id.as_str()), None), text);
        Ok(())
    }
}

impl Reversal {
    /// Answers the case in which a person is called.
    async fn write(self, tx: &mut Tx, keyring: &Keyring) -> bursar_store::Result<Case> {
        let (id, lane) = (&self.proposal.id, &self.proposal.lane);
        // Said once: only what was done can be reversed.
        let (done, reversed) = (ProposalState::Done, ProposalState::Reversed);
        proposals::advance(tx, id, done, reversed, self.now, Some(&self.reason)).await?;
        budget::give_back(tx, lane, &self.execution.intent.id).await?;
        let times = (self.now, self.at);
        let called = call_person(tx, keyring, &self.case.id, times).await?;
        let line =
            json!({"verb": "refund.create", "state": "reversed", "code": self.reason, "why": self.text});
        note(tx, keyring, &self.case, "execution", &Actor::Engine, line.clone(), times).await?;
        if called.id != self.case.id {
            note(tx, keyring, &called, "execution", &Actor::Engine, line, times).await?;
        }
        let record = Record {
            id: self.entry,
            at: self.at,
            kind: "execution.reversed",
            lane: Some(lane.clone()),
            actor: Some("engine".to_owned()),
            data: json!({"proposal": id.as_str(), "reason": self.reason}),
            commits: vec![audit::commitment(tx, Table::ProposalEnds, id.as_str()).await?],
        };
        audit::append(tx, record).await?;
        Ok(called)
    }
}

/// A refund that failed, and the proposal that its metadata names. Anybody with a key may write metadata: that it is ours
/// is not said by that.
fn failed_refund(object: &Value) -> Option<(ProposalId, Refund)> {
    if object.get("object")? != REFUND {
        return None;
    }
    let refund = Refund::from_value(object).ok()?;
    if !matches!(refund.status, Some(RefundStatus::Failed | RefundStatus::Canceled)) {
        return None;
    }
    let id = refund.metadata.get("bursar_action")?.parse().ok()?;
    Some((id, refund))
}

/// The very refund that the execution made: in its lane, of its charge, under the id on its receipt.
fn is_ours(lane: &str, proposal: &Proposal, execution: &Execution, refund: &Refund) -> bool {
    let Action::RefundCharge { charge, amount, .. } = &proposal.content.action else { return false };
    if proposal.lane != lane || refund.charge.as_ref() != Some(charge) {
        return false;
    }
    let Some(receipt) = &execution.receipt else { return false };
    match receipt.object.as_deref() {
        Some(object) => object == refund.id.as_str(),
        // A person who settled it by hand may not have known the id.
        None => receipt.known_by == BY_A_PERSON && refund.amount == *amount,
    }
}
