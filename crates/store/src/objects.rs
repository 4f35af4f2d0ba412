//! The mirror: our copy of Stripe objects, by lane, kind and id. An older snapshot never replaces a newer one; two of
//! one second mark the object stale, so that it is read again before use.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value as Json;

use crate::dialect::{ROWS_MAX, values};
use crate::planted::{Bug, planted};
use crate::seal::{Keyring, NO_SUBJECT};
use crate::{Db, Error, Result, Tx, Value, params};

/// A snapshot to be mirrored.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub lane: String,
    pub kind: String,
    pub id: String,
    /// Business time, microseconds: the event's creation, or the moment of the read.
    pub version_at: i64,
    pub came_by: CameBy,
    pub deleted: bool,
    /// Another version's shape, or another time's: kept, and read again before it is used.
    pub doubtful: bool,
    pub customer: Option<String>,
    pub body: Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameBy {
    /// In an event, whose time is whole seconds.
    Event,
    /// Read from Stripe: the truth at that moment. `over` is the version that was held when the read began: what came
    /// in meanwhile may be newer than what was read.
    Read { over: Option<i64> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Stored,
    /// Older than what we hold.
    Older,
    /// As old as what we hold: marked for reading again.
    Tied,
}

/// One mirrored object.
#[derive(Clone, Debug)]
pub struct Mirrored {
    pub body: Json,
    pub version_at: i64,
    pub stale: bool,
    pub deleted: bool,
}

const SECOND: i64 = 1_000_000;

pub async fn put(tx: &mut Tx, keyring: &Keyring, new: &Snapshot, at: i64) -> Result<Kept> {
    let kept = put_many(tx, keyring, &[new], at).await?;
    kept.first().copied().ok_or_else(|| Error::Conflict(format!("{} {}", new.kind, new.id)))
}

/// Keeps many, as if each came by itself in this order; answers in it.
pub async fn put_many(tx: &mut Tx, keyring: &Keyring, new: &[&Snapshot], at: i64) -> Result<Vec<Kept>> {
    let mut all = Vec::with_capacity(new.len());
    for chunk in new.chunks(ROWS_MAX) {
        let mut held = held(tx, chunk).await?;
        let mut stored: BTreeMap<Name<'_>, Stored<'_>> = BTreeMap::new();
        for new in chunk {
            let name = (new.lane.as_str(), new.kind.as_str(), new.id.as_str());
            let owned = (new.lane.clone(), new.kind.clone(), new.id.clone());
            let (kept, version_at) = judge(new, held.get(&owned).copied());
            match kept {
                Kept::Stored => {
                    stored.insert(name, Stored { new, version_at, stale: new.doubtful });
                    held.insert(owned, (version_at, new.deleted));
                }
                Kept::Tied => {
                    if let Some(stored) = stored.get_mut(&name) {
                        stored.stale = true;
                    } else {
                        mark_stale(tx, &new.lane, &new.kind, &new.id).await?;
                        held.entry(owned).and_modify(|(version_at, _)| *version_at += 1);
                    }
                }
                Kept::Older => {}
            }
            all.push(kept);
        }
        let stored: Vec<Stored<'_>> = stored.into_values().collect();
        store(tx, keyring, &stored, at).await?;
    }
    Ok(all)
}

/// Lane, kind and id: the order in which rows are locked, so that two who do this never wait for one another.
type Name<'s> = (&'s str, &'s str, &'s str);

/// What is written of an object.
struct Stored<'s> {
    new: &'s Snapshot,
    version_at: i64,
    stale: bool,
}

/// Version and whether deleted, of what we hold.
type Held = (i64, bool);

async fn held(tx: &mut Tx, wanted: &[&Snapshot]) -> Result<HashMap<(String, String, String), Held>> {
    let names: Vec<Value<'_>> = wanted
        .iter()
        .flat_map(|new| [Value::from(&new.lane), (&new.kind).into(), (&new.id).into()])
        .collect();
    // What is judged now must still be so when it is replaced; in one order, so that two who do this never wait for one
    // another.
    let for_update = tx.for_update();
    let sql = format!(
        "SELECT lane, kind, id, version_at, deleted FROM objects
         WHERE (lane, kind, id) IN (SELECT column1, column2, column3 FROM (VALUES {}) AS wanted)
         ORDER BY lane, kind, id {for_update}",
        values(wanted.len(), 3)
    );
    let mut held = HashMap::new();
    for row in tx.built(sql, &names).await? {
        let name = (row.text("lane")?, row.text("kind")?, row.text("id")?);
        held.insert(name, (row.int("version_at")?, row.flag("deleted")?));
    }
    Ok(held)
}

