//! Executions: the intent with the exact request bytes before any socket, then what came of it. A row is never deleted,
//! and a final state is never left.

use bursar_domain::audit::Commitment;
use bursar_domain::canonical::hash_hex;
use bursar_domain::execution::{ExecutionState, Receipt};
use bursar_domain::id::{CaseId, ExecutionId, ProposalId};
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_stripe::money::Money;

use crate::audit::{self, Table, only};
use crate::seal::Keyring;
use crate::{Db, Error, Result, Row, Tx, params};

/// What is going to be sent, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub id: ExecutionId,
    pub lane: String,
    pub proposal: ProposalId,
    pub case: CaseId,
    pub verb: String,
    pub digest: String,
    pub idempotency_key: String,
    pub method: String,
    pub path: String,
    pub api_version: String,
    /// The `Stripe-Account` header, for a connected account.
    pub account: Option<String>,
    pub subject: String,
    pub request: Vec<u8>,
    pub intended_at: BusinessTime,
    /// After this nothing is sent any more.
    pub deadline_at: BusinessTime,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    pub intent: Intent,
    pub state: ExecutionState,
    /// When the first of those was sent that may have arrived.
    pub first_sent_at: Option<BusinessTime>,
    pub sends: i64,
    /// Of the sends, those that may have arrived.
    pub maybe_sent: i64,
    /// What it holds of a day's budget; nothing once that was given back.
    pub reserved: Option<Reserved>,
    pub waiting_for: Option<String>,
    /// Until when Stripe's own approval can be given.
    pub waiting_until: Option<BusinessTime>,
    /// When the first complete read found nothing.
    pub absent_since: Option<MachineTime>,
    pub outcome_at: Option<BusinessTime>,
    pub outcome_code: Option<String>,
    pub receipt: Option<Receipt>,
}

impl Execution {
    /// Whether surely nothing has left this machine, and nothing is known of an end.
    pub fn never_left(&self) -> bool {
        self.maybe_sent == 0 && matches!(self.state, ExecutionState::Intent | ExecutionState::Unknown)
    }
}

/// What an execution holds of a day's budget.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reserved {
    /// A day of business time in the installation's zone, `2026-11-21`.
    pub day: String,
    /// How much of which counter.
    pub taken: Vec<(String, Money)>,
}

fn purpose(id: &str) -> String {
    format!("executions\n{id}")
}

pub async fn add(tx: &mut Tx, keyring: &Keyring, intent: &Intent, at: i64) -> Result<Commitment> {
    let key = keyring.for_writing(tx, &intent.lane, &intent.subject, at).await?;
    let sealed = keyring.seal(&key, &purpose(intent.id.as_str()), &intent.request)?;
    let request_hash = hash_hex(&sealed);
    let sql = "INSERT INTO executions (id, lane, proposal_id, case_id, verb, digest, idempotency_key, request_method,
                   request_path, request_hash, api_version, account, subject, request, intended_at, deadline_at, sends,
                   maybe_sent, state)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, 0, 'intent')";
    let row = params![
        intent.id.as_str(),
        &intent.lane,
        intent.proposal.as_str(),
        intent.case.as_str(),
        &intent.verb,
        &intent.digest,
        &intent.idempotency_key,
        &intent.method,
        &intent.path,
        &request_hash,
        &intent.api_version,
        intent.account.as_deref(),
        &intent.subject,
        &sealed,
        intent.intended_at.micros(),
        intent.deadline_at.micros()
    ];
    only(audit::insert(tx, (Table::Executions, &[intent.id.as_str()]), sql, row).await?)
}

/// What must never be: [`crate::planted::Bug::IntentDeleted`].
#[cfg(feature = "planted")]
pub async fn forget(tx: &mut Tx, id: &ExecutionId) -> Result<()> {
    tx.execute("DELETE FROM executions WHERE id = $1", params![id.as_str()]).await.map(|_| ())
}

