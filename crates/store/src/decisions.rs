//! Decisions and the inputs they rested on. Inputs are content-addressed and sealed; with the hashes of settings and
//! policies, the mode and the business time they are all that a replay needs.

use bursar_domain::canonical::hash_hex;
use bursar_domain::id::{CaseId, DecisionId};

use crate::seal::Keyring;
use crate::{Db, Result, Tx, params};

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

pub async fn add(tx: &mut Tx, new: &NewDecision) -> Result<()> {
    let sql = "INSERT INTO decisions (id, lane, case_id, playbook, at, signal, class, rule, mode, policy_set,
                   settings_hash, inputs_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let row = params![
        new.id.as_str(),
        &new.lane,
        new.case.as_str(),
        &new.playbook,
        new.at,
        &new.signal,
        &new.class,
        &new.rule,
        &new.mode,
        &new.policy_set,
        &new.settings_hash,
        &new.inputs_hash
    ];
    tx.execute(sql, row).await.map(|_| ())
}

/// Keeps the bytes of a decision's inputs under their hash, once a lane.
pub async fn keep_inputs(
    tx: &mut Tx,
    keyring: &Keyring,
    lane: &str,
    subject: &str,
    inputs: &[u8],
    at: i64,
) -> Result<String> {
    let hash = hash_hex(inputs);
    let key = keyring.for_writing(tx, lane, subject, at).await?;
    let sealed = keyring.seal(&key, &purpose(&hash), inputs)?;
    let sql = "INSERT INTO inputs (lane, hash, subject, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    tx.execute(sql, params![lane, &hash, subject, &sealed]).await?;
    Ok(hash)
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
