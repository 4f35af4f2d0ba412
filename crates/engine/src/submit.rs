//! What people and their scripts ask for goes the way of every proposal: resolved, judged, filed. Today: refunds.

use bursar_domain::action::{Action, RefundReason};
use bursar_domain::actor::Actor;
use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::facts::FactName;
use bursar_domain::id::{ApprovalId, CaseId, ProposalId};
use bursar_domain::known::{Known, Read};
use bursar_domain::proposal::{ProposalState, Rationale};
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::{Ruling, Verdict};
use bursar_store::cases::{self, Case, Details};
use bursar_store::seal::{Keyring, NO_SUBJECT};
use bursar_store::{Tx, approvals, proposals};
use bursar_stripe::id::ChargeId;
use bursar_stripe::money::Money;
use bursar_stripe::object::{Charge, Customer};
use futures_util::FutureExt as _;
use serde_json::json;

use crate::govern::{self, Motion};
use crate::lanes::Open;
use crate::mirror::{Freshness, Gathered};
use crate::propose::{self, Draft, Filing};
use crate::reads::{Reader, required};
use crate::start::{Engine, store_error};
use crate::stripe_api::Class;
use crate::{Error, Result, approve, cards, facts};

/// A wish for a refund, as it was spoken.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    pub charge: String,
    /// Minor units of the charge's currency; everything that can be refunded when not given.
    pub amount: Option<i64>,
    /// One of Stripe's reasons, or words of whoever asks.
    pub reason: String,
    /// The account and mode, where more than one has such a charge.
    pub lane: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Submitted {
    pub proposal: ProposalId,
    pub case: CaseId,
    pub approval: Option<ApprovalId>,
    pub state: ProposalState,
    pub amount: Money,
    /// What was left of the charge.
    pub refundable: Money,
    pub charge: ChargeId,
    pub verdict: Verdict,
    /// The same was already asked for and is still open: this is that one.
    pub repeated: bool,
}

/// Words of people are cut here before anything keeps them.
const REASON_CHARS_MAX: usize = 500;

impl Engine {
    /// Files a refund request. Denials are filed too; nothing is sent before the gate has said yes.
    pub async fn request_refund(&self, actor: Actor, roles: Vec<Role>, request: RefundRequest) -> Result<Submitted> {
        let first = self.try_refund(actor.clone(), roles.clone(), request.clone()).await;
        match first {
            // The same was filed at the same moment: the second look finds it.
            Err(Error::Store(bursar_store::Error::Conflict(_))) => self.try_refund(actor, roles, request).await,
            other => other,
        }
    }

    async fn try_refund(&self, actor: Actor, roles: Vec<Role>, request: RefundRequest) -> Result<Submitted> {
        let id = ChargeId::parse(&request.charge)
            .map_err(|_| Error::invalid("charge", "charge must be the id of a charge (ch_… or py_…)"))?;
        let open = self.lane_with_charge(&id, request.lane.as_deref()).await?;
        let now = self.inner.clocks.business();
        let key = CaseKey {
            playbook: "refunds".to_owned(),
            object_kind: "charge".to_owned(),
            object_id: id.as_str().to_owned(),
        };
        let mut reader = Reader {
            engine: self,
            open: &open,
            case: None,
            freshness: Freshness::Now,
            gathered: Gathered::default(),
        };
        let mut known = Known::new(key, now, "request");
        reader.settle(&mut known, |_| vec![Read::object("charge", id.as_str())]).await?;
        let charge = Charge::from_value(required(&known, "charge", id.as_str())?)
            .map_err(|error| Error::invalid("charge", format!("{} cannot be understood: {error}", id.as_str())))?;
        let action = refund_action(&charge, &request)?;
        if let Some(customer) = &charge.customer {
            let customer = customer.as_str().to_owned();
            reader.settle(&mut known, |_| vec![Read::object("customer", customer.clone())]).await?;
        }
        reader.settle(&mut known, |known| facts::reads(&action, known)).await?;
        let wanted = Wanted { actor, roles, open: &open, charge, action, reason: request.reason, known };
        self.file_refund(wanted, reader.gathered).await
    }

