//! Refund requests.

use bursar_domain::action::{Action, RefundReason};
use bursar_domain::actor::Actor;
use bursar_domain::case::CaseKey;
use bursar_domain::facts::FactName;
use bursar_domain::id::{ApprovalId, CaseId, ProposalId};
use bursar_domain::known::{Known, Read};
use bursar_domain::proposal::{ProposalState, Rationale};
use bursar_domain::role::Role;
use bursar_domain::verdict::Verdict;
use bursar_store::request_keys::RequestKey;
use bursar_stripe::id::ChargeId;
use bursar_stripe::money::Money;
use bursar_stripe::object::Charge;
use serde_json::json;

use super::{Filed, Wish};
use crate::execute::refundable_line;
use crate::lanes::Open;
use crate::mirror::{Freshness, Gathered};
use crate::reads::{Reader, required};
use crate::start::Engine;
use crate::stripe_api::Class;
use crate::{Error, Result, facts};

/// A wish for a refund, as it was spoken.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    pub charge: String,
    /// Minor units of the charge's currency; everything that can be refunded when not given.
    pub amount: Option<i64>,
    /// What the asker takes the charge's currency to be; another one is refused, never reinterpreted.
    pub currency: Option<String>,
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
    /// The same was already asked for and is not settled, or under the same key: this is that one.
    pub repeated: bool,
}

/// Who asks, and what they know their request by.
#[derive(Clone)]
struct Asker {
    actor: Actor,
    roles: Vec<Role>,
    key: Option<RequestKey>,
}

/// Words of people are cut here before anything keeps them.
const REASON_CHARS_MAX: usize = 500;

impl Engine {
    /// Files a refund request. Denials are filed too; nothing is sent before the gate has said yes.
    pub async fn request_refund(
        &self,
        actor: Actor,
        roles: Vec<Role>,
        request: RefundRequest,
    ) -> Result<Submitted> {
        self.ask_for_refund(Asker { actor, roles, key: None }, request).await
    }

    /// The same under a key of the asker's: asked again under it, also after a lost answer, it is that one.
    pub async fn request_refund_once(
        &self,
        actor: Actor,
        roles: Vec<Role>,
        key: RequestKey,
        request: RefundRequest,
    ) -> Result<Submitted> {
        self.ask_for_refund(Asker { actor, roles, key: Some(key) }, request).await
    }

    async fn ask_for_refund(&self, asker: Asker, request: RefundRequest) -> Result<Submitted> {
        match self.try_refund(asker.clone(), &request).await {
            // The same was filed at the same moment: the second look finds it.
            Err(Error::Store(bursar_store::Error::Conflict(_))) => self.try_refund(asker, &request).await,
            other => other,
        }
    }

    async fn try_refund(&self, asker: Asker, request: &RefundRequest) -> Result<Submitted> {
        if let Some(key) = &asker.key
            && let Some(filed) = self.filed_under(key).await?
        {
            return submitted(&filed);
        }
        let id = ChargeId::parse(&request.charge)
            .map_err(|_| Error::invalid("charge", "charge must be the id of a charge (ch_… or py_…)"))?;
        let open = self.lane_with_charge(&id, request.lane.as_deref()).await?;
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
        let mut known = Known::new(key, self.inner.clocks.business(), "request");
        reader.settle(&mut known, |_| vec![Read::object("charge", id.as_str())]).await?;
        let charge = Charge::from_value(required(&known, "charge", id.as_str())?).map_err(|error| {
            Error::invalid("charge", format!("{} cannot be understood: {error}", id.as_str()))
        })?;
        let action = refund_action(&charge, request)?;
        let customer = charge.customer.as_ref().map(|id| id.as_str().to_owned());
        if let Some(customer) = &customer {
            reader.settle(&mut known, |_| vec![Read::object("customer", customer.clone())]).await?;
        }
        reader.settle(&mut known, |known| facts::reads(&action, known)).await?;
        let wish = Wish {
            actor: asker.actor,
            roles: asker.roles,
            key: asker.key,
            open: open.clone(),
            rationale: rationale(&charge, &action, &request.reason),
            class: "refund_request",
            action,
            known,
            customer,
        };
        submitted(&self.file_wish(wish, reader.gathered).await?)
    }

    /// The lane that has this charge.
    async fn lane_with_charge(&self, id: &ChargeId, lane: Option<&str>) -> Result<Open> {
        if let Some(only) = self.lane_said(lane)? {
            return Ok(only);
        }
        // An account that does not answer hides no charge of another; but then nobody can say that there is none.
        let mut missing = Error::not_found("charge", id.as_str());
        for open in self.inner.lanes.all() {
            match open.client.object("charge", id.as_str(), Class::Interactive).await {
                Ok(Some(_)) => return Ok(open),
                Ok(None) => {}
                Err(error) => missing = error,
            }
        }
        Err(missing)
    }
}

fn submitted(filed: &Filed) -> Result<Submitted> {
    let proposal = &filed.proposal;
    let content = &proposal.content;
    let Action::RefundCharge { charge, amount, .. } = &content.action else {
        return Err(Error::Broken(format!("{} is no refund", proposal.id)));
    };
    Ok(Submitted {
        proposal: proposal.id.clone(),
        case: proposal.case.clone(),
        approval: filed.approval.clone(),
        state: proposal.state,
        amount: *amount,
        refundable: content.facts.money(FactName::Refundable).unwrap_or(*amount),
        charge: charge.clone(),
        verdict: proposal.verdict.clone(),
        repeated: filed.repeated,
    })
}

/// Resolves what was left out, and refuses what cannot be meant.
fn refund_action(charge: &Charge, request: &RefundRequest) -> Result<Action> {
    // It is what people decide by and what the books keep: a blank one is none.
    if request.reason.trim().is_empty() {
        return Err(Error::invalid("reason", "a refund needs a reason; nothing was sent"));
    }
    let refundable = charge.refundable();
    if request.currency.as_deref().is_some_and(|currency| currency != charge.currency.as_str()) {
        let message =
            format!("{} was paid in {}; nothing was sent", charge.id.as_str(), charge.currency.as_str());
        return Err(Error::invalid("currency", message));
    }
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
    let reason = RefundReason::parse(request.reason.trim()).unwrap_or(RefundReason::RequestedByCustomer);
    Ok(Action::RefundCharge { charge: charge.id.clone(), amount, reason })
}

fn rationale(charge: &Charge, action: &Action, reason: &str) -> Rationale {
    let asked = action.amount().map(|amount| amount.to_string()).unwrap_or_default();
    Rationale {
        reason: format!("Somebody asked for a refund of {asked}."),
        evidence: vec![
            format!("{} paid {}", charge.id.as_str(), charge.amount_captured),
            refundable_line(charge.refundable()),
        ],
        claimed: Some(reason.trim().chars().take(REASON_CHARS_MAX).collect::<String>())
            .filter(|text| !text.is_empty()),
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
