//! How far each lane's events are known to be complete, and the holes that polling found and filled.

use std::collections::BTreeMap;

use bursar_domain::id::GapId;

use crate::{Db, Result, Tx, params};

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Poller {
    pub lane: String,
    /// Everything Stripe created up to this second is held.
    pub complete_to_s: i64,
    /// The history before we came is still to be read between these; nothing when they meet.
    pub history_from_s: i64,
    pub history_to_s: i64,
    /// Machine time of the last poll that worked.
    pub polled_at: Option<i64>,
    pub last_error: Option<String>,
}

pub async fn get(db: &mut Db, lane: &str) -> Result<Option<Poller>> {
    let sql = "SELECT lane, complete_to_s, history_from_s, history_to_s, polled_at, last_error FROM pollers
               WHERE lane = $1";
    db.first(sql, params![lane]).await?.map(|row| from_row(&row)).transpose()
}

fn from_row(row: &crate::Row) -> Result<Poller> {
    Ok(Poller {
        lane: row.text("lane")?,
        complete_to_s: row.int("complete_to_s")?,
        history_from_s: row.int("history_from_s")?,
        history_to_s: row.int("history_to_s")?,
        polled_at: row.opt_int("polled_at")?,
        last_error: row.opt_text("last_error")?,
    })
}

pub async fn all(db: &mut Db) -> Result<Vec<Poller>> {
    let sql = "SELECT lane, complete_to_s, history_from_s, history_to_s, polled_at, last_error FROM pollers
               ORDER BY lane";
    db.all(sql, &[]).await?.iter().map(from_row).collect()
}

/// Creates the row of a lane that is followed from `now_s` on, with history before it, or leaves it as it is.
pub async fn start(tx: &mut Tx, lane: &str, now_s: i64, history_from_s: i64) -> Result<()> {
    let sql = "INSERT INTO pollers (lane, complete_to_s, history_from_s, history_to_s)
               VALUES ($1, $2, $3, $2) ON CONFLICT DO NOTHING";
    tx.execute(sql, params![lane, now_s, history_from_s]).await.map(|_| ())
}

/// History was read down to a second.
pub async fn history_read(tx: &mut Tx, lane: &str, down_to_s: i64) -> Result<()> {
    let sql = "UPDATE pollers SET history_to_s = $1 WHERE lane = $2 AND history_to_s > $1";
    tx.execute(sql, params![down_to_s, lane]).await.map(|_| ())
}

/// A poll came to its end: complete to a second that never goes back.
pub async fn completed(tx: &mut Tx, lane: &str, complete_to_s: i64, at: i64) -> Result<()> {
    let sql = "UPDATE pollers SET complete_to_s = CASE WHEN complete_to_s < $1 THEN $1 ELSE complete_to_s END, polled_at = $2, last_error = NULL
               WHERE lane = $3";
    tx.execute(sql, params![complete_to_s, at, lane]).await.map(|_| ())
}

pub async fn failed(tx: &mut Tx, lane: &str, why: &str) -> Result<()> {
    tx.execute("UPDATE pollers SET last_error = $1 WHERE lane = $2", params![why, lane]).await.map(|_| ())
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Gap {
    pub id: String,
    pub lane: String,
    pub from_s: i64,
    pub to_s: i64,
    /// Machine time.
    pub found_at: i64,
    /// How many events it held, and how many of each type.
    pub events: i64,
    pub held: BTreeMap<String, i64>,
}

pub async fn add_gap(
    tx: &mut Tx,
    id: &GapId,
    lane: &str,
    span_s: (i64, i64),
    found_at: i64,
    held: &BTreeMap<String, i64>,
) -> Result<()> {
    let sql = "INSERT INTO gaps (id, lane, from_s, to_s, found_at, events, held) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (events, types) = (held.values().sum::<i64>(), serde_json::json!(held).to_string());
    let row = params![id.as_str(), lane, span_s.0, span_s.1, found_at, events, &types];
    tx.execute(sql, row).await.map(|_| ())
}

/// Newest first.
pub async fn gaps(db: &mut Db, limit: i64) -> Result<Vec<Gap>> {
    let sql =
        "SELECT id, lane, from_s, to_s, found_at, events, held FROM gaps ORDER BY found_at DESC LIMIT $1";
    let rows = db.all(sql, params![limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Gap {
                id: row.text("id")?,
                lane: row.text("lane")?,
                from_s: row.int("from_s")?,
                to_s: row.int("to_s")?,
                found_at: row.int("found_at")?,
                events: row.int("events")?,
                held: row.json("gaps", "held")?,
            })
        })
        .collect()
}

/// The lane a configured connection was last seen to be, with the same key.
pub async fn connection(db: &mut Db, name: &str, key_hash: &str) -> Result<Option<String>> {
    let sql = "SELECT lane FROM connections WHERE name = $1 AND key_hash = $2";
    db.first(sql, params![name, key_hash]).await?.map(|row| row.text("lane")).transpose()
}

pub async fn keep_connection(tx: &mut Tx, name: &str, lane: &str, key_hash: &str) -> Result<()> {
    let sql = "INSERT INTO connections (name, lane, key_hash) VALUES ($1, $2, $3)
               ON CONFLICT (name) DO UPDATE SET lane = excluded.lane, key_hash = excluded.key_hash";
    tx.execute(sql, params![name, lane, key_hash]).await.map(|_| ())
}

/// The lanes that connections were ever seen to be, whatever key they have now.
pub async fn connected_lanes(db: &mut Db) -> Result<Vec<String>> {
    let rows = db.all("SELECT lane FROM connections ORDER BY lane", &[]).await?;
    rows.iter().map(|row| row.text("lane")).collect()
}
