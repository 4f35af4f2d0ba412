//! Before any socket: the world is read again, the guard facts compared, the gate asked again with the votes, the budget
//! reserved, and the intent written, the last three in one transaction.

use bursar_domain::actor::Actor;
use bursar_domain::approval::{ApprovalState, is_met};
use bursar_domain::execution::KEY_TRUSTED;
use bursar_domain::facts::{FactName, Facts};
use bursar_domain::id::ExecutionId;
use bursar_domain::known::Known;
use bursar_domain::proposal::{self, ProposalState};
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::Ruling;
use bursar_store::audit::{self, Record};
use bursar_store::cases::{self, Case};
use bursar_store::executions::{self, Execution, Intent};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{self, NewJob};
use bursar_store::planted::{Bug, planted};
use bursar_store::seal::Keyring;
use bursar_store::{Tx, approvals, proposals};
use futures_util::FutureExt as _;
use serde_json::json;

use super::anew::Next;
use super::{Task, request};
use crate::approve::{note, settle_own_case, yes_voters};
use crate::budget::{self, Budget};
use crate::call_person::call_person;
use crate::govern::{self, Motion, parse_lane};
use crate::mirror::{Freshness, Gathered};
use crate::propose::{self, Ending, Filing};
use crate::reads::Reader;
use crate::start::Engine;
use crate::{Result, cards, facts};

/// What the transaction decided.
pub(super) enum Step {
    Intended,
    Voided(Voided),
    /// A kill switch holds it up.
    Stopped {
        scope: String,
        reason: String,
    },
}

/// Why nothing is sent, and what was asked for again instead.
pub(super) struct Voided {
    why: String,
    again: Option<Box<Filing>>,
}

impl Engine {
    /// Writes the intent; nothing when the proposal was voided instead.
    pub(super) async fn intend(&self, task: &Task<'_>) -> Result<Option<Execution>> {
        let open = self.inner.lanes.require(&task.proposal.lane)?;
        let now = self.inner.clocks.business();
        let action = task.proposal.content.action.clone();
        let (facts, gathered) = self.read_target(task, now).await?;
        self.pass(FailPoint::TargetRead).await?;
        let request = request::of(&action, &task.proposal.id)?;
        let key = request::idempotency_key(&self.inner.installation.id, &task.proposal.id);
        let key = request::planted_key(key, &action);
        let connected = open.connection.connected.contains(&open.lane.account);
        let intent = Intent {
            id: ExecutionId::from_entropy(self.inner.entropy.id()),
            lane: task.proposal.lane.clone(),
            proposal: task.proposal.id.clone(),
            case: task.case.id.clone(),
            verb: action.verb().to_owned(),
            digest: task.proposal.digest.clone(),
            idempotency_key: key,
            method: request.method().to_owned(),
            path: request.path().to_owned(),
            api_version: request.api_version().to_owned(),
            account: connected.then(|| open.lane.account.as_str().to_owned()),
            subject: task.proposal.subject.clone(),
            request: request.body().to_vec(),
            intended_at: now,
            deadline_at: now.plus(KEY_TRUSTED),
        };
        let work = Work {
            engine: self.clone(),
            job: task.job.clone(),
            proposal: task.proposal.clone(),
            wake: self.wake_of(&task.case.lane, &task.case.key),
            actor: Actor::Engine,
            facts,
            gathered,
            intent: intent.clone(),
            now,
            at: self.inner.clocks.machine().micros(),
        };
        let step = self.inner.store.write(move |tx| async move { work.decide(tx).await }.boxed()).await?;
        let about = (Some(task.case.id.as_str()), None);
        match step {
            Step::Intended => {
                self.tell("execution", &intent.lane, about, format!("{} is being carried out", intent.verb));
                Ok(Some(Execution {
                    intent,
                    state: bursar_domain::execution::ExecutionState::Intent,
                    first_sent_at: None,
                    sends: 0,
                    maybe_sent: 0,
                    reserved: None,
                    waiting_for: None,
                    waiting_until: None,
                    absent_since: None,
                    outcome_at: None,
                    outcome_code: None,
                    receipt: None,
                }))
            }
            Step::Voided(voided) => {
                self.tell_voided(task, &voided);
                Ok(None)
            }
            Step::Stopped { reason, .. } => {
                self.tell_voided(task, &Voided { why: reason, again: None });
                Ok(None)
            }
        }
    }

    pub(super) fn tell_voided(&self, task: &Task<'_>, Voided { why, again }: &Voided) {
        self.inner.work.notify_one();
        let about = (Some(task.case.id.as_str()), None);
        self.tell("execution", &task.proposal.lane, about, format!("not executed: {why}. Nothing was sent"));
        if let Some(filing) = again {
            let name = task.case.details.customer_name.as_deref();
            self.announce(filing, &cards::headline(&filing.proposal.content.action, name));
        }
    }

