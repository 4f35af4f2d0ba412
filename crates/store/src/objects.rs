//! The mirror: our copy of Stripe objects, by lane, kind and id. An older snapshot never replaces a newer one; two of
//! one second mark the object stale, so that it is read again before use.

use serde_json::Value as Json;

use crate::seal::{Keyring, NO_SUBJECT};
use crate::{Db, Error, Result, Tx, params};

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
    let sql = "SELECT version_at, deleted FROM objects WHERE lane = $1 AND kind = $2 AND id = $3";
    let held = tx.first(sql, params![&new.lane, &new.kind, &new.id]).await?;
    let held = held.map(|row| Ok::<_, Error>((row.int("version_at")?, row.flag("deleted")?))).transpose()?;
    if let Some((version_at, deleted)) = held {
        // An event says only its second; what we hold from within that second may be older or newer.
        let (ours, theirs) = (version_at.div_euclid(SECOND), new.version_at.div_euclid(SECOND));
        if theirs < ours || (deleted && !new.deleted && theirs <= ours) {
            return Ok(Kept::Older);
        }
        let tied = match new.came_by {
            CameBy::Event => !new.deleted,
            CameBy::Read { over } => over != Some(version_at),
        };
        if theirs == ours && tied {
            mark_stale(tx, &new.lane, &new.kind, &new.id).await?;
            return Ok(Kept::Tied);
        }
    }
    let subject = new.customer.as_deref().unwrap_or(NO_SUBJECT);
    let key = keyring.for_writing(tx, &new.lane, subject, at).await?;
    let sealed = keyring.seal(&key, &purpose(&new.kind, &new.id), new.body.to_string().as_bytes())?;
    let sql = "INSERT INTO objects (lane, kind, id, version_at, stale, deleted, customer, subject, body)
               VALUES ($1, $2, $3, $4, FALSE, $5, $6, $7, $8)
               ON CONFLICT (lane, kind, id) DO UPDATE SET version_at = excluded.version_at, stale = FALSE,
                   deleted = excluded.deleted, customer = excluded.customer, subject = excluded.subject,
                   body = excluded.body";
    // A read of the same second comes after what it was made over, whatever the clocks say.
    let version_at =
        held.map_or(new.version_at, |(version_at, _)| new.version_at.max(version_at.saturating_add(1)));
    let row = params![
        &new.lane,
        &new.kind,
        &new.id,
        version_at,
        new.deleted,
        new.customer.as_deref(),
        subject,
        &sealed
    ];
    tx.execute(sql, row).await?;
    Ok(Kept::Stored)
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
