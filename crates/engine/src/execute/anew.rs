//! What was decided and no longer stands as it was decided is asked for once more, with what holds now: policy judges it
//! again, and people vote on what is true. All in the transaction that ends the former, so that a wish is neither lost nor
//! doubled. A playbook's proposal is not: its case is woken and decides anew.

use bursar_domain::actor::Actor;
use bursar_domain::case::CaseState;
use bursar_domain::facts::FactName;
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::Rationale;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::Ruling;
use bursar_store::cases::{self, Case};
use bursar_store::people::{self, Token};
use bursar_store::proposals::{self, Proposal};
use bursar_store::seal::Keyring;
use bursar_store::{Db, Tx};

use super::intent::Work;
use crate::approve::{note, settle_own_case};
use crate::govern::{self, Motion, parse_lane};
use crate::propose::{self, Draft, Filing};
use crate::{Result, cards};

/// How often one wish is asked for again. A world that changes more often is for a person to look at.
const AGAIN_MAX: usize = 8;

/// What follows on a proposal that ends because the world changed under it.
pub(super) enum Next {
    /// Nothing: whoever wanted it looks again by itself.
    Nothing,
    Filed(Box<Filing>),
    /// A person must ask again, or not.
    Person(&'static str),
}

impl Work {
    /// The same wish with what holds now, ready to be filed.
    pub(super) async fn anew(&self, tx: &mut Tx, keyring: &Keyring, case: &Case, why: &str) -> Result<Next> {
        let wanted = &self.proposal;
        if matches!(wanted.actor, Actor::Playbook { .. } | Actor::Engine) || case.state.is_closed() {
            return Ok(Next::Nothing);
        }
        if times_asked_again(&proposals::of_case(tx, keyring, &case.id).await?, wanted) >= AGAIN_MAX {
            return Ok(Next::Person("it kept changing, and is not asked for again by itself"));
        }
        let Some(roles) = roles_now(tx, wanted, self.at).await? else {
            return Ok(Next::Person("whoever asked may no longer ask, so it is not asked for again"));
        };
        let (lane, action) = (parse_lane(&wanted.lane)?, &wanted.content.action);
        let motion = Motion { actor: &wanted.actor, roles: &roles, lane: &lane, action, facts: &self.facts };
        let standing = self.engine.standing(&wanted.lane);
        let judged = govern::judge(tx, &self.engine.policy(), motion, &standing).await?;
        let draft = Draft {
            rationale: self.rationale(why),
            action: action.clone(),
            facts: self.facts.clone(),
            actor: wanted.actor.clone(),
            roles,
            judged,
            decision: None,
            customer: wanted.customer.clone(),
            subject: wanted.subject.clone(),
            supersedes: Some(wanted.id.clone()),
        };
        let mut filing = self.engine.prepare(&lane, &case.id, draft, self.now)?;
        // It keeps its place: behind others on the same target it would find that each of them changed it.
        for job in filing.jobs.iter_mut().filter(|job| job.kind == "execute") {
            job.due_at = self.job.due_at.saturating_sub(1);
        }
        Ok(Next::Filed(Box::new(filing)))
    }

    /// The claim stays word for word; what it rests on is read anew.
    fn rationale(&self, why: &str) -> Rationale {
        let before = &self.proposal.content.rationale;
        let mut evidence: Vec<String> = before.evidence.clone();
        if let Some(left) = self.facts.money(FactName::Refundable) {
            evidence.retain(|line| !line.starts_with(REFUNDABLE));
            evidence.push(refundable_line(left));
        }
        Rationale {
            reason: format!("Asked for again by itself: {why}."),
            evidence,
            claimed: before.claimed.clone(),
        }
    }

    /// Writes it, and moves the case on.
    pub(super) async fn file_anew(
        &self,
        tx: &mut Tx,
        keyring: &Keyring,
        mut case: Case,
        filing: &Filing,
    ) -> Result<()> {
        let (proposal, times) = (&filing.proposal, (self.now, self.at));
        propose::file(tx, keyring, filing).await?;
        let mut line = cards::timeline_line(proposal, filing.approval.as_ref());
        line["supersedes"] = self.proposal.id.as_str().into();
        note(tx, keyring, &case, "proposal", &proposal.actor, line, times).await?;
        let ruling = proposal.verdict.ruling;
        if ruling != Ruling::Ask {
            settle_own_case(tx, keyring, case, ruling.as_str(), self.now, self.at).await?;
            return Ok(());
        }
        case.state = CaseState::NeedsPerson;
        case.amount = proposal.content.action.amount();
        case.due_at = proposal.expires_at.map(BusinessTime::micros);
        case.updated_at = self.now.micros();
        let name = case.details.customer_name.as_deref();
        case.details.title = cards::headline(&proposal.content.action, name);
        Ok(cases::save(tx, keyring, &case, self.at).await?)
    }
}

/// How the line of evidence begins that says what is left of a charge.
const REFUNDABLE: &str = "refundable now ";

pub(crate) fn refundable_line(left: bursar_stripe::money::Money) -> String {
    format!("{REFUNDABLE}{left}")
}

fn times_asked_again(known: &[Proposal], last: &Proposal) -> usize {
    let before = |id: &ProposalId| known.iter().find(|other| other.id == *id)?.content.supersedes.as_ref();
    std::iter::successors(last.content.supersedes.as_ref(), |id| before(id)).take(AGAIN_MAX).count()
}

/// The roles it was asked for with, less those taken since; nothing where whoever asked may not ask any more.
async fn roles_now(db: &mut Db, wanted: &Proposal, at: i64) -> bursar_store::Result<Option<Vec<Role>>> {
    let Some(person) = wanted.actor.person() else { return Ok(None) };
    let Some(person) = people::get(db, person).await?.filter(|person| !person.disabled) else {
        return Ok(None);
    };
    let mut roles = wanted.content.actor_roles.clone();
    if let Actor::ApiKey { id, .. } | Actor::Agent { id, .. } = &wanted.actor {
        let good = |token: &Token| {
            token.id == *id && !token.revoked && token.expires_at.is_none_or(|until| until > at)
        };
        let Some(token) = people::tokens(db).await?.into_iter().find(good) else { return Ok(None) };
        roles.retain(|role| token.roles.contains(role));
    }
    roles.retain(|role| person.roles.contains(role));
    Ok(Some(roles))
}
