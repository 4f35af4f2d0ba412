//! Decisions and the inputs they rested on. Inputs are content-addressed and sealed; with the hashes of settings and
//! policies, the mode and the business time they are all that a replay needs.

use bursar_domain::audit::Commitment;
use bursar_domain::canonical::hash_hex;
use bursar_domain::id::{CaseId, DecisionId};

use crate::audit::{self, Table};
use crate::dialect::{ROWS_MAX, values};
use crate::seal::Keyring;
use crate::{Db, Result, Tx, Value, params};

#[derive(Clone, Debug)]
pub struct NewDecision {
    pub id: DecisionId,
    pub lane: String,
    pub case: CaseId,
    pub playbook: String,
    /// Business time.
    pub at: i64,
    pub signal: String,
    pub class: String,
    pub rule: String,
    pub mode: String,
    pub policy_set: String,
    pub settings_hash: String,
    pub inputs_hash: String,
}

/// Adds decisions; answers what commits to each.
pub async fn add(tx: &mut Tx, new: &[&NewDecision]) -> Result<Vec<Commitment>> {
    let mut commits = Vec::with_capacity(new.len());
    for chunk in new.chunks(ROWS_MAX) {
        let mut rows: Vec<Value<'_>> = Vec::with_capacity(chunk.len() * 12);
        for new in chunk {
            rows.extend([Value::from(new.id.as_str()), (&new.lane).into(), new.case.as_str().into()]);
            rows.extend([Value::from(&new.playbook), new.at.into(), (&new.signal).into()]);
            rows.extend([&new.class, &new.rule, &new.mode, &new.policy_set].map(Value::from));
            rows.extend([&new.settings_hash, &new.inputs_hash].map(Value::from));
        }
        let sql = format!(
            "INSERT INTO decisions (id, lane, case_id, playbook, at, signal, class, rule, mode, policy_set, settings_hash,
                 inputs_hash) SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL",
            values(chunk.len(), 12)
        );
        let keys: Vec<&str> = chunk.iter().map(|new| new.id.as_str()).collect();
        commits.extend(audit::insert(tx, (Table::Decisions, &keys), &sql, &rows).await?);
    }
    Ok(commits)
}

/// What a decision rested on.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    pub lane: &'a str,
    pub subject: &'a str,
    pub bytes: &'a [u8],
    /// By [`inputs_hash`].
    pub hash: &'a str,
}

/// What inputs are known by.
pub fn inputs_hash(bytes: &[u8]) -> String {
    hash_hex(bytes)
}

/// Keeps the bytes of inputs under their hash, once a lane; answers what commits to each.
pub async fn keep_inputs(
    tx: &mut Tx,
    keyring: &Keyring,
    inputs: &[Inputs<'_>],
    at: i64,
) -> Result<Vec<Commitment>> {
    let subjects: Vec<(&str, &str)> = inputs.iter().map(|one| (one.lane, one.subject)).collect();
    let keys = keyring.for_writing_many(tx, &subjects, at).await?;
    let mut sealed = Vec::with_capacity(inputs.len());
    for (one, key) in inputs.iter().zip(&keys) {
        let body = keyring.seal(key, &purpose(one.hash), one.bytes)?;
        sealed.push(([one.lane, one.hash].join(" "), one, body));
    }
    let mut commits = Vec::with_capacity(inputs.len());
    for chunk in sealed.chunks(ROWS_MAX) {
        let rows: Vec<Value<'_>> = chunk
            .iter()
            .flat_map(|(_, one, body)| [one.lane.into(), one.hash.into(), one.subject.into(), body.into()])
            .collect();
        let sql = format!(
            "INSERT INTO inputs (lane, hash, subject, body)
             SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING",
            values(chunk.len(), 4)
        );
        let keys: Vec<&str> = chunk.iter().map(|(key, _, _)| key.as_str()).collect();
        commits.extend(audit::insert(tx, (Table::Inputs, &keys), &sql, &rows).await?);
    }
    Ok(commits)
}

fn purpose(hash: &str) -> String {
    format!("inputs\n{hash}")
}

/// The inputs of a decision, for replay.
pub async fn inputs(db: &mut Db, keyring: &Keyring, lane: &str, hash: &str) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT subject, body FROM inputs WHERE lane = $1 AND hash = $2";
    let Some(row) = db.first(sql, params![lane, hash]).await? else { return Ok(None) };
    let key = keyring.for_reading(db, lane, &row.text("subject")?).await?;
    keyring.unseal(&key, &purpose(hash), &row.blob("body")?).map(Some)
}

/// A decision as kept.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Stored {
    pub id: String,
    pub lane: String,
    pub at: i64,
    pub playbook: String,
    pub signal: String,
    pub class: String,
    pub rule: String,
    pub mode: String,
    pub policy_set: String,
    pub settings_hash: String,
    pub inputs_hash: String,
}

/// Of a case, oldest first.
pub async fn of_case(db: &mut Db, case: &CaseId) -> Result<Vec<Stored>> {
    let sql =
        "SELECT id, lane, at, playbook, signal, class, rule, mode, policy_set, settings_hash, inputs_hash
               FROM decisions WHERE case_id = $1 ORDER BY at, id";
    let rows = db.all(sql, params![case.as_str()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Stored {
                id: row.text("id")?,
                lane: row.text("lane")?,
                at: row.int("at")?,
                playbook: row.text("playbook")?,
                signal: row.text("signal")?,
                class: row.text("class")?,
                rule: row.text("rule")?,
                mode: row.text("mode")?,
                policy_set: row.text("policy_set")?,
                settings_hash: row.text("settings_hash")?,
                inputs_hash: row.text("inputs_hash")?,
            })
        })
        .collect()
}
