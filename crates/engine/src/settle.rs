//! What nobody can tell by itself: a person asks for another look, or looks at Stripe themselves and says whether it
//! happened. Nothing is ever sent again by this.

use bursar_domain::actor::Actor;
use bursar_domain::execution::{BY_HAND, ExecutionState, Receipt};
use bursar_domain::id::{AuditId, PersonId, ProposalId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_store::audit::{self, Record, Table};
use bursar_store::cases::{self, Case};
use bursar_store::executions::{self, Execution, Progress};
use bursar_store::jobs::{self, NewJob};
use bursar_store::proposals::{self, Proposal};
use bursar_store::seal::Keyring;
use bursar_store::{Tx, objects, people};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::approve::{note, settle_own_case};
use crate::budget;
use crate::govern::parse_lane;
use crate::start::Engine;
use crate::{Error, Result, cards};

/// What a person found where they looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// With what came of it, such as `re_…`, where they know.
    Happened {
        object: Option<String>,
    },
    DidNotHappen,
}

/// One person's word on what is in doubt. Their identity and roles were established by whoever calls.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub proposal: ProposalId,
    pub person: PersonId,
    pub name: String,
    pub roles: Vec<Role>,
    pub truth: Truth,
    /// What they looked at.
    pub reason: String,
    /// `console`, `api`.
    pub method: String,
}

/// Who may say what nobody else can check.
const SETTLES: Role = Role::Controller;
const OBJECT_CHARS_MAX: usize = 200;

/// What a transaction of this file works with.
struct Doubt {
    keyring: std::sync::Arc<Keyring>,
    actor: Actor,
    proposal: ProposalId,
    job: Option<NewJob>,
    entry: AuditId,
    now: BusinessTime,
    at: i64,
}

/// What is in doubt, as its rows have it inside the transaction.
struct Held {
    proposal: Proposal,
    execution: Execution,
    case: Case,
}

impl Engine {
    /// Looks for the effect once more. What is found ends the doubt; where nothing is found it stays.
    pub async fn look_again(&self, actor: &Actor, id: &ProposalId) -> Result<()> {
        let (proposal, _) = self.doubted(id).await?;
        let lane = parse_lane(&proposal.lane)?;
        let look = self.execute_job(&lane, &proposal.content.action, id);
        let doubt = self.doubt(actor.clone(), id, Some(look));
        let held =
            self.inner.store.write(move |tx| async move { doubt.ask_for_a_look(tx).await }.boxed()).await?;
        self.inner.work.notify_one();
        let text = format!("{}: looked for again", headline(&held));
        self.tell("execution", &held.proposal.lane, (Some(held.case.id.as_str()), None), text);
        Ok(())
    }

    /// Ends the doubt by the word of a controller who did not ask for the action.
    pub async fn settle_by_hand(&self, settlement: Settlement) -> Result<()> {
        check_words(&settlement)?;
        let (_, case) = self.doubted(&settlement.proposal).await?;
        let actor = Actor::Person { id: settlement.person.clone(), name: settlement.name.clone() };
        let wake = self.wake_of(&case.lane, &case.key);
        let doubt = self.doubt(actor, &settlement.proposal, wake);
        let happened = settlement.truth != Truth::DidNotHappen;
        let held = self
            .inner
            .store
            .write(move |tx| async move { doubt.settle(tx, settlement).await }.boxed())
            .await?;
        self.inner.work.notify_one();
        let word = if happened { "it happened" } else { "it did not happen" };
        let text = format!("{}: settled by hand, {word}", headline(&held));
        self.tell("execution", &held.proposal.lane, (Some(held.case.id.as_str()), None), text);
        Ok(())
    }

    async fn doubted(&self, id: &ProposalId) -> Result<(Proposal, Case)> {
        let keyring = self.inner.store.keyring();
        let mut db = self.inner.store.read().await?;
        let proposal = proposals::get(&mut db, keyring, id).await?;
        let proposal = proposal.ok_or_else(|| Error::not_found("proposal", id.as_str()))?;
        let case = cases::get(&mut db, keyring, &proposal.case).await?;
        let case = case.ok_or_else(|| Error::not_found("case", proposal.case.as_str()))?;
        Ok((proposal, case))
    }

    fn doubt(&self, actor: Actor, proposal: &ProposalId, job: Option<NewJob>) -> Doubt {
        Doubt {
            keyring: self.inner.store.keyring().clone(),
            actor,
            proposal: proposal.clone(),
            job,
            entry: self.audit_id(),
            now: self.inner.clocks.business(),
            at: self.inner.clocks.machine().micros(),
        }
    }
}

fn headline(held: &Held) -> String {
    cards::headline(&held.proposal.content.action, held.case.details.customer_name.as_deref())
}

fn check_words(settlement: &Settlement) -> Result<()> {
    if settlement.reason.trim().is_empty() {
        return Err(Error::invalid("reason", "say what you looked at; nothing was changed"));
    }
    let Truth::Happened { object: Some(object) } = &settlement.truth else { return Ok(()) };
    let plain = !object.is_empty() && object.len() <= OBJECT_CHARS_MAX;
    if !plain || !object.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid("object", "an object is an id such as re_…; nothing was changed"));
    }
    Ok(())
}

