//! What happened in a case, in order, for people. The words are sealed: they may name a customer.

use bursar_domain::actor::Actor;
use bursar_domain::id::CaseId;
use serde_json::Value as Json;

use crate::seal::Keyring;
use crate::{Db, Error, Result, Tx, params};

#[derive(Clone, Debug)]
pub struct NewEntry<'a> {
    pub case: &'a CaseId,
    pub lane: &'a str,
    pub subject: &'a str,
    /// Business time.
    pub at: i64,
    /// Machine time.
    pub written_at: i64,
    /// `event`, `decision`, `proposal`, `verdict`, `vote`, `execution`, `message`, `note`.
    pub kind: &'static str,
    pub actor: &'a Actor,
    pub body: Json,
}

pub async fn add(tx: &mut Tx, keyring: &Keyring, entry: NewEntry<'_>) -> Result<()> {
    // Whoever else adds to this case waits until our place is taken.
    let for_update = tx.for_update();
    tx.built(format!("SELECT id FROM cases WHERE id = $1 {for_update}"), params![entry.case.as_str()])
        .await?;
    let place =
        tx.number("SELECT COUNT(*) FROM timeline WHERE case_id = $1", params![entry.case.as_str()]).await?;
    let id = format!("{}:{place}", entry.case);
    let key = keyring.for_writing(tx, entry.lane, entry.subject, entry.written_at).await?;
    let body = keyring.seal(&key, &purpose(&id), entry.body.to_string().as_bytes())?;
    let actor = serde_json::to_string(entry.actor)
        .map_err(|_| Error::corrupt("timeline", "actor", entry.case.as_str()))?;
    let sql = "INSERT INTO timeline (id, case_id, at, written_at, place, kind, actor, subject, lane, body)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let row = params![
        &id,
        entry.case.as_str(),
        entry.at,
        entry.written_at,
        place,
        entry.kind,
        &actor,
        entry.subject,
        entry.lane,
        &body
    ];
    tx.execute(sql, row).await.map(|_| ())
}

fn purpose(id: &str) -> String {
    format!("timeline\n{id}")
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Entry {
    pub id: String,
    pub at: i64,
    pub kind: String,
    pub actor: Actor,
    pub body: Json,
}

/// Oldest first.
pub async fn of_case(db: &mut Db, keyring: &Keyring, case: &CaseId) -> Result<Vec<Entry>> {
    let sql =
        "SELECT id, at, kind, actor, subject, lane, body FROM timeline WHERE case_id = $1 ORDER BY place";
    let rows = db.all(sql, params![case.as_str()]).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = row.text("id")?;
        let key = keyring.for_reading(db, &row.text("lane")?, &row.text("subject")?).await?;
        let plain = keyring.unseal(&key, &purpose(&id), &row.blob("body")?)?;
        entries.push(Entry {
            at: row.int("at")?,
            kind: row.text("kind")?,
            actor: row.json("timeline", "actor")?,
            body: serde_json::from_slice(&plain).map_err(|_| Error::corrupt("timeline", "body", &id))?,
            id,
        });
    }
    Ok(entries)
}
