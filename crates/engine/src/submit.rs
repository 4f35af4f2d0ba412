//! What people and their scripts ask for goes the way of every proposal: resolved, judged, filed. Today: refunds.

use bursar_domain::action::{Action, RefundReason};
use bursar_domain::actor::Actor;
use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::facts::FactName;
use bursar_domain::id::{ApprovalId, CaseId, ProposalId};
use bursar_domain::known::{Known, Read};
use bursar_domain::proposal::{ProposalState, Rationale};
use bursar_domain::role::Role;
use bursar_domain::verdict::{Ruling, Verdict};
use bursar_store::cases::{self, Case, Details};
use bursar_store::seal::NO_SUBJECT;
use bursar_store::{approvals, proposals};
use bursar_stripe::id::ChargeId;
use bursar_stripe::money::Money;
use bursar_stripe::object::{Charge, Customer};
use futures_util::FutureExt as _;
use serde_json::json;

use crate::govern::{self, Motion};
use crate::lanes::Open;
use crate::mirror::{Freshness, Gathered};
use crate::propose::{self, Draft};
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
        let lane = open.lane.to_string();
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
        self.file_refund(actor, roles, &open, &lane, charge, action, request.reason, known, reader.gathered).await
    }

    #[expect(clippy::too_many_arguments, reason = "everything one commit holds, each of its own type")]
    async fn file_refund(
        &self,
        actor: Actor,
        roles: Vec<Role>,
        open: &Open,
        lane: &str,
        charge: Charge,
        action: Action,
        reason: String,
        known: Known,
        gathered: Gathered,
    ) -> Result<Submitted> {
        let now = known.now;
        let mut facts = facts::build(&action, &known, None, &self.inner.settings.home);
        let mut db = self.inner.store.read().await?;
        let keyring = self.inner.store.keyring().clone();
        let existing = cases::open_of(&mut db, &keyring, lane, &known.key).await?;
        if let Some(case) = &existing
            && let Some(same) = self.same_open(&mut db, case, &action).await?
        {
            return Ok(same);
        }
        govern::add_spent_today(&mut db, &mut facts, lane, &self.inner.settings.home, now).await?;
        let motion = Motion { actor: &actor, roles: &roles, lane: &open.lane, action: &action, facts: &facts };
        let judged = govern::judge(&mut db, &self.policy(), motion, &self.standing(lane)).await?;
        drop(db);
        let customer = charge.customer.as_ref().map(|id| id.as_str().to_owned());
        let subject = customer.clone().unwrap_or_else(|| NO_SUBJECT.to_owned());
        let name = customer
            .as_ref()
            .and_then(|id| known.object("customer", id))
            .and_then(|value| Customer::from_value(value).ok())
            .and_then(|customer| customer.name);
        let amount = action.amount().unwrap_or_else(|| Money::zero(charge.currency));
        let case_id = existing
            .as_ref()
            .map_or_else(|| CaseId::from_entropy(self.inner.entropy.id()), |case| case.id.clone());
        let draft = Draft {
            rationale: rationale(&charge, &action, &reason),
            action,
            facts,
            actor: actor.clone(),
            roles,
            judged,
            decision: None,
            customer: customer.clone(),
            subject: subject.clone(),
        };
        let filing = self.prepare(&open.lane, &case_id, draft, now)?;
        let verdict = filing.proposal.verdict.clone();
        let state = match verdict.ruling {
            Ruling::Ask => CaseState::NeedsPerson,
            Ruling::Allow => CaseState::Open,
            Ruling::Deny | Ruling::Observe if existing.is_none() => {
                CaseState::Closed { outcome: format!("refund {}", verdict.ruling.as_str()), at: now }
            }
            Ruling::Deny | Ruling::Observe => existing.as_ref().map_or(CaseState::Open, |case| case.state.clone()),
        };
        let headline = cards::headline(&filing.proposal.content.action, name.as_deref());
        let case = Case {
            id: case_id.clone(),
            lane: lane.to_owned(),
            key: known.key.clone(),
            customer,
            state,
            class: Some("refund_request".to_owned()),
            amount: Some(amount),
            due_at: filing.proposal.expires_at.map(bursar_domain::time::BusinessTime::micros),
            opened_at: existing.as_ref().map_or(now.micros(), |case| case.opened_at),
            updated_at: now.micros(),
            subject,
            details: Details { title: headline.clone(), customer_name: name },
        };
        let written = filing.clone();
        let at = self.inner.clocks.machine().micros();
        self.inner
            .store
            .write(move |tx| {
                async move {
                    // The same was filed since we looked: a second click, a framework's retry.
                    let known = proposals::of_case(tx, &keyring, &case.id).await?;
                    if known.iter().any(|other| other.state.is_open() && other.content.action == written.proposal.content.action) {
                        return Err(bursar_store::Error::Conflict("the same refund is already asked for".to_owned()));
                    }
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
        Ok(Submitted {
            proposal: filing.proposal.id.clone(),
            case: case_id,
            approval: filing.approval.as_ref().map(|approval| approval.id.clone()),
            state: filing.proposal.state,
            amount,
            refundable: charge.refundable(),
            charge: charge.id,
            verdict,
            repeated: false,
        })
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