impl Doubt {
    async fn held(&self, tx: &mut Tx) -> Result<Held> {
        let proposal = proposals::get(tx, &self.keyring, &self.proposal).await?;
        let proposal = proposal.ok_or_else(|| Error::not_found("proposal", self.proposal.as_str()))?;
        let execution = executions::of_proposal(tx, &self.keyring, &self.proposal).await?;
        let Some(execution) = execution.filter(|_| proposal.state == ProposalState::InDoubt) else {
            return Err(Error::Conflict {
                code: "not_in_doubt",
                message: format!("{} is not in doubt; nothing was changed", self.proposal),
            });
        };
        let case = cases::get(tx, &self.keyring, &proposal.case).await?;
        let case = case.ok_or_else(|| Error::not_found("case", proposal.case.as_str()))?;
        Ok(Held { proposal, execution, case })
    }

    async fn ask_for_a_look(self, tx: &mut Tx) -> Result<Held> {
        let held = self.held(tx).await?;
        jobs::add_many(tx, self.job.iter()).await?;
        let record = self.record(&held, "execution.look_asked", json!({}), Vec::new());
        audit::append(tx, record).await?;
        self.note(tx, &held, json!({"state": "looking_again"})).await?;
        Ok(held)
    }

    async fn settle(self, tx: &mut Tx, settlement: Settlement) -> Result<Held> {
        let held = self.held(tx).await?;
        self.may(tx, &held, &settlement).await?;
        let (state, ends, receipt) = match settlement.truth {
            Truth::Happened { object } => {
                let known_by = BY_A_PERSON.to_owned();
                let receipt = Receipt {
                    object,
                    request_id: None,
                    balance_transaction: None,
                    known_by,
                    changes: Vec::new(),
                };
                (ExecutionState::Done, ProposalState::Done, Some(receipt))
            }
            Truth::DidNotHappen => (ExecutionState::NoEffect, ProposalState::NoEffect, None),
        };
        let id = &held.execution.intent.id;
        let progress = Progress {
            state,
            code: Some(BY_HAND),
            waiting_for: None,
            absent_since: None,
            receipt: receipt.as_ref(),
        };
        executions::record(tx, id, &progress, self.now).await?;
        let reason = settlement.reason.trim();
        proposals::advance(tx, &self.proposal, ProposalState::InDoubt, ends, self.now, Some(BY_HAND)).await?;
        proposals::say_why(tx, &self.keyring, &held.proposal, reason, self.at).await?;
        if ends == ProposalState::NoEffect {
            budget::give_back(tx, &held.proposal.lane, id).await?;
        }
        let commits = vec![
            audit::commitment(tx, Table::ExecutionEnds, id.as_str()).await?,
            audit::commitment(tx, Table::ProposalEnds, self.proposal.as_str()).await?,
        ];
        let object = receipt.and_then(|receipt| receipt.object);
        let data = json!({"state": ends.as_str(), "object": object, "method": settlement.method});
        audit::append(tx, self.record(&held, "execution.settled_by_hand", data, commits)).await?;
        self.note(tx, &held, json!({"state": ends.as_str(), "object": object, "why": reason})).await?;
        if let Some((kind, id)) = held.proposal.content.action.target() {
            objects::mark_stale(tx, &held.proposal.lane, kind, id).await?;
        }
        let outcome = ends.as_str().replace('_', " ");
        settle_own_case(tx, &self.keyring, held.case.clone(), &outcome, self.now, self.at).await?;
        jobs::add_many(tx, self.job.iter()).await?;
        Ok(held)
    }

    /// A controller, by the roles of this moment, and never whoever asked for the action.
    async fn may(&self, tx: &mut Tx, held: &Held, settlement: &Settlement) -> Result<()> {
        let person = people::get(tx, &settlement.person).await?.filter(|person| !person.disabled);
        let holds = person.is_some_and(|person| person.roles.contains(&SETTLES));
        if !holds || !settlement.roles.contains(&SETTLES) {
            let why = format!("this needs the role {}; nothing was changed", SETTLES.as_str());
            return Err(Error::Forbidden(why));
        }
        if held.proposal.actor.person() == Some(&settlement.person) {
            let why =
                "you asked for this yourself: somebody else must say what became of it; nothing was changed";
            return Err(Error::Forbidden(why.to_owned()));
        }
        Ok(())
    }

    fn record(
        &self,
        held: &Held,
        kind: &'static str,
        mut data: Value,
        commits: Vec<bursar_domain::audit::Commitment>,
    ) -> Record {
        data["proposal"] = self.proposal.as_str().into();
        data["execution"] = held.execution.intent.id.as_str().into();
        Record {
            id: self.entry.clone(),
            at: self.at,
            kind,
            lane: Some(held.proposal.lane.clone()),
            actor: Some(self.actor.key()),
            data,
            commits,
        }
    }

    async fn note(&self, tx: &mut Tx, held: &Held, mut body: Value) -> Result<()> {
        let action = &held.proposal.content.action;
        body["verb"] = action.verb().into();
        body["headline"] = cards::headline(action, None).into();
        let times = (self.now, self.at);
        Ok(note(tx, &self.keyring, &held.case, "execution", &self.actor, body, times).await?)
    }
}

/// How a receipt says that somebody looked.
pub(crate) const BY_A_PERSON: &str = "a person";
