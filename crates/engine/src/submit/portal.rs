//! A link to Stripe's customer portal, asked for by somebody who helps a customer. It signs its holder in, so it is
//! governed like everything else, handed over once, and kept nowhere.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::case::CaseKey;
use bursar_domain::id::{ApprovalId, CaseId, ProposalId};
use bursar_domain::known::{Known, Read};
use bursar_domain::proposal::{ProposalState, Rationale};
use bursar_domain::role::Role;
use bursar_domain::verdict::Verdict;
use bursar_stripe::id::CustomerId;
use secrecy::SecretString;

use super::Wish;
use crate::mirror::{Freshness, Gathered};
use crate::reads::{Reader, required};
use crate::start::Engine;
use crate::{Error, Result};

#[derive(Clone, Debug)]
pub struct PortalRequest {
    pub customer: String,
    pub reason: String,
    pub lane: Option<String>,
}

/// What came of it. The address is there once, and only where policy allowed it at once.
#[derive(Clone, Debug)]
pub struct PortalOpened {
    pub proposal: ProposalId,
    pub case: CaseId,
    pub approval: Option<ApprovalId>,
    pub state: ProposalState,
    pub verdict: Verdict,
    pub url: Option<SecretString>,
}

/// Addresses between Stripe's answer and whoever asked. In memory only.
#[derive(Default)]
pub(crate) struct Handover(Mutex<HashMap<ProposalId, SecretString>>);

/// Stripe's own lifetime of a link is short; nobody waits longer for one.
const HANDOVERS_MAX: usize = 100;
const PATIENCE: Duration = Duration::from_secs(10);
const REASON_CHARS_MAX: usize = 500;
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Handover {
    pub(crate) fn put(&self, proposal: &ProposalId, url: &str) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= HANDOVERS_MAX {
            waiting.clear();
        }
        waiting.insert(proposal.clone(), url.to_owned().into());
    }

    fn take(&self, proposal: &ProposalId) -> Option<SecretString> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(proposal)
    }
}

impl Engine {
    /// Asks for a link and, where policy allows it at once, waits a moment for it.
    pub async fn open_portal(
        &self,
        actor: Actor,
        roles: Vec<Role>,
        request: PortalRequest,
    ) -> Result<PortalOpened> {
        let customer = CustomerId::parse(&request.customer)
            .map_err(|_| Error::invalid("customer", "customer must be the id of a customer (cus_…)"))?;
        let open = self.lane_said(request.lane.as_deref())?;
        let open =
            open.ok_or_else(|| Error::invalid("lane", "there is more than one account: say which lane"))?;
        let key = CaseKey {
            playbook: "access".to_owned(),
            object_kind: "customer".to_owned(),
            object_id: customer.as_str().to_owned(),
        };
        let mut reader = Reader {
            engine: self,
            open: &open,
            case: None,
            freshness: Freshness::Now,
            gathered: Gathered::default(),
        };
        let mut known = Known::new(key, self.inner.clocks.business(), "request");
        reader.settle(&mut known, |_| vec![Read::object("customer", customer.as_str())]).await?;
        required(&known, "customer", customer.as_str())?;
        let wish = Wish {
            actor,
            roles,
            open: &open,
            action: Action::CreatePortalSession { customer: customer.clone() },
            rationale: Rationale {
                reason: "Somebody helps a customer to change their own billing.".to_owned(),
                evidence: vec![customer.as_str().to_owned()],
                claimed: Some(request.reason.chars().take(REASON_CHARS_MAX).collect()),
            },
            class: "portal_request",
            known,
            customer: Some(customer.as_str().to_owned()),
        };
        let filed = self.file_wish(wish, reader.gathered).await?;
        let proposal = filed.proposal;
        let url =
            if proposal.state == ProposalState::Approved { self.wait_for(&proposal.id).await } else { None };
        Ok(PortalOpened {
            proposal: proposal.id,
            case: proposal.case,
            approval: filed.approval,
            state: proposal.state,
            verdict: proposal.verdict,
            url,
        })
    }

    /// The address of an approved session, once.
    pub fn take_portal_url(&self, proposal: &ProposalId) -> Option<SecretString> {
        self.inner.handover.take(proposal)
    }

    async fn wait_for(&self, proposal: &ProposalId) -> Option<SecretString> {
        let arrives = async {
            loop {
                if let Some(url) = self.inner.handover.take(proposal) {
                    return url;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, arrives).await.ok()
    }
}