    async fn file_refund(&self, wanted: Wanted<'_>, gathered: Gathered) -> Result<Submitted> {
        let lane = wanted.open.lane.to_string();
        let keyring = self.inner.store.keyring().clone();
        let mut db = self.inner.store.read().await?;
        let existing = cases::open_of(&mut db, &keyring, &lane, &wanted.known.key).await?;
        if let Some(case) = &existing
            && let Some(same) = self.same_open(&mut db, case, &wanted.action).await?
        {
            return Ok(same);
        }
        drop(db);
        let case_id = existing
            .as_ref()
            .map_or_else(|| CaseId::from_entropy(self.inner.entropy.id()), |case| case.id.clone());
        let filing = self.judge_refund(&wanted, &case_id).await?;
        let case = wanted.case(existing.as_ref(), &case_id, &filing);
        let headline = case.details.title.clone();
        let submitted = submitted(&filing, &wanted.charge);
        let at = self.inner.clocks.machine().micros();
        let (written, actor) = (filing.clone(), wanted.actor.clone());
        let now = wanted.known.now;
        self.inner
            .store
            .write(move |tx| {
                async move {
                    refuse_twin(tx, &keyring, &case_id, &written.proposal.content.action).await?;
                    gathered.save(tx, &keyring, at).await?;
                    cases::save(tx, &keyring, &case, at).await?;
                    let line = cards::timeline_line(&written.proposal, written.approval.as_ref());
                    approve::note(tx, &keyring, &case, "proposal", &actor, line, (now, at)).await?;
                    propose::file(tx, &keyring, &written).await
                }
                .boxed()
            })
            .await
            .map_err(store_error)?;
        self.announce(&filing, &headline);
        Ok(submitted)
    }

    async fn judge_refund(&self, wanted: &Wanted<'_>, case: &CaseId) -> Result<Filing> {
        let (lane, now) = (&wanted.open.lane, wanted.known.now);
        let home = &self.inner.settings.home;
        let mut facts = facts::build(&wanted.action, &wanted.known, None, home);
        let mut db = self.inner.store.read().await?;
        govern::add_spent_today(&mut db, &mut facts, &lane.to_string(), home, now).await?;
        let motion = Motion {
            actor: &wanted.actor,
            roles: &wanted.roles,
            lane,
            action: &wanted.action,
            facts: &facts,
        };
        let judged = govern::judge(&mut db, &self.policy(), motion, &self.standing(&lane.to_string())).await?;
        let draft = Draft {
            rationale: rationale(&wanted.charge, &wanted.action, &wanted.reason),
            action: wanted.action.clone(),
            facts,
            actor: wanted.actor.clone(),
            roles: wanted.roles.clone(),
            judged,
            decision: None,
            customer: wanted.customer(),
            subject: wanted.customer().unwrap_or_else(|| NO_SUBJECT.to_owned()),
        };
        self.prepare(lane, case, draft, now)
    }

    /// The same refund, asked for before and still open: a framework's retry is no second refund.
    async fn same_open(
        &self,
        db: &mut bursar_store::Db,
        case: &Case,
        action: &Action,
    ) -> Result<Option<Submitted>> {
        let keyring = self.inner.store.keyring();
        let known = proposals::of_case(db, keyring, &case.id).await?;
        let Some(same) =
            known.into_iter().find(|proposal| proposal.state.is_open() && proposal.content.action == *action)
        else {
            return Ok(None);
        };
        let Action::RefundCharge { charge, amount, .. } = &same.content.action else { return Ok(None) };
        let approval = approvals::of_proposal(db, &same.id).await?;
        Ok(Some(Submitted {
            proposal: same.id.clone(),
            case: case.id.clone(),
            approval: approval.map(|approval| approval.id),
            state: same.state,
            amount: *amount,
            refundable: same.content.facts.money(FactName::Refundable).unwrap_or(*amount),
            charge: charge.clone(),
            verdict: same.verdict.clone(),
            repeated: true,
        }))
    }

    /// The lane that has this charge.
    async fn lane_with_charge(&self, id: &ChargeId, lane: Option<&str>) -> Result<Open> {
        if let Some(lane) = lane {
            return self.inner.lanes.require(lane);
        }
        let mut lanes = self.inner.lanes.all();
        if lanes.len() == 1
            && let Some(only) = lanes.pop()
        {
            return Ok(only);
        }
        for open in lanes {
            if open.client.object("charge", id.as_str(), Class::Interactive).await?.is_some() {
                return Ok(open);
            }
        }
        Err(Error::not_found("charge", id.as_str()))
    }
}

/// A refund as it is wanted, resolved.
struct Wanted<'a> {
    actor: Actor,
    roles: Vec<Role>,
    open: &'a Open,
    charge: Charge,
    action: Action,
    reason: String,
    known: Known,
}

