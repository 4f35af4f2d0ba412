//! What happened in a case, in order, for people. The words are sealed: they may name a customer.

use std::collections::HashMap;

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
    add_many(tx, keyring, &[(of, entries)]).await
}

/// Adds lines to cases, none of them named twice.
pub async fn add_many(tx: &mut Tx, keyring: &Keyring, lines: &[(Of<'_>, &[NewEntry<'_>])]) -> Result<()> {
    let cases: Vec<&str> =
        lines.iter().filter(|(_, entries)| !entries.is_empty()).map(|(of, _)| of.case.as_str()).collect();
    let taken = places_taken(tx, &cases).await?;
    let mut written = Vec::new();
    for (of, entries) in lines {
        let key = keyring.for_writing(tx, of.lane, of.subject, of.written_at).await?;
        let first = taken.get(of.case.as_str()).copied().unwrap_or(0);
        for (entry, place) in entries.iter().zip(first..) {
            let id = format!("{}:{place}", of.case);
            let body = keyring.seal(&key, &purpose(&id), entry.body.to_string().as_bytes())?;
            let actor = serde_json::to_string(entry.actor)
                .map_err(|_| Error::corrupt("timeline", "actor", of.case.as_str()))?;
            written.push((of, (id, place, entry.kind, actor, body)));
        }
    }
    for chunk in written.chunks(ROWS_MAX) {
        let rows: Vec<Value<'_>> = chunk.iter().flat_map(|(of, line)| row(of, line)).collect();
        let sql = format!(
            "INSERT INTO timeline (id, case_id, at, written_at, place, kind, actor, subject, lane, body)
             SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL",
            values(chunk.len(), 10)
        );
        tx.built(sql, &rows).await?;
    }
    Ok(())
}

/// How many places are taken, where any are. Whoever else adds to these cases waits until ours are taken too.
async fn places_taken(tx: &mut Tx, cases: &[&str]) -> Result<HashMap<String, i64>> {
    let mut taken = HashMap::new();
    for chunk in cases.chunks(ROWS_MAX) {
        let for_update = tx.for_update();
        let row: Vec<Value<'_>> = chunk.iter().map(|case| Value::from(*case)).collect();
        if !for_update.is_empty() {
            let sql = format!(
                "SELECT id FROM cases WHERE id IN (SELECT column1 FROM (VALUES {}) AS named) ORDER BY id {for_update}",
                values(chunk.len(), 1)
            );
            tx.built(sql, &row).await?;
        }
        let sql = format!(
            "SELECT case_id, COUNT(*) AS n FROM timeline
             WHERE case_id IN (SELECT column1 FROM (VALUES {}) AS named) GROUP BY case_id",
            values(chunk.len(), 1)
        );
        for row in tx.built(sql, &row).await? {
            taken.insert(row.text("case_id")?, row.int("n")?);
        }
    }
    Ok(taken)
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