    /// The facts as Stripe has them at this moment, and what was read for them.
    pub(super) async fn read_target(&self, task: &Task<'_>, now: BusinessTime) -> Result<(Facts, Gathered)> {
        let open = self.inner.lanes.require(&task.proposal.lane)?;
        let action = &task.proposal.content.action;
        let mut reader = Reader {
            engine: self,
            open: &open,
            case: Some(task.case.id.clone()),
            freshness: Freshness::Now,
            gathered: Gathered::default(),
        };
        let mut known = Known::new(task.case.key.clone(), now, "execution");
        reader.settle(&mut known, |known| facts::reads(action, known)).await?;
        let facts = facts::build(action, &known, task.case.class.as_deref(), &self.inner.settings.home);
        Ok((facts, reader.gathered))
    }
}

/// The world is another than the one that was decided on.
const FACTS_CHANGED: &str = "facts_changed";
/// Policy asks people where it asked nobody before.
const NOBODY_ASKED: &str = "nobody_asked";

/// Why nothing may be sent: a code for the audit, and words for people.
struct Objection {
    code: &'static str,
    words: String,
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where an objection is answered")]
fn objects(code: &'static str, words: impl Into<String>) -> Result<Option<Objection>> {
    Ok(Some(Objection { code, words: words.into() }))
}

/// What the transaction works with.
pub(super) struct Work {
    pub(super) engine: Engine,
    pub(super) job: jobs::Job,
    pub(super) proposal: proposals::Proposal,
    pub(super) wake: Option<NewJob>,
    pub(super) actor: Actor,
    pub(super) facts: Facts,
    pub(super) gathered: Gathered,
    pub(super) intent: Intent,
    pub(super) now: BusinessTime,
    pub(super) at: i64,
}

impl Work {
    async fn decide(mut self, tx: &mut Tx) -> Result<Step> {
        let keyring = self.engine.inner.store.keyring().clone();
        jobs::check_fence(tx, &self.job).await?;
        tx.pass(FailPoint::IntentFenced).await?;
        self.gathered.save(tx, &keyring, self.at).await?;
        if let Some(objection) = self.objection_today(tx).await? {
            return self.void(tx, &keyring, objection).await.map(Step::Voided);
        }
        tx.pass(FailPoint::IntentJudged).await?;
        let intent = executions::add(tx, &keyring, &self.intent, self.at).await?;
        tx.pass(FailPoint::IntentWritten).await?;
        self.budget(&self.engine).reserve(tx, &self.intent.id).await?;
        tx.pass(FailPoint::BudgetTaken).await?;
        let data = json!({"execution": self.intent.id.as_str(), "proposal": self.intent.proposal.as_str(),
            "verb": self.intent.verb, "digest": self.intent.digest, "idempotency_key": self.intent.idempotency_key});
        let record = Record {
            id: self.engine.audit_id(),
            at: self.at,
            kind: "execution.intended",
            lane: Some(self.intent.lane.clone()),
            actor: Some(self.actor.key()),
            data,
            commits: vec![intent],
        };
        audit::append(tx, record).await?;
        tx.pass(FailPoint::IntentRecorded).await?;
        Ok(Step::Intended)
    }

    /// The same for an intent that stands and of which nothing left: the world is compared and the gate asked once more,
    /// and the budget is that of today.
    pub(super) async fn decide_again(mut self, tx: &mut Tx) -> Result<Step> {
        let keyring = self.engine.inner.store.keyring().clone();
        jobs::check_fence(tx, &self.job).await?;
        self.gathered.save(tx, &keyring, self.at).await?;
        // What a kill switch holds up waits for it; it is not judged by it.
        if let Some((scope, reason)) = govern::stopped(tx, &self.intent.lane, &self.proposal.actor).await? {
            return Ok(Step::Stopped { scope, reason });
        }
        budget::give_back(tx, &self.intent.lane, &self.intent.id).await?;
        if let Some(objection) = self.objection_today(tx).await? {
            return self.void(tx, &keyring, objection).await.map(Step::Voided);
        }
        self.budget(&self.engine).reserve(tx, &self.intent.id).await?;
        Ok(Step::Intended)
    }

    async fn objection_today(&mut self, tx: &mut Tx) -> Result<Option<Objection>> {
        // The budget is held and read here, in the change: two refunds can never both take the last of it.
        let engine = self.engine.clone();
        let mut facts = std::mem::take(&mut self.facts);
        self.budget(&engine).hold(tx).await?;
        self.budget(&engine).add_spent(tx, &mut facts).await?;
        self.facts = facts;
        self.objection(tx).await
    }

    fn budget<'a>(&'a self, engine: &'a Engine) -> Budget<'a> {
        Budget {
            settings: &engine.inner.settings,
            lane: &self.intent.lane,
            action: &self.proposal.content.action,
            at: self.now,
        }
    }

