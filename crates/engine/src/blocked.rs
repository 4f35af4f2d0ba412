//! A case whose work cannot go on says so: what it waits for, or that a person must look.

use bursar_domain::actor::Actor;
use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::id::{ApprovalId, ProposalId};
use bursar_domain::time::BusinessTime;
use bursar_store::cases::Case;
use bursar_store::jobs::Job;
use bursar_store::seal::Keyring;
use bursar_store::{Error, Tx, approvals, cases, proposals};
use serde_json::json;

use crate::approve;

/// Writes it into the open case of a decision that waits for the outside. Other jobs say it in their own rows.
pub(crate) async fn note(
    tx: &mut Tx,
    keyring: &Keyring,
    job: &Job,
    why: &str,
    now: BusinessTime,
) -> bursar_store::Result<()> {
    if !matches!(job.kind.as_str(), "decide" | "timer") {
        return Ok(());
    }
    let Ok(key) = serde_json::from_value::<CaseKey>(job.payload["key"].clone()) else { return Ok(()) };
    let Some(mut case) = cases::open_of(tx, keyring, &job.lane, &key).await? else { return Ok(()) };
    let waits = CaseState::Blocked { on: why.to_owned() };
    if case.state == waits || case.state == CaseState::NeedsPerson {
        return Ok(());
    }
    case.state = waits;
    case.updated_at = now.micros();
    cases::save(tx, keyring, &case, now.micros()).await
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
        "execute" => match named("proposal").and_then(|id| id.parse::<ProposalId>().ok()) {
            Some(id) => proposals::get(tx, keyring, &id).await?.map(|proposal| proposal.case),
            None => None,
        },
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
