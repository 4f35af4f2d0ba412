//! A case whose work cannot go on says so: what it waits for, or that a person must look.

use bursar_domain::actor::Actor;
use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::id::{ApprovalId, ProposalId};
use bursar_domain::known::PastProposal;
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;
use bursar_store::cases::Case;
use bursar_store::jobs::{self, Job};
use bursar_store::proposals::Proposal;
use bursar_store::seal::Keyring;
use bursar_store::{Db, Error, Tx, approvals, cases, proposals, timeline};
use serde_json::json;

use crate::{approve, cards, execute};

/// Writes it into the open case of a decision or an execution that waits for the outside. Other jobs say it in their own
/// rows. Times are business and machine.
pub(crate) async fn note(
    tx: &mut Tx,
    keyring: &Keyring,
    job: &Job,
    why: &str,
    (now, at): (BusinessTime, i64),
) -> bursar_store::Result<()> {
    match job.kind.as_str() {
        "decide" | "timer" => {
            let Ok(key) = serde_json::from_value::<CaseKey>(job.payload["key"].clone()) else {
                return Ok(());
            };
            match cases::open_of(tx, keyring, &job.lane, &key).await? {
                Some(case) => block(tx, keyring, case, why.to_owned(), (now, now.micros())).await,
                None => Ok(()),
            }
        }
        "execute" => match proposal_of(tx, keyring, job).await {
            Ok(Some(proposal)) => waits(tx, keyring, &proposal, why, (now, at)).await,
            Ok(None) => Ok(()),
            // It is tried again all the same, and says so in its own row.
            Err(error @ (Error::Corrupt { .. } | Error::Unsealable(_))) => {
                tracing::warn!(job = %job.id, %error, "the case of waiting work cannot be told");
                Ok(())
            }
            Err(error) => Err(error),
        },
        _ => Ok(()),
    }
}

/// An execution waits: its case says for what, and its timeline once. Where people are asked something else meanwhile, the
/// case waits for them first.
pub(crate) async fn waits(
    tx: &mut Tx,
    keyring: &Keyring,
    proposal: &Proposal,
    why: &str,
    (now, at): (BusinessTime, i64),
) -> bursar_store::Result<()> {
    let Some(case) = cases::get(tx, keyring, &proposal.case).await?.filter(|case| !case.state.is_closed())
    else {
        return Ok(());
    };
    let words = execute::wait_words(&proposal.content.action, why);
    let id = proposal.id.as_str();
    let told = timeline::of_case(tx, keyring, &case.id).await?;
    if !told.iter().any(|line| line.kind == "waits" && line.body["proposal"] == id) {
        let headline = cards::headline(&proposal.content.action, None);
        let line = json!({"proposal": id, "headline": headline, "why": words});
        approve::note(tx, keyring, &case, "waits", &Actor::Engine, line, (now, at)).await?;
    }
    block(tx, keyring, case, words, (now, at)).await
}

async fn block(
    tx: &mut Tx,
    keyring: &Keyring,
    mut case: Case,
    on: String,
    (now, at): (BusinessTime, i64),
) -> bursar_store::Result<()> {
    let waits = CaseState::Blocked { on };
    if case.state == waits || case.state == CaseState::NeedsPerson {
        return Ok(());
    }
    case.state = waits;
    case.updated_at = now.micros();
    cases::save(tx, keyring, &case, at).await
}

/// How a case of somebody's request stands while work in it is under way: what was waited for may have come, and whoever
/// was asked may have answered. It calls people only as long as something in it still does.
pub(crate) async fn under_way(
    db: &mut Db,
    case: &Case,
    past: &[PastProposal],
) -> bursar_store::Result<CaseState> {
    let calls = |past: &PastProposal| {
        matches!(past.state, ProposalState::Asking | ProposalState::InDoubt | ProposalState::Reversed)
    };
    match &case.state {
        CaseState::NeedsPerson if past.iter().any(calls) || any_parked(db, past).await? => {
            Ok(CaseState::NeedsPerson)
        }
        CaseState::Blocked { .. } | CaseState::NeedsPerson => Ok(CaseState::Open),
        other => Ok(other.clone()),
    }
}

const PARKED_LOOKED_AT: i64 = 500;

/// Whether the work on one of them gave up.
async fn any_parked(db: &mut Db, past: &[PastProposal]) -> bursar_store::Result<bool> {
    let parked = jobs::dead(db, PARKED_LOOKED_AT).await?;
    let about = |job: &jobs::Listed, id: &ProposalId| job.payload["proposal"] == id.as_str();
    Ok(parked.iter().any(|job| past.iter().any(|past| about(job, &past.id))))
}

/// A job was parked: its case calls a person, and its timeline says why. Nothing happens to it by itself any more.
pub(crate) async fn give_up(
    tx: &mut Tx,
    keyring: &Keyring,
    job: &Job,
    why: &str,
    (now, at): (BusinessTime, i64),
) -> bursar_store::Result<()> {
    let mut case = match case_of(tx, keyring, job).await {
        Ok(Some(case)) if !case.state.is_closed() => case,
        Ok(_) => return Ok(()),
        // Its rows cannot be read, which may be why the job failed: it is parked all the same.
        Err(error @ (Error::Corrupt { .. } | Error::Unsealable(_))) => {
            tracing::warn!(job = %job.id, %error, "the case of a parked job cannot be told");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    case.state = CaseState::NeedsPerson;
    case.updated_at = now.micros();
    cases::save(tx, keyring, &case, at).await?;
    let line = json!({"work": job.kind, "job": job.id.as_str(), "why": why});
    approve::note(tx, keyring, &case, "stopped", &Actor::Engine, line, (now, at)).await
}

/// The case that a job is about, where it is about one.
async fn case_of(tx: &mut Tx, keyring: &Keyring, job: &Job) -> bursar_store::Result<Option<Case>> {
    let named = |field: &str| job.payload[field].as_str();
    let case = match job.kind.as_str() {
        "decide" | "timer" => {
            let Ok(key) = serde_json::from_value::<CaseKey>(job.payload["key"].clone()) else {
                return Ok(None);
            };
            return cases::open_of(tx, keyring, &job.lane, &key).await;
        }
        "execute" => proposal_of(tx, keyring, job).await?.map(|proposal| proposal.case),
        "expire" => match named("approval").and_then(|id| id.parse::<ApprovalId>().ok()) {
            Some(id) => approvals::get(tx, &id).await?.map(|approval| approval.case),
            None => None,
        },
        _ => None,
    };
    match case {
        Some(case) => cases::get(tx, keyring, &case).await,
        None => Ok(None),
    }
}

async fn proposal_of(db: &mut Db, keyring: &Keyring, job: &Job) -> bursar_store::Result<Option<Proposal>> {
    match job.payload["proposal"].as_str().and_then(|id| id.parse::<ProposalId>().ok()) {
        Some(id) => proposals::get(db, keyring, &id).await,
        None => Ok(None),
    }
}
