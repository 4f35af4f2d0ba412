//! What came of a send or a look, written with its audit entry in one transaction; and when to come back.

use std::time::Duration;

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::execution::{ABSENCE_GAP, ExecutionState, Receipt, STRIPE_APPROVAL, TOO_LATE};
use bursar_domain::id::{CaseId, TaskId};
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_store::audit::{self, Record, Table};
use bursar_store::executions::{self, Execution, Progress};
use bursar_store::fail_point::FailPoint;
use bursar_store::jobs::{self, Clock, Counts, NewJob};
use bursar_store::planted::{Bug, planted};
use bursar_store::tasks::{self, NewTask};
use bursar_store::{Tx, cases, modes, objects, proposals};
use futures_util::FutureExt as _;
use serde_json::json;

use super::Task;
use crate::approve::{note, settle_own_case};
use crate::budget;
use crate::call_person::call_person;
use crate::error::backoff;
use crate::start::Engine;
use crate::{Error, Result, blocked, cards};

/// The code of an answer that Stripe keeps and replays: asking again tells nothing new.
pub(super) const STORED: &str = "stored_answer";

/// A look that could not be finished.
pub(super) const TOO_MUCH: &str = "Stripe holds more about it than a look-up reads; whether it happened is not known, and nothing is sent again";
/// A first look found nothing; one proves no absence.
pub(super) const LOOKING_AGAIN: &str = "nothing found; looking once more";
const PORTAL: &str = "billing_portal.session.create";
/// It is known where it is, and not how it ends.
pub(super) const TAKEN_ON: &str = "Stripe has taken it on and not settled it";
/// How often such a look is tried before a person is called, and how long it rests in between.
const CUT_LOOKS_MAX: i64 = 3;
const CUT_EVERY: Duration = Duration::from_mins(5);

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Done(Receipt),
    Refused {
        code: String,
        message: String,
    },
    /// Accepted or parked at Stripe: come back and look.
    Parked {
        request: String,
    },
    /// Parked at Stripe's own approvals, which can be given until then.
    AwaitsApproval {
        request: String,
        until: Option<BusinessTime>,
    },
    /// Nothing was tried: what was known stays as it is.
    Held {
        after: Duration,
        why: String,
    },
    /// It never left, and is too old to be sent now.
    TooLate,
    /// No usable answer. `sent` is false when surely nothing left.
    Later {
        after: Option<Duration>,
        why: String,
        sent: bool,
    },
    /// An answer that Stripe stored: only a look can tell.
    Stored {
        why: String,
    },
    /// A complete look found nothing.
    Absent,
    /// A look could not be finished: there was too much to read.
    Cut,
    InDoubt {
        code: String,
        why: String,
    },
    /// Stop acting on this lane and call somebody.
    Halt {
        why: String,
    },
}

/// What is written.
#[derive(Clone)]
struct Verdict {
    state: ExecutionState,
    proposal: Option<ProposalState>,
    code: Option<String>,
    why: Option<String>,
    waiting_for: Option<String>,
    waiting_until: Option<BusinessTime>,
    absent_since: Option<MachineTime>,
    receipt: Option<Receipt>,
    /// The send that was counted surely did not leave.
    not_sent: bool,
    /// Come back after this long; the job ends where nothing is named.
    again: Option<Duration>,
    /// Whether coming back counts as a failure of the job.
    counts: Counts,
    halt: bool,
}

impl Verdict {
    fn ends(
        state: ExecutionState,
        proposal: ProposalState,
        code: Option<String>,
        why: Option<String>,
    ) -> Self {
        Self {
            state,
            proposal: Some(proposal),
            code,
            why,
            waiting_for: None,
            waiting_until: None,
            absent_since: None,
            receipt: None,
            not_sent: false,
            again: None,
            counts: Counts::No,
            halt: false,
        }
    }

    fn waits(state: ExecutionState, code: Option<String>, why: String, again: Duration) -> Self {
        Self {
            state,
            proposal: None,
            code,
            waiting_for: Some(why.clone()),
            why: Some(why),
            waiting_until: None,
            absent_since: None,
            receipt: None,
            not_sent: false,
            again: Some(again),
            counts: Counts::No,
            halt: false,
        }
    }
}

/// How often something parked at Stripe is looked at: after a twentieth of the time that it has been there.
const PARKED_EVERY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(15));