impl Wanted<'_> {
    fn customer(&self) -> Option<String> {
        self.charge.customer.as_ref().map(|id| id.as_str().to_owned())
    }

    fn customer_name(&self) -> Option<String> {
        let value = self.known.object("customer", &self.customer()?)?;
        Customer::from_value(value).ok()?.name
    }

    /// The case of the charge: opened, or moved on by this request.
    fn case(&self, existing: Option<&Case>, id: &CaseId, filing: &Filing) -> Case {
        let (now, ruling) = (self.known.now, filing.proposal.verdict.ruling);
        let state = match (ruling, existing) {
            (Ruling::Ask, _) => CaseState::NeedsPerson,
            (Ruling::Allow, _) => CaseState::Open,
            (Ruling::Deny | Ruling::Observe, Some(case)) => case.state.clone(),
            (Ruling::Deny | Ruling::Observe, None) => {
                CaseState::Closed { outcome: format!("refund {}", ruling.as_str()), at: now }
            }
        };
        let name = self.customer_name();
        Case {
            id: id.clone(),
            lane: self.open.lane.to_string(),
            key: self.known.key.clone(),
            customer: self.customer(),
            state,
            class: Some("refund_request".to_owned()),
            amount: self.action.amount(),
            due_at: filing.proposal.expires_at.map(BusinessTime::micros),
            opened_at: existing.map_or(now.micros(), |case| case.opened_at),
            updated_at: now.micros(),
            subject: self.customer().unwrap_or_else(|| NO_SUBJECT.to_owned()),
            details: Details { title: cards::headline(&self.action, name.as_deref()), customer_name: name },
        }
    }
}

fn submitted(filing: &Filing, charge: &Charge) -> Submitted {
    let proposal = &filing.proposal;
    Submitted {
        proposal: proposal.id.clone(),
        case: proposal.case.clone(),
        approval: filing.approval.as_ref().map(|approval| approval.id.clone()),
        state: proposal.state,
        amount: proposal.content.action.amount().unwrap_or_else(|| Money::zero(charge.currency)),
        refundable: charge.refundable(),
        charge: charge.id.clone(),
        verdict: proposal.verdict.clone(),
        repeated: false,
    }
}

/// The same was filed since we looked: a second click, a framework's retry.
async fn refuse_twin(tx: &mut Tx, keyring: &Keyring, case: &CaseId, action: &Action) -> bursar_store::Result<()> {
    let known = proposals::of_case(tx, keyring, case).await?;
    if known.iter().any(|other| other.state.is_open() && other.content.action == *action) {
        return Err(bursar_store::Error::Conflict("the same refund is already asked for".to_owned()));
    }
    Ok(())
}

/// Resolves what was left out, and refuses what cannot be meant.
fn refund_action(charge: &Charge, request: &RefundRequest) -> Result<Action> {
    let refundable = charge.refundable();
    let amount = Money::new(request.amount.unwrap_or(refundable.amount), charge.currency);
    if request.amount.is_none() && refundable.amount <= 0 {
        return Err(Error::invalid(
            "charge",
            format!("nothing of {} is left to refund; nothing was sent", charge.id.as_str()),
        ));
    }
    if amount.amount <= 0 {
        return Err(Error::invalid("amount", "amount must be more than zero; nothing was sent"));
    }
    amount.check_quantum().map_err(|error| Error::invalid("amount", format!("{error}; nothing was sent")))?;
    let reason = RefundReason::parse(&request.reason).unwrap_or(RefundReason::RequestedByCustomer);
    Ok(Action::RefundCharge { charge: charge.id.clone(), amount, reason })
}

fn rationale(charge: &Charge, action: &Action, reason: &str) -> Rationale {
    let asked = action.amount().map(|amount| amount.to_string()).unwrap_or_default();
    Rationale {
        reason: format!("Somebody asked for a refund of {asked}."),
        evidence: vec![
            format!("{} paid {}", charge.id.as_str(), charge.amount_captured),
            format!("refundable now {}", charge.refundable()),
        ],
        claimed: Some(reason.chars().take(REASON_CHARS_MAX).collect::<String>()).filter(|text| !text.trim().is_empty()),
    }
}

impl Submitted {
    /// One word for scripts.
    pub fn status(&self) -> &'static str {
        match self.state {
            ProposalState::Asking => "pending_approval",
            ProposalState::Approved => "approved",
            ProposalState::Denied => "denied",
            ProposalState::Observed => "observed",
            other => other.as_str(),
        }
    }

    /// Whether more was asked for than is there.
    pub fn is_over_refund(&self) -> bool {
        self.amount.amount > self.refundable.amount
    }

    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "object": "refund_request",
            "id": self.proposal.as_str(),
            "status": self.status(),
            "charge": self.charge.as_str(),
            "amount": self.amount.amount,
            "currency": self.amount.currency.as_str(),
            "case": self.case.as_str(),
            "approval": self.approval.as_ref().map(ApprovalId::as_str),
            "repeated": self.repeated,
            "verdict": self.verdict,
        })
    }
}
