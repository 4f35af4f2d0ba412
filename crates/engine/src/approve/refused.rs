//! Votes that were not counted. Who tried to decide what was not theirs to decide stands in the audit beside those who
//! might.

use bursar_domain::actor::Actor;
use bursar_domain::approval::Choice;
use bursar_domain::id::ApprovalId;
use bursar_store::approvals;
use bursar_store::audit::{self, Record};
use futures_util::FutureExt as _;
use serde_json::json;

use crate::start::{Engine, store_error};
use crate::{Error, Result};

/// An attempt to vote.
#[derive(Clone, Debug)]
pub struct RefusedVote {
    pub approval: ApprovalId,
    pub actor: Actor,
    pub choice: Choice,
    /// `console`, `api`, `cli`.
    pub method: String,
    /// A stable code.
    pub why: &'static str,
}

impl Engine {
    /// Records an attempt. Nothing else changes.
    pub async fn record_refused_vote(&self, vote: RefusedVote) -> Result<()> {
        let approval = approvals::get(&mut self.inner.store.read().await?, &vote.approval).await?;
        let approval = approval.ok_or_else(|| Error::not_found("approval", vote.approval.as_str()))?;
        let record = Record {
            id: self.audit_id(),
            at: self.inner.clocks.machine().micros(),
            kind: "vote.refused",
            lane: Some(approval.lane),
            actor: Some(vote.actor.key()),
            data: json!({"approval": approval.id.as_str(), "proposal": approval.proposal.as_str(),
                "choice": vote.choice.as_str(), "method": vote.method, "why": vote.why}),
            commits: Vec::new(),
        };
        self.inner
            .store
            .write(move |tx| async move { audit::append(tx, record).await }.boxed())
            .await
            .map_err(store_error)
    }
}