    /// Why nothing may be sent any more, if there is a reason.
    async fn objection(&self, tx: &mut Tx) -> Result<Option<Objection>> {
        let held = proposals::get(tx, self.engine.inner.store.keyring(), &self.proposal.id).await?;
        if held.is_none_or(|held| held.state != ProposalState::Approved) {
            return objects("moved_on", "the proposal has moved on");
        }
        let content = &self.proposal.content;
        let (then, now) = (
            proposal::guards(&content.action, &content.facts),
            proposal::guards(&content.action, &self.facts),
        );
        let changed = |name: &&FactName| then.get(name.as_str()) != now.get(name.as_str());
        let unchecked = planted(Bug::DigestNotChecked);
        if let Some(name) = content.action.guard_facts().iter().find(changed).filter(|_| !unchecked) {
            let zone = &self.engine.inner.settings.zone;
            let said = |facts: &Facts| cards::fact_words(facts, *name, zone);
            let (what, was, is) = (name.as_str().replace('_', " "), said(&content.facts), said(&self.facts));
            return objects(
                FACTS_CHANGED,
                format!("{what} changed after it was decided: was {was}, is {is}"),
            );
        }
        let lane = parse_lane(&self.proposal.lane)?;
        let motion = Motion {
            actor: &self.proposal.actor,
            roles: &content.actor_roles,
            lane: &lane,
            action: &content.action,
            facts: &self.facts,
        };
        let standing = self.engine.standing(&self.proposal.lane);
        let judged = govern::judge(tx, &self.engine.policy(), motion, &standing).await?;
        match judged.effective.ruling {
            Ruling::Allow => Ok(None),
            Ruling::Ask => self.votes_cover(tx, &judged.effective.requirements).await,
            Ruling::Deny | Ruling::Observe => {
                let why = judged.effective.notes.first().cloned().unwrap_or_else(|| {
                    let ids: Vec<&str> =
                        judged.effective.policies.iter().map(|policy| policy.id.as_str()).collect();
                    if ids.is_empty() { "no policy permits it".to_owned() } else { ids.join(", ") }
                });
                let ruling = judged.effective.ruling.as_str();
                objects("judged_again", format!("judged again, the answer is {ruling}: {why}"))
            }
        }
    }

    async fn votes_cover(
        &self,
        tx: &mut Tx,
        requirements: &[bursar_domain::verdict::Requirement],
    ) -> Result<Option<Objection>> {
        let approval = approvals::of_proposal(tx, &self.proposal.id).await?;
        let Some(approval) = approval.filter(|approval| {
            let same = approval.digest == self.proposal.digest || planted(Bug::DigestNotChecked);
            approval.state == ApprovalState::Met && same
        }) else {
            return objects(NOBODY_ASKED, "policy now asks people, and nobody has been asked");
        };
        let voters = yes_voters(tx, self.engine.inner.store.keyring(), &approval).await?;
        if is_met(requirements, &voters) {
            Ok(None)
        } else {
            objects("votes_fall_short", "the votes no longer cover what policy asks for")
        }
    }

    /// The proposal ends without having happened. A playbook's case looks again; what somebody asked for is asked for again.
    async fn void(&self, tx: &mut Tx, keyring: &Keyring, objection: Objection) -> Result<Voided> {
        let (now, case) = (self.now, cases::get(tx, keyring, &self.intent.case).await?);
        let next = match &case {
            Some(case) if [FACTS_CHANGED, NOBODY_ASKED].contains(&objection.code) => {
                self.anew(tx, keyring, case, &objection.words).await?
            }
            _ => Next::Nothing,
        };
        let words = match &next {
            Next::Person(why) => format!("{}; {why}", objection.words),
            Next::Nothing | Next::Filed(_) => objection.words,
        };
        let ending = Ending {
            to: ProposalState::Void,
            approval_to: ApprovalState::Void,
            code: objection.code,
            words: words.clone(),
            by: self.actor.key(),
            now,
            at: self.at,
            entry: self.engine.audit_id(),
        };
        let ended = propose::end(tx, keyring, &self.proposal.id, ending).await?;
        // What did not end here is not doubled.
        let next = if ended { next } else { Next::Nothing };
        if let Some(case) = case {
            self.tell_case(tx, keyring, case, &words, &next).await?;
        }
        jobs::add_many(tx, self.wake.iter()).await?;
        jobs::finish(tx, &self.job).await?;
        let again = if let Next::Filed(filing) = next { Some(filing) } else { None };
        Ok(Voided { why: words, again })
    }

    async fn tell_case(
        &self,
        tx: &mut Tx,
        keyring: &Keyring,
        case: Case,
        words: &str,
        next: &Next,
    ) -> Result<()> {
        let times = (self.now, self.at);
        let mut body = json!({"verb": self.intent.verb, "state": "void", "why": words, "sent": false});
        if let Next::Filed(filing) = next {
            body["superseded_by"] = filing.proposal.id.as_str().into();
        }
        note(tx, keyring, &case, "execution", &self.actor, body, times).await?;
        match next {
            Next::Nothing => settle_own_case(tx, keyring, case, "void", self.now, self.at).await?,
            Next::Filed(filing) => self.file_anew(tx, keyring, case, filing).await?,
            Next::Person(_) => {
                call_person(tx, keyring, &case.id, times).await?;
            }
        }
        Ok(())
    }
}
