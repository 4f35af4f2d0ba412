//! What people and their scripts ask for goes the way of every proposal: resolved, judged, filed. Refunds, and links to
//! the customer portal.

pub(crate) mod portal;
mod refund;

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::case::CaseState;
use bursar_domain::id::{ApprovalId, CaseId};
use bursar_domain::known::Known;
use bursar_domain::proposal::Rationale;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::Ruling;
use bursar_store::cases::{self, Case, Details};
use bursar_store::fail_point::FailPoint;
use bursar_store::proposals::{self, Proposal};
use bursar_store::request_keys::{self, RequestKey};
use bursar_store::seal::{Keyring, NO_SUBJECT};
use bursar_store::{Db, Tx, approvals};
use bursar_stripe::object::Customer;
use futures_util::FutureExt as _;

pub use portal::{PortalOpened, PortalRequest};
pub use refund::{RefundRequest, Submitted};

use crate::budget::Budget;
use crate::govern::{self, Motion};
use crate::lanes::Open;
use crate::mirror::Gathered;
use crate::propose::{self, Draft, Filing};
use crate::start::{Engine, store_error};
use crate::{Error, Result, approve, cards, facts};

/// An action that somebody wants, with everything read that its facts need.
struct Wish {
    actor: Actor,
    roles: Vec<Role>,
    /// What the request is known by to whoever sent it, where they said so.
    key: Option<RequestKey>,
    open: Open,
    action: Action,
    rationale: Rationale,
    /// What the case is called in the books.
    class: &'static str,
    known: Known,
    customer: Option<String>,
}

/// What came of it.
struct Filed {
    proposal: Proposal,
    approval: Option<ApprovalId>,
    /// The same was already asked for and is not settled, or under the same key: this is that one.
    repeated: bool,
}

impl Engine {
    /// Judges and files a wish, or finds the same one not settled yet: a framework's retry is no second wish. The key of
    /// the request is bound to the proposal in the commit that files it, so that whoever never heard the answer and asks
    /// again under it is told of that proposal, whatever became of it meanwhile.
    async fn file_wish(&self, wish: Wish, gathered: Gathered) -> Result<Filed> {
        let lane = wish.open.lane.to_string();
        let keyring = self.inner.store.keyring().clone();
        self.pass(FailPoint::WishRead).await?;
        let mut db = self.inner.store.read().await?;
        let existing = cases::open_of(&mut db, &keyring, &lane, &wish.known.key).await?;
        if let Some(case) = &existing
            && let Some(same) = same_unsettled(&mut db, &keyring, &case.id, &wish).await?
        {
            drop(db);
            self.bind(wish.key, &same.proposal).await?;
            return Ok(same);
        }
        drop(db);
        let case_id = existing
            .as_ref()
            .map_or_else(|| CaseId::from_entropy(self.inner.entropy.id()), |case| case.id.clone());
        let filing = self.judge_wish(&wish, &case_id).await?;
        self.pass(FailPoint::WishJudged).await?;
        let (at, now) = (self.inner.clocks.machine().micros(), wish.known.now);
        let written = filing.clone();
        let headline = self
            .inner
            .store
            .write(move |tx| {
                async move {
                    refuse_twin(tx, &keyring, &case_id, &wish).await?;
                    if let Some(key) = &wish.key {
                        request_keys::reserve(tx, key, &written.proposal.id, at).await?;
                    }
                    // Read here: what was read before the judgement may have moved on.
                    let before = cases::get(tx, &keyring, &case_id).await?;
                    let case = wish.case(before.as_ref(), &case_id, &written);
                    gathered.save(tx, &keyring, at).await?;
                    cases::save(tx, &keyring, &case, at).await?;
                    tx.pass(FailPoint::WishCase).await?;
                    let line = cards::timeline_line(&written.proposal, written.approval.as_ref());
                    approve::note(tx, &keyring, &case, "proposal", &wish.actor, line, (now, at)).await?;
                    propose::file(tx, &keyring, &written).await?;
                    tx.pass(FailPoint::WishFiled).await?;
                    Ok(case.details.title)
                }
                .boxed()
            })
            .await
            .map_err(store_error)?;
        self.pass(FailPoint::WishKept).await?;
        self.announce(&filing, &headline);
        let approval = filing.approval.map(|approval| approval.id);
        Ok(Filed { proposal: filing.proposal, approval, repeated: false })
    }

    /// Binds a key to a proposal that was there before.
    async fn bind(&self, key: Option<RequestKey>, proposal: &Proposal) -> Result<()> {
        let Some(key) = key else { return Ok(()) };
        let (id, at) = (proposal.id.clone(), self.inner.clocks.machine().micros());
        self.inner
            .store
            .write(move |tx| async move { request_keys::reserve(tx, &key, &id, at).await }.boxed())
            .await
            .map_err(store_error)
    }

    /// What was filed under a key before, as it stands now.
    async fn filed_under(&self, key: &RequestKey) -> Result<Option<Filed>> {
        let mut db = self.inner.store.read().await?;
        let Some(kept) = request_keys::get(&mut db, key).await? else { return Ok(None) };
        if kept.request_hash != key.request_hash {
            let message = "this key was first used with a different request; nothing was done".to_owned();
            return Err(Error::Conflict { code: "idempotency_error", message });
        }
        let Some(id) = kept.proposal else { return Ok(None) };
        let proposal = proposals::get(&mut db, self.inner.store.keyring(), &id).await?;
        let mut proposal = proposal.ok_or_else(|| Error::not_found("proposal", id.as_str()))?;
        // Asked for again since: that one is the answer.
        while let Some(next) = proposals::successor(&mut db, self.inner.store.keyring(), &proposal).await? {
            proposal = next;
        }
        let approval = approvals::of_proposal(&mut db, &proposal.id).await?.map(|approval| approval.id);
        Ok(Some(Filed { proposal, approval, repeated: true }))
    }