impl Engine {
    pub(super) async fn conclude(
        &self,
        task: &Task<'_>,
        execution: &Execution,
        outcome: Outcome,
    ) -> Result<()> {
        let now = self.inner.clocks.business();
        let verdict = verdict_of(outcome, execution, task.job.attempts, (now, self.inner.clocks.machine()));
        let work = Work {
            engine: self.clone(),
            job: task.job.clone(),
            proposal: task.proposal.clone(),
            case: task.case.id.clone(),
            execution: execution.clone(),
            now,
            at: self.inner.clocks.machine().micros(),
            task: TaskId::from_entropy(self.inner.entropy.id()),
            wake: self.wake_of(&task.case.lane, &task.case.key),
        };
        let (state, halt) = (verdict.state, verdict.halt);
        let surprised = verdict.receipt.as_ref().is_some_and(Receipt::contradicts);
        let why = verdict.why.clone();
        let late = planted(Bug::AuditOutside).then(|| (work.clone(), verdict.clone()));
        self.inner.store.write(move |tx| async move { work.write(tx, verdict).await }.boxed()).await?;
        if let Some((work, verdict)) = late {
            self.pass(FailPoint::OutcomeRecorded).await?;
            self.inner.store.write(move |tx| async move { work.record(tx, &verdict).await }.boxed()).await?;
        }
        metrics::counter!("bursar_actions_total", "verb" => execution.intent.verb.clone(), "result" => state.as_str())
            .increment(1);
        if surprised {
            metrics::counter!("bursar_disagreements_total", "kind" => "prediction").increment(1);
        }
        if halt {
            tracing::error!(lane = %execution.intent.lane, why, "the lane was stopped: a person must look");
        }
        self.inner.work.notify_one();
        let headline =
            cards::headline(&task.proposal.content.action, task.case.details.customer_name.as_deref());
        let text = format!("{headline}: {}", state.as_str().replace('_', " "));
        self.tell("execution", &execution.intent.lane, (Some(task.case.id.as_str()), None), text);
        Ok(())
    }
}

fn verdict_of(
    outcome: Outcome,
    execution: &Execution,
    attempts: i64,
    (now, machine): (BusinessTime, MachineTime),
) -> Verdict {
    match outcome {
        Outcome::Done(receipt) => Verdict {
            receipt: Some(receipt),
            ..Verdict::ends(ExecutionState::Done, ProposalState::Done, None, None)
        },
        Outcome::Refused { code, message } => {
            Verdict::ends(ExecutionState::Refused, ProposalState::Refused, Some(code), Some(message))
        }
        Outcome::Parked { request } => {
            // An object has come of it: from here on no limit holds.
            let same = execution.waiting_for.as_deref() == Some(request.as_str());
            let until = execution.waiting_until.filter(|_| same);
            parked(request, until, execution, now)
        }
        Outcome::AwaitsApproval { request, until } => {
            parked(request, Some(until.unwrap_or_else(|| now.plus(STRIPE_APPROVAL))), execution, now)
        }
        Outcome::Held { after, why } => Verdict {
            absent_since: execution.absent_since,
            ..Verdict::waits(execution.state, execution.outcome_code.clone(), why, after)
        },
        Outcome::TooLate => Verdict::ends(
            ExecutionState::NoEffect,
            ProposalState::NoEffect,
            Some(TOO_LATE.to_owned()),
            Some("it never left and is too old to be sent now: nothing happened".to_owned()),
        ),
        Outcome::Later { after, why, sent } => Verdict {
            not_sent: !sent,
            ..Verdict::waits(
                ExecutionState::Unknown,
                (!sent).then(|| "not_sent".to_owned()),
                why,
                // Told to come at once again and again, nobody would rest: what is told can only be longer.
                after.unwrap_or_default().max(backoff(execution.sends + 1)),
            )
        },
        Outcome::Stored { why } => {
            Verdict::waits(ExecutionState::Unknown, Some(STORED.to_owned()), why, Duration::from_secs(1))
        }
        Outcome::Absent => absent(execution, machine),
        Outcome::Cut => cut(execution, attempts),
        Outcome::InDoubt { code, why } => {
            Verdict::ends(ExecutionState::InDoubt, ProposalState::InDoubt, Some(code), Some(why))
        }
        Outcome::Halt { why } => Verdict {
            halt: true,
            ..Verdict::ends(
                ExecutionState::InDoubt,
                ProposalState::InDoubt,
                Some("halted".to_owned()),
                Some(why),
            )
        },
    }
}

