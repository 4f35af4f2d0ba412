//! A person must look: the case says so, or the one that is open on the same object by now.

use bursar_domain::case::CaseState;
use bursar_domain::id::CaseId;
use bursar_domain::time::BusinessTime;
use bursar_store::cases::{self, Case};
use bursar_store::seal::Keyring;
use bursar_store::{Error, Result, Tx};

/// Puts it before people, in whichever case of the same key is open; answers that case. Of one key only one case is open:
/// a closed one opens again where nobody has opened another since. Times are business and machine.
pub(crate) async fn call_person(
    tx: &mut Tx,
    keyring: &Keyring,
    id: &CaseId,
    (now, at): (BusinessTime, i64),
) -> Result<Case> {
    let own = cases::get(tx, keyring, id).await?;
    let own = own.ok_or_else(|| Error::corrupt("cases", "id", id.as_str()))?;
    let mut case = match cases::open_of(tx, keyring, &own.lane, &own.key).await? {
        Some(open) => open,
        None => own,
    };
    case.state = CaseState::NeedsPerson;
    case.updated_at = now.micros();
    cases::save(tx, keyring, &case, at).await?;
    Ok(case)
}