/// What becomes of a snapshot beside what we hold, and the version it is stored under.
fn judge(new: &Snapshot, held: Option<Held>) -> (Kept, i64) {
    let Some((version_at, deleted)) = held else { return (Kept::Stored, new.version_at) };
    if planted(Bug::OrderTrusted) {
        return (Kept::Stored, new.version_at.max(version_at.saturating_add(1)));
    }
    // An event says only its second; what we hold from within that second may be older or newer.
    let (ours, theirs) = (version_at.div_euclid(SECOND), new.version_at.div_euclid(SECOND));
    if theirs < ours || (deleted && !new.deleted && theirs <= ours) {
        return (Kept::Older, version_at);
    }
    let tied = match new.came_by {
        CameBy::Event => !new.deleted,
        CameBy::Read { over } => over != Some(version_at),
    };
    if theirs == ours && tied {
        return (Kept::Tied, version_at);
    }
    // A read of the same second comes after what it was made over, whatever the clocks say.
    (Kept::Stored, new.version_at.max(version_at.saturating_add(1)))
}

async fn store(tx: &mut Tx, keyring: &Keyring, stored: &[Stored<'_>], at: i64) -> Result<()> {
    if stored.is_empty() {
        return Ok(());
    }
    let subjects: Vec<(&str, &str)> = stored
        .iter()
        .map(|Stored { new, .. }| (new.lane.as_str(), new.customer.as_deref().unwrap_or(NO_SUBJECT)))
        .collect();
    let keys = keyring.for_writing_many(tx, &subjects, at).await?;
    let mut bodies = Vec::with_capacity(stored.len());
    for (Stored { new, .. }, key) in stored.iter().zip(&keys) {
        bodies.push(keyring.seal(key, &purpose(&new.kind, &new.id), new.body.to_string().as_bytes())?);
    }
    let mut rows: Vec<Value<'_>> = Vec::with_capacity(stored.len() * 9);
    for ((Stored { new, version_at, stale }, (_, subject)), body) in stored.iter().zip(&subjects).zip(&bodies)
    {
        rows.extend([
            Value::from(&new.lane),
            (&new.kind).into(),
            (&new.id).into(),
            (*version_at).into(),
            (*stale).into(),
            new.deleted.into(),
            new.customer.as_deref().into(),
            (*subject).into(),
            body.into(),
        ]);
    }
    let sql = format!(
        "INSERT INTO objects (lane, kind, id, version_at, stale, deleted, customer, subject, body)
         SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL
         ON CONFLICT (lane, kind, id) DO UPDATE SET version_at = excluded.version_at, stale = excluded.stale,
             deleted = excluded.deleted, customer = excluded.customer, subject = excluded.subject,
             body = excluded.body
         WHERE objects.version_at < excluded.version_at",
        values(stored.len(), 9)
    );
    tx.built(sql, &rows).await.map(|_| ())
}

fn purpose(kind: &str, id: &str) -> String {
    format!("objects\n{kind}\n{id}")
}

pub async fn get(
    db: &mut Db,
    keyring: &Keyring,
    lane: &str,
    kind: &str,
    id: &str,
) -> Result<Option<Mirrored>> {
    let sql = "SELECT version_at, stale, deleted, subject, body FROM objects
               WHERE lane = $1 AND kind = $2 AND id = $3";
    let Some(row) = db.first(sql, params![lane, kind, id]).await? else { return Ok(None) };
    let key = keyring.for_reading(db, lane, &row.text("subject")?).await?;
    let plain = keyring.unseal(&key, &purpose(kind, id), &row.blob("body")?)?;
    let body = serde_json::from_slice(&plain).map_err(|_| Error::corrupt("objects", "body", id))?;
    Ok(Some(Mirrored {
        body,
        version_at: row.int("version_at")?,
        stale: row.flag("stale")?,
        deleted: row.flag("deleted")?,
    }))
}

/// The version that is held: what a read begins over.
pub async fn version(db: &mut Db, lane: &str, kind: &str, id: &str) -> Result<Option<i64>> {
    let sql = "SELECT version_at FROM objects WHERE lane = $1 AND kind = $2 AND id = $3";
    db.first(sql, params![lane, kind, id]).await?.map(|row| row.int("version_at")).transpose()
}

/// Marks an object for reading again: something happened to it that we did not see. The version moves by the least there
/// is, so that a read that began before does not take the mark away.
pub async fn mark_stale(tx: &mut Tx, lane: &str, kind: &str, id: &str) -> Result<()> {
    let sql = "UPDATE objects SET stale = TRUE, version_at = version_at + 1 WHERE lane = $1 AND kind = $2 AND id = $3";
    tx.execute(sql, params![lane, kind, id]).await.map(|_| ())
}