/// Counts a send before the socket is opened, and remembers the first that may have arrived. What an earlier send came to
/// is forgotten: from here on this one may have happened.
pub async fn mark_sent(tx: &mut Tx, id: &ExecutionId, now: BusinessTime) -> Result<()> {
    let sql = "UPDATE executions SET sends = sends + 1, maybe_sent = maybe_sent + 1,
                   first_sent_at = CASE WHEN maybe_sent = 0 THEN $1 ELSE first_sent_at END, state = 'unknown',
                   outcome_code = NULL
               WHERE id = $2 AND state IN ('intent', 'unknown')";
    tx.execute_one("the execution has ended", sql, params![now.micros(), id.as_str()]).await
}

/// The last send that was counted surely did not leave.
pub async fn mark_not_sent(tx: &mut Tx, id: &ExecutionId) -> Result<()> {
    let sql = "UPDATE executions SET maybe_sent = maybe_sent - 1 WHERE id = $1 AND maybe_sent > 0";
    tx.execute_one("nothing was counted as sent", sql, params![id.as_str()]).await
}

/// The copy that this database is does not know what became of it: from here on it is in doubt, and counts as sent.
pub async fn doubt(
    tx: &mut Tx,
    id: &ExecutionId,
    sent_at: BusinessTime,
    now: BusinessTime,
    code: &str,
) -> Result<()> {
    let sql = "UPDATE executions SET sends = sends + 1, maybe_sent = maybe_sent + 1, first_sent_at = $1, state = 'in_doubt',
                   outcome_at = $2, outcome_code = $3, waiting_for = NULL
               WHERE id = $4 AND maybe_sent = 0 AND state IN ('intent', 'unknown')";
    let row = params![sent_at.micros(), now.micros(), code, id.as_str()];
    tx.execute_one("something is known of it", sql, row).await
}

/// Notes what it holds of a day's budget.
pub async fn reserve(tx: &mut Tx, id: &ExecutionId, reserved: &Reserved) -> Result<()> {
    let text =
        serde_json::to_string(reserved).map_err(|_| Error::corrupt("executions", "reserved", id.as_str()))?;
    let sql = "UPDATE executions SET reserved = $1 WHERE id = $2 AND reserved IS NULL";
    tx.execute_one("it holds something of a budget already", sql, params![&text, id.as_str()]).await
}

/// Takes from it what it holds of a day's budget, so that nobody can give that back twice.
pub async fn release(tx: &mut Tx, id: &ExecutionId) -> Result<Option<Reserved>> {
    let sql = "SELECT id, reserved FROM executions WHERE id = $1";
    let Some(row) = tx.first(sql, params![id.as_str()]).await? else { return Ok(None) };
    let held = reserved(&row)?;
    if held.is_some() {
        let sql = "UPDATE executions SET reserved = NULL WHERE id = $1 AND reserved IS NOT NULL";
        tx.execute_one("somebody else gave it back", sql, params![id.as_str()]).await?;
    }
    Ok(held)
}

fn reserved(row: &Row) -> Result<Option<Reserved>> {
    match row.opt_text("reserved")? {
        Some(_) => row.json("executions", "reserved").map(Some),
        None => Ok(None),
    }
}

/// Until when what is parked at Stripe can be agreed to there; nothing where no limit holds.
pub async fn wait_until(tx: &mut Tx, id: &ExecutionId, until: Option<BusinessTime>) -> Result<()> {
    let sql = "UPDATE executions SET waiting_until = $1 WHERE id = $2";
    tx.execute(sql, params![until.map(BusinessTime::micros), id.as_str()]).await.map(|_| ())
}

/// What is now known of an execution that is not final.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    pub state: ExecutionState,
    pub code: Option<&'a str>,
    pub waiting_for: Option<&'a str>,
    pub absent_since: Option<MachineTime>,
    pub receipt: Option<&'a Receipt>,
}

pub async fn record(tx: &mut Tx, id: &ExecutionId, progress: &Progress<'_>, now: BusinessTime) -> Result<()> {
    let receipt = progress
        .receipt
        .map(serde_json::to_string)
        .transpose()
        .map_err(|_| Error::corrupt("executions", "receipt", id.as_str()))?;
    let ended = progress.state.is_final() || progress.state == ExecutionState::InDoubt;
    let outcome_at = ended.then(|| now.micros());
    let sql = "UPDATE executions SET state = $1, outcome_at = $2, outcome_code = $3, waiting_for = $4, absent_since = $5,
                   receipt = $6
               WHERE id = $7 AND state NOT IN ('done', 'refused', 'no_effect')";
    let row = params![
        progress.state.as_str(),
        outcome_at,
        progress.code,
        progress.waiting_for,
        progress.absent_since.map(MachineTime::micros),
        receipt.as_deref(),
        id.as_str()
    ];
    tx.execute_one("the execution has ended", sql, row).await
}

