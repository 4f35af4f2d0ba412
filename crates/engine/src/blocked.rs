//! A case whose next decision cannot be made yet says what it waits for.

use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::time::BusinessTime;
use bursar_store::jobs::Job;
use bursar_store::seal::Keyring;
use bursar_store::{Tx, cases};

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
