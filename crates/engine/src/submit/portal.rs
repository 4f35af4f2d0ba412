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
use bursar_domain::time::MachineTime;
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

/// Addresses between Stripe's answer and whoever asked. In memory only, and not for long.
#[derive(Default)]
pub(crate) struct Handover(Mutex<HashMap<ProposalId, Waiting>>);

/// An address that nobody fetched yet.
struct Waiting {
    url: SecretString,
    /// Whose it is: nobody else may sign in as the customer because of it.
    owner: String,
    until: MachineTime,
}

/// Stripe's own lifetime of a link is short; nobody waits longer for one.
const LIFETIME: Duration = Duration::from_mins(5);
const HANDOVERS_MAX: usize = 100;
/// How often what nobody fetched is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(10);
const REASON_CHARS_MAX: usize = 500;
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Handover {
    /// Keeps it for the one who asked. Where there are too many, the one that ends first goes.
    pub(crate) fn put(&self, (proposal, owner): (&ProposalId, &Actor), url: &str, now: MachineTime) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= HANDOVERS_MAX {
            let first = waiting.iter().min_by_key(|(_, held)| held.until).map(|(id, _)| id.clone());
            if let Some(first) = first {
                waiting.remove(&first);
            }
        }
        let until = now.plus(LIFETIME);
        waiting.insert(proposal.clone(), Waiting { url: url.to_owned().into(), owner: owner.key(), until });
    }

    /// For its owner and in time, once. Others leave it where it is.
    fn take(&self, proposal: &ProposalId, owner: &Actor, now: MachineTime) -> Option<SecretString> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = waiting.get(proposal)?;
        if held.owner != owner.key() || held.until <= now {
            return None;
        }
        waiting.remove(proposal).map(|held| held.url)
    }

    fn forget(&self, now: MachineTime) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, held| held.until > now);
    }
}

/// Forgets what nobody fetched, until the engine stops.
pub(crate) async fn forget_links(engine: Engine) {
    let mut stopping = engine.stopping();
    loop {
        engine.inner.handover.forget(engine.inner.clocks.machine());
        tokio::select! {
            () = tokio::time::sleep(FORGET_EVERY) => {}
            _ = stopping.changed() => return,
        }
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
        match self.try_portal(actor.clone(), roles.clone(), &request).await {
            // Somebody else asked for this customer at the same moment: the second look finds their case.
            Err(Error::Store(bursar_store::Error::Conflict(_))) => {
                self.try_portal(actor, roles, &request).await
            }
            other => other,
        }
    }

    async fn try_portal(
        &self,
        actor: Actor,
        roles: Vec<Role>,
        request: &PortalRequest,
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
            actor: actor.clone(),
            roles,
            key: None,
            open: open.clone(),
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
        let url = if proposal.state == ProposalState::Approved {
            self.wait_for(&proposal.id, &actor).await
        } else {
            None
        };
        Ok(PortalOpened {
            proposal: proposal.id,
            case: proposal.case,
            approval: filed.approval,
            state: proposal.state,
            verdict: proposal.verdict,
            url,
        })
    }

    /// The address of an approved session, once, and for the one who asked for it only.
    pub fn take_portal_url(&self, proposal: &ProposalId, owner: &Actor) -> Option<SecretString> {
        self.inner.handover.take(proposal, owner, self.inner.clocks.machine())
    }

    async fn wait_for(&self, proposal: &ProposalId, owner: &Actor) -> Option<SecretString> {
        let arrives = async {
            loop {
                if let Some(url) = self.take_portal_url(proposal, owner) {
                    return url;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, arrives).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use bursar_domain::id::PersonId;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn person(number: u8) -> Actor {
        Actor::Person { id: PersonId::from_entropy([number; 16]), name: format!("person {number}") }
    }

    fn id(number: u8) -> ProposalId {
        ProposalId::from_entropy([number; 16])
    }

    const NOW: MachineTime = MachineTime::from_unix_s(1_000);

    #[test]
    fn a_link_is_for_the_one_who_asked_once_and_for_minutes() {
        let handover = Handover::default();
        let take = |owner, now| handover.take(&id(1), &person(owner), now).is_some();
        handover.put((&id(1), &person(1)), "https://billing.example/1", NOW);
        assert!(!take(2, NOW), "not for others");
        assert!(take(1, NOW), "and theirs is still there");
        assert!(!take(1, NOW), "once");
        handover.put((&id(1), &person(1)), "https://billing.example/1", NOW);
        assert!(!take(1, NOW.plus(LIFETIME)), "not for ever");
        handover.forget(NOW.plus(LIFETIME));
        assert!(handover.0.lock().unwrap().is_empty(), "and not kept");
    }

    #[test]
    fn where_there_are_too_many_the_one_that_ends_first_goes() {
        let handover = Handover::default();
        for number in 0..=100 {
            let later = Duration::from_secs(u64::from(number));
            handover.put(
                (&id(number), &person(1)),
                &format!("https://billing.example/{number}"),
                NOW.plus(later),
            );
        }
        let take = |number| handover.take(&id(number), &person(1), NOW.plus(Duration::from_secs(100)));
        assert!(take(0).is_none());
        assert_eq!(take(1).unwrap().expose_secret(), "https://billing.example/1");
        assert_eq!(take(100).unwrap().expose_secret(), "https://billing.example/100");
    }
}