fn parked(request: String, until: Option<BusinessTime>, execution: &Execution, now: BusinessTime) -> Verdict {
    let there = execution.first_sent_at.map(|at| now.since(at)).unwrap_or_default();
    let (least, most) = PARKED_EVERY;
    Verdict {
        waiting_for: Some(request),
        waiting_until: until,
        ..Verdict::waits(
            ExecutionState::WaitingAtStripe,
            None,
            TAKEN_ON.to_owned(),
            (there / 20).clamp(least, most),
        )
    }
}

/// Two complete reads far enough apart prove that there was no effect; one does not.
fn absent(execution: &Execution, machine: MachineTime) -> Verdict {
    let code = execution.outcome_code.clone();
    match execution.absent_since {
        Some(since) if machine.since(since) >= ABSENCE_GAP => Verdict::ends(
            ExecutionState::NoEffect,
            ProposalState::NoEffect,
            code,
            Some(nothing_found(&execution.intent.verb).to_owned()),
        ),
        Some(since) => Verdict {
            absent_since: Some(since),
            ..Verdict::waits(
                ExecutionState::Unknown,
                code,
                LOOKING_AGAIN.to_owned(),
                ABSENCE_GAP.saturating_sub(machine.since(since)).max(Duration::from_secs(1)),
            )
        },
        None => Verdict {
            absent_since: Some(machine),
            ..Verdict::waits(ExecutionState::Unknown, code, LOOKING_AGAIN.to_owned(), ABSENCE_GAP)
        },
    }
}

/// A link that nobody was handed can be found nowhere, and opens nothing for anybody.
fn nothing_found(verb: &str) -> &'static str {
    if verb == PORTAL {
        "no link came of it: if Stripe made one, nobody was handed it"
    } else {
        "two complete reads found nothing: it did not happen"
    }
}

/// What cannot be read to its end proves nothing. It is tried a few times, then a person is called: waiting for ever would
/// tell nobody.
fn cut(execution: &Execution, attempts: i64) -> Verdict {
    if attempts >= CUT_LOOKS_MAX {
        let code = Some("look_up_incomplete".to_owned());
        return Verdict::ends(
            ExecutionState::InDoubt,
            ProposalState::InDoubt,
            code,
            Some(TOO_MUCH.to_owned()),
        );
    }
    let parked = execution.state == ExecutionState::WaitingAtStripe;
    let state = if parked { ExecutionState::WaitingAtStripe } else { ExecutionState::Unknown };
    let code = execution.outcome_code.clone();
    let waits = Verdict::waits(state, code, TOO_MUCH.to_owned(), CUT_EVERY);
    Verdict {
        // By what it waits for, what is parked is known again.
        waiting_for: if parked { execution.waiting_for.clone() } else { waits.waiting_for.clone() },
        absent_since: execution.absent_since,
        counts: Counts::Yes,
        ..waits
    }
}

/// What the transaction works with.
#[derive(Clone)]
struct Work {
    engine: Engine,
    job: jobs::Job,
    proposal: proposals::Proposal,
    case: CaseId,
    execution: Execution,
    now: BusinessTime,
    at: i64,
    task: TaskId,
    wake: Option<NewJob>,
}

impl Work {
    async fn write(self, tx: &mut Tx, verdict: Verdict) -> Result<()> {
        jobs::check_fence(tx, &self.job).await?;
        let intent = &self.execution.intent;
        let progress = Progress {
            state: verdict.state,
            code: verdict.code.as_deref(),
            waiting_for: verdict.waiting_for.as_deref(),
            absent_since: verdict.absent_since,
            receipt: verdict.receipt.as_ref(),
        };
        executions::record(tx, &intent.id, &progress, self.now).await?;
        executions::wait_until(tx, &intent.id, verdict.waiting_until).await?;
        tx.pass(FailPoint::OutcomeWritten).await?;
        if verdict.not_sent {
            executions::mark_not_sent(tx, &intent.id).await?;
        }
        let changed = verdict.state != self.execution.state || verdict.proposal.is_some();
        if changed && !planted(Bug::AuditOutside) {
            self.record(tx, &verdict).await?;
            tx.pass(FailPoint::OutcomeRecorded).await?;
        }
        if let Some(state) = verdict.proposal {
            self.settle(tx, state, &verdict).await?;
        }
        if verdict.halt {
            let why = verdict.why.as_deref().unwrap_or_default();
            modes::kill(tx, &format!("lane:{}", intent.lane), why, self.at, "engine").await?;
        }
        tx.pass(FailPoint::OutcomeSettled).await?;
        match verdict.again {
            None => jobs::finish(tx, &self.job).await?,
            Some(after) => {
                let after = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
                let why = verdict.why.as_deref().unwrap_or_default();
                let due = self.at.saturating_add(after);
                jobs::put_back(tx, &self.job, Clock::Machine, due, why, verdict.counts).await?;
                // What Stripe has taken on runs its course: nothing stands still.
                if verdict.state != ExecutionState::WaitingAtStripe {
                    let keyring = self.engine.inner.store.keyring();
                    blocked::waits(tx, keyring, &self.proposal, why, (self.now, self.at)).await?;
                }
            }
        }
        #[cfg(feature = "planted")]
        if planted(Bug::IntentDeleted) && verdict.state == ExecutionState::Unknown {
            executions::forget(tx, &intent.id).await?;
        }
        tx.pass(FailPoint::OutcomeJobGone).await?;
        Ok(())
    }

