//! What happened in a case, in order, for people. The words are sealed: they may name a customer.

use bursar_domain::actor::Actor;
use bursar_domain::id::CaseId;
use serde_json::Value as Json;

use crate::dialect::{ROWS_MAX, Value, values};
use crate::seal::Keyring;
use crate::{Db, Error, Result, Tx, params};

/// The case that lines are added to, and when.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    pub case: &'a CaseId,
    pub lane: &'a str,
    pub subject: &'a str,
    /// Business time.
    pub at: i64,
    /// Machine time.
    pub written_at: i64,
}

#[derive(Clone, Debug)]
pub struct NewEntry<'a> {
    /// `event`, `decision`, `proposal`, `verdict`, `vote`, `execution`, `message`, `note`.
    pub kind: &'static str,
    pub actor: &'a Actor,
    pub body: Json,
}

/// Adds lines to one case, in their order.
pub async fn add(tx: &mut Tx, keyring: &Keyring, of: Of<'_>, entries: &[NewEntry<'_>]) -> Result<()> {
    let Some(taken) = places_taken(tx, of.case, entries.len()).await? else { return Ok(()) };
    let key = keyring.for_writing(tx, of.lane, of.subject, of.written_at).await?;
    for (chunk, first) in entries.chunks(ROWS_MAX).zip((taken..).step_by(ROWS_MAX)) {
        let mut lines = Vec::with_capacity(chunk.len());
        for (entry, place) in chunk.iter().zip(first..) {
            let id = format!("{}:{place}", of.case);
            let body = keyring.seal(&key, &purpose(&id), entry.body.to_string().as_bytes())?;
            let actor = serde_json::to_string(entry.actor)
                .map_err(|_| Error::corrupt("timeline", "actor", of.case.as_str()))?;
            lines.push((id, place, entry.kind, actor, body));
        }
        let rows: Vec<Value<'_>> = lines.iter().flat_map(|line| row(&of, line)).collect();
        let sql = format!(
            "INSERT INTO timeline (id, case_id, at, written_at, place, kind, actor, subject, lane, body)
             SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL",
            values(chunk.len(), 10)
        );
        tx.built(sql, &rows).await?;
    }
    Ok(())
}

/// How many places are taken, where any more are wanted. Whoever else adds to this case waits until ours are taken too.
async fn places_taken(tx: &mut Tx, case: &CaseId, wanted: usize) -> Result<Option<i64>> {
    if wanted == 0 {
        return Ok(None);
    }
    let for_update = tx.for_update();
    if !for_update.is_empty() {
        tx.built(format!("SELECT id FROM cases WHERE id = $1 {for_update}"), params![case.as_str()]).await?;
    }
    tx.number("SELECT COUNT(*) FROM timeline WHERE case_id = $1", params![case.as_str()]).await.map(Some)
}

type Line = (String, i64, &'static str, String, Vec<u8>);

fn row<'a>(of: &Of<'a>, (id, place, kind, actor, body): &'a Line) -> [Value<'a>; 10] {
    [
        id.into(),
        of.case.as_str().into(),
        of.at.into(),
        of.written_at.into(),
        (*place).into(),
        (*kind).into(),
        actor.into(),
        of.subject.into(),
        of.lane.into(),
        body.into(),
    ]
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