const COLUMNS: &str = "id, lane, proposal_id, case_id, verb, digest, idempotency_key, request_method, request_path, \
                       api_version, account, subject, request, intended_at, deadline_at, first_sent_at, sends, \
                       maybe_sent, reserved, state, waiting_for, waiting_until, \
                       absent_since, outcome_at, outcome_code, receipt";

async fn from_row(db: &mut Db, keyring: &Keyring, row: &Row) -> Result<Execution> {
    let (id, lane, subject) = (row.text("id")?, row.text("lane")?, row.text("subject")?);
    let key = keyring.for_reading(db, &lane, &subject).await?;
    let request = keyring.unseal(&key, &purpose(&id), &row.blob("request")?)?;
    let time = |column| row.opt_int(column).map(|at| at.map(BusinessTime::from_micros));
    let receipt = row.opt_text("receipt")?;
    Ok(Execution {
        intent: Intent {
            id: row.parse("executions", "id", |text| text.parse().ok())?,
            proposal: row.parse("executions", "proposal_id", |text| text.parse().ok())?,
            case: row.parse("executions", "case_id", |text| text.parse().ok())?,
            verb: row.text("verb")?,
            digest: row.text("digest")?,
            idempotency_key: row.text("idempotency_key")?,
            method: row.text("request_method")?,
            path: row.text("request_path")?,
            api_version: row.text("api_version")?,
            account: row.opt_text("account")?,
            intended_at: BusinessTime::from_micros(row.int("intended_at")?),
            deadline_at: BusinessTime::from_micros(row.int("deadline_at")?),
            lane,
            subject,
            request,
        },
        state: row.parse("executions", "state", ExecutionState::parse)?,
        first_sent_at: time("first_sent_at")?,
        sends: row.int("sends")?,
        maybe_sent: row.int("maybe_sent")?,
        reserved: reserved(row)?,
        waiting_for: row.opt_text("waiting_for")?,
        waiting_until: time("waiting_until")?,
        absent_since: row.opt_int("absent_since")?.map(MachineTime::from_micros),
        outcome_at: time("outcome_at")?,
        outcome_code: row.opt_text("outcome_code")?,
        receipt: receipt
            .map(|text| serde_json::from_str(&text).map_err(|_| Error::corrupt("executions", "receipt", &id)))
            .transpose()?,
    })
}

async fn one(db: &mut Db, keyring: &Keyring, tail: &str, value: &str) -> Result<Option<Execution>> {
    let for_update = db.for_update();
    let rows =
        db.built(format!("SELECT {COLUMNS} FROM executions {tail} {for_update}"), params![value]).await?;
    match rows.first() {
        Some(row) => from_row(db, keyring, row).await.map(Some),
        None => Ok(None),
    }
}

pub async fn of_proposal(db: &mut Db, keyring: &Keyring, id: &ProposalId) -> Result<Option<Execution>> {
    one(db, keyring, "WHERE proposal_id = $1", id.as_str()).await
}

pub async fn by_key(db: &mut Db, keyring: &Keyring, idempotency_key: &str) -> Result<Option<Execution>> {
    one(db, keyring, "WHERE idempotency_key = $1", idempotency_key).await
}

/// The proposal whose execution waits at Stripe for this.
pub async fn waiting_for(db: &mut Db, lane: &str, request: &str) -> Result<Option<ProposalId>> {
    let sql = "SELECT proposal_id FROM executions
               WHERE state = 'waiting_at_stripe' AND lane = $1 AND waiting_for = $2 LIMIT 1";
    let row = db.first(sql, params![lane, request]).await?;
    row.map(|row| row.parse("executions", "proposal_id", |text| text.parse().ok())).transpose()
}

/// How many stand in each state.
pub async fn counts(db: &mut Db) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT state, COUNT(*) AS n FROM executions GROUP BY state";
    db.all(sql, &[]).await?.iter().map(|row| Ok((row.text("state")?, row.int("n")?))).collect()
}