    async fn record(&self, tx: &mut Tx, verdict: &Verdict) -> Result<()> {
        let intent = &self.execution.intent;
        let data = json!({"execution": intent.id.as_str(), "proposal": intent.proposal.as_str(),
            "state": verdict.state.as_str(), "code": verdict.code, "object": verdict.receipt.as_ref().and_then(|receipt| receipt.object.clone()),
            "request_id": verdict.receipt.as_ref().and_then(|receipt| receipt.request_id.clone())});
        // What is not final will still change: only an end is committed to.
        let commits = match verdict.proposal {
            Some(_) => vec![audit::commitment(tx, Table::ExecutionEnds, intent.id.as_str()).await?],
            None => Vec::new(),
        };
        let record = Record {
            id: self.engine.audit_id(),
            at: self.at,
            kind: "execution.outcome",
            lane: Some(intent.lane.clone()),
            actor: Some("engine".to_owned()),
            data,
            commits,
        };
        audit::append(tx, record).await?;
        Ok(())
    }

    /// The proposal ends, the budget gets back what was not spent, the case learns of it.
    async fn settle(&self, tx: &mut Tx, state: ProposalState, verdict: &Verdict) -> Result<()> {
        let keyring = self.engine.inner.store.keyring().clone();
        let action = &self.proposal.content.action;
        if self.proposal.state != state {
            let code = verdict.code.as_deref();
            proposals::advance(tx, &self.proposal.id, self.proposal.state, state, self.now, code).await?;
        }
        // The words may be those of a mail server, and name whom it refused.
        if let Some(words) = &verdict.why {
            proposals::say_why(tx, &keyring, &self.proposal, words, self.at).await?;
        }
        if matches!(state, ProposalState::Refused | ProposalState::NoEffect) {
            budget::give_back(tx, &self.proposal.lane, &self.execution.intent.id).await?;
        }
        if let (Action::CreateTask { title, body, role }, ProposalState::Done) = (action, state) {
            let new = NewTask {
                id: &self.task,
                lane: &self.proposal.lane,
                case: &self.case,
                role: role.as_str(),
                created_at: self.now.micros(),
                subject: &self.proposal.subject,
                body: json!({"title": title, "body": body}),
            };
            tasks::add(tx, &keyring, new, self.at).await?;
        }
        if let Some((kind, id)) = action.target() {
            objects::mark_stale(tx, &self.proposal.lane, kind, id).await?;
        }
        let body = json!({"verb": action.verb(), "headline": cards::headline(action, None), "state": state.as_str(),
            "code": verdict.code, "why": verdict.why,
            "object": verdict.receipt.as_ref().and_then(|receipt| receipt.object.clone()),
            "request_id": verdict.receipt.as_ref().and_then(|receipt| receipt.request_id.clone())});
        let case = cases::get(tx, &keyring, &self.case).await?;
        let case = case.ok_or_else(|| Error::not_found("case", self.case.as_str()))?;
        let times = (self.now, self.at);
        note(tx, &keyring, &case, "execution", &Actor::Engine, body.clone(), times).await?;
        if state == ProposalState::InDoubt {
            let called = call_person(tx, &keyring, &case.id, times).await?;
            if called.id != case.id {
                note(tx, &keyring, &called, "execution", &Actor::Engine, body, times).await?;
            }
        } else {
            let outcome = match state {
                ProposalState::Done => "done".to_owned(),
                other => format!("{} {}", other.as_str(), verdict.code.as_deref().unwrap_or_default()),
            };
            settle_own_case(tx, &keyring, case, outcome.trim(), self.now, self.at).await?;
        }
        jobs::add_many(tx, self.wake.iter()).await?;
        Ok(())
    }
}