    async fn judge_wish(&self, wish: &Wish, case: &CaseId) -> Result<Filing> {
        let (lane, now, home) = (&wish.open.lane, wish.known.now, &self.inner.settings.home);
        let mut facts = facts::build(&wish.action, &wish.known, None, home);
        let mut db = self.inner.store.read().await?;
        let budget =
            Budget { settings: &self.inner.settings, lane: &lane.to_string(), action: &wish.action, at: now };
        budget.add_spent(&mut db, &mut facts).await?;
        let motion =
            Motion { actor: &wish.actor, roles: &wish.roles, lane, action: &wish.action, facts: &facts };
        let judged =
            govern::judge(&mut db, &self.policy(), motion, &self.standing(&lane.to_string())).await?;
        let draft = Draft {
            rationale: wish.rationale.clone(),
            action: wish.action.clone(),
            facts,
            actor: wish.actor.clone(),
            roles: wish.roles.clone(),
            judged,
            decision: None,
            customer: wish.customer.clone(),
            subject: wish.subject(),
            supersedes: None,
        };
        self.prepare(lane, case, draft, now)
    }

    /// The lane that was named, or the only one there is.
    fn lane_said(&self, lane: Option<&str>) -> Result<Option<Open>> {
        if let Some(lane) = lane {
            return self.inner.lanes.require(lane).map(Some);
        }
        let mut all = self.inner.lanes.all();
        Ok(if all.len() == 1 { all.pop() } else { None })
    }
}

impl Wish {
    fn subject(&self) -> String {
        self.customer.clone().unwrap_or_else(|| NO_SUBJECT.to_owned())
    }

    /// Whether a proposal is this wish, and not settled. A link to the portal is handed to whoever asked: one that others
    /// asked for is another, and one in doubt went to nobody.
    fn is(&self, other: &Proposal) -> bool {
        let stands = match self.action {
            Action::CreatePortalSession { .. } => {
                other.state.is_open() && other.actor.key() == self.actor.key()
            }
            _ => other.state.is_unsettled(),
        };
        stands && other.content.action == self.action
    }

    fn customer_name(&self) -> Option<String> {
        let value = self.known.object("customer", self.customer.as_deref()?)?;
        Customer::from_value(value).ok()?.name
    }

    /// The case it belongs to: opened, or moved on by this wish.
    fn case(&self, existing: Option<&Case>, id: &CaseId, filing: &Filing) -> Case {
        let (now, ruling) = (self.known.now, filing.proposal.verdict.ruling);
        let state = match (ruling, existing) {
            (Ruling::Ask, _) => CaseState::NeedsPerson,
            (Ruling::Allow, Some(case)) if case.state == CaseState::NeedsPerson => CaseState::NeedsPerson,
            (Ruling::Allow, _) => CaseState::Open,
            (Ruling::Deny | Ruling::Observe, Some(case)) => case.state.clone(),
            (Ruling::Deny | Ruling::Observe, None) => {
                CaseState::Closed { outcome: ruling.as_str().to_owned(), at: now }
            }
        };
        let name = self.customer_name();
        Case {
            id: id.clone(),
            lane: self.open.lane.to_string(),
            key: self.known.key.clone(),
            customer: self.customer.clone(),
            state,
            class: Some(self.class.to_owned()),
            // What is denied changes nothing about what is open.
            amount: match (ruling, existing) {
                (Ruling::Deny | Ruling::Observe, Some(case)) => case.amount,
                _ => self.action.amount(),
            },
            due_at: filing
                .proposal
                .expires_at
                .map(BusinessTime::micros)
                .or_else(|| existing.and_then(|case| case.due_at)),
            opened_at: existing.map_or(now.micros(), |case| case.opened_at),
            updated_at: now.micros(),
            subject: self.subject(),
            details: match (ruling, existing) {
                (Ruling::Deny | Ruling::Observe, Some(case)) => case.details.clone(),
                _ => Details { title: cards::headline(&self.action, name.as_deref()), customer_name: name },
            },
        }
    }
}

/// The same wish, not settled yet in its case.
async fn same_unsettled(db: &mut Db, keyring: &Keyring, case: &CaseId, wish: &Wish) -> Result<Option<Filed>> {
    let known = proposals::of_case(db, keyring, case).await?;
    let Some(proposal) = known.into_iter().find(|proposal| wish.is(proposal)) else { return Ok(None) };
    let approval = approvals::of_proposal(db, &proposal.id).await?.map(|approval| approval.id);
    Ok(Some(Filed { proposal, approval, repeated: true }))
}

/// The same was filed since we looked: a second click, a framework's retry.
async fn refuse_twin(tx: &mut Tx, keyring: &Keyring, case: &CaseId, wish: &Wish) -> bursar_store::Result<()> {
    match proposals::of_case(tx, keyring, case).await? {
        known if known.iter().any(|other| wish.is(other)) => {
            Err(bursar_store::Error::Conflict("the same is already asked for".to_owned()))
        }
        _ => Ok(()),
    }
}
