//! Bytes that Stripe signed and we could not use: kept once, with the reason, acted upon never.

use bursar_domain::audit::Commitment;
use bursar_domain::canonical::hash_hex;
use bursar_domain::id::{AuditId, QuarantineId};

use crate::audit::{self, Record, Table};
use crate::seal::{Keyring, NO_SUBJECT};
use crate::{Db, Result, Tx, params};

/// The lane under whose key unplaceable bytes are sealed.
const NO_LANE: &str = "-";

#[derive(Clone, Debug)]
pub struct NewQuarantined {
    pub id: QuarantineId,
    /// The entry that records it.
    pub entry: AuditId,
    pub lane: Option<String>,
    pub reason: &'static str,
    pub source: &'static str,
    pub received_at: i64,
    pub body: Vec<u8>,
}

/// Keeps it; the same bytes for the same reason only once. Answers whether it is new.
pub async fn keep(tx: &mut Tx, keyring: &Keyring, new: NewQuarantined) -> Result<bool> {
    let body_hash = hash_hex(&new.body);
    let known = "SELECT COUNT(*) FROM quarantine WHERE body_hash = $1 AND reason = $2";
    if tx.number(known, params![&body_hash, new.reason]).await? > 0 {
        return Ok(false);
    }
    let lane = new.lane.as_deref().unwrap_or(NO_LANE);
    let key = keyring.for_writing(tx, lane, NO_SUBJECT, new.received_at).await?;
    let sealed = keyring.seal(&key, &purpose(new.id.as_str()), &new.body)?;
    let sql = "INSERT INTO quarantine (id, lane, reason, source, received_at, body_hash, body)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let row = params![
        new.id.as_str(),
        new.lane.as_deref(),
        new.reason,
        new.source,
        new.received_at,
        &body_hash,
        &sealed
    ];
    tx.execute(sql, row).await?;
    let commits: Vec<Commitment> = vec![audit::commitment(tx, Table::Quarantine, new.id.as_str()).await?];
    let data = serde_json::json!({"reason": new.reason, "source": new.source});
    let record = Record {
        id: new.entry,
        at: new.received_at,
        kind: "event.quarantined",
        lane: new.lane,
        actor: None,
        data,
        commits,
    };
    audit::append(tx, record).await?;
    Ok(true)
}

fn purpose(id: &str) -> String {
    format!("quarantine\n{id}")
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Listed {
    pub id: String,
    pub lane: Option<String>,
    pub reason: String,
    pub source: String,
    pub received_at: i64,
}

/// Newest first.
pub async fn list(db: &mut Db, limit: i64) -> Result<Vec<Listed>> {
    let sql =
        "SELECT id, lane, reason, source, received_at FROM quarantine ORDER BY received_at DESC LIMIT $1";
    let rows = db.all(sql, params![limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                id: row.text("id")?,
                lane: row.opt_text("lane")?,
                reason: row.text("reason")?,
                source: row.text("source")?,
                received_at: row.int("received_at")?,
            })
        })
        .collect()
}

pub async fn count(db: &mut Db) -> Result<i64> {
    db.number("SELECT COUNT(*) FROM quarantine", &[]).await
}
