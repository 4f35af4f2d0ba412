//! What operators are told: troubles from when they were first seen until they are over, and the notices about them, each
//! sent by each way on its own. All instants are machine time.

use bursar_domain::id::{AlertId, NoticeId};
use serde_json::Value as Json;

use crate::{Db, Result, Row, Tx, params};

/// A trouble as it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub code: &'static str,
    /// A connection, a lane; empty for nothing in particular.
    pub about: String,
    /// Counts and names: nothing of a customer's and no words of anybody.
    pub facts: Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub id: AlertId,
    pub code: String,
    pub about: String,
    pub facts: Json,
    pub first_seen_at: i64,
    pub last_seen_at: i64,
    /// Missing until it has lasted long enough to be told.
    pub opened_at: Option<i64>,
    pub told_at: Option<i64>,
    pub closed_at: Option<i64>,
    /// How often it was told.
    pub notices: i64,
}

fn alert(row: &Row) -> Result<Alert> {
    Ok(Alert {
        id: row.parse("alerts", "id", |text| text.parse().ok())?,
        code: row.text("code")?,
        about: row.text("about")?,
        facts: row.json("alerts", "facts")?,
        first_seen_at: row.int("first_seen_at")?,
        last_seen_at: row.int("last_seen_at")?,
        opened_at: row.opt_int("opened_at")?,
        told_at: row.opt_int("told_at")?,
        closed_at: row.opt_int("closed_at")?,
        notices: row.int("notices")?,
    })
}

/// Those that are not over, also those that are too young to be told.
pub async fn current(db: &mut Db) -> Result<Vec<Alert>> {
    let sql =
        "SELECT id, code, about, facts, first_seen_at, last_seen_at, opened_at, told_at, closed_at, notices
               FROM alerts WHERE closed_at IS NULL ORDER BY code, about";
    db.all(sql, &[]).await?.iter().map(alert).collect()
}

/// Those that were told, newest first.
pub async fn told(db: &mut Db, limit: i64) -> Result<Vec<Alert>> {
    let sql =
        "SELECT id, code, about, facts, first_seen_at, last_seen_at, opened_at, told_at, closed_at, notices
               FROM alerts WHERE opened_at IS NOT NULL ORDER BY opened_at DESC, id DESC LIMIT $1";
    db.all(sql, params![limit]).await?.iter().map(alert).collect()
}

/// A trouble that was not there before; nothing happens where another node was first.
pub async fn see(tx: &mut Tx, id: &AlertId, found: &Found, at: i64) -> Result<()> {
    let sql = "INSERT INTO alerts (id, code, about, facts, first_seen_at, last_seen_at, notices)
               VALUES ($1, $2, $3, $4, $5, $5, 0) ON CONFLICT DO NOTHING";
    let facts = found.facts.to_string();
    tx.execute(sql, params![id.as_str(), found.code, &found.about, &facts, at]).await.map(|_| ())
}

/// It is still there.
pub async fn see_again(tx: &mut Tx, id: &AlertId, facts: &Json, at: i64) -> Result<()> {
    let sql = "UPDATE alerts SET facts = $1, last_seen_at = $2 WHERE id = $3 AND closed_at IS NULL";
    tx.execute(sql, params![&facts.to_string(), at, id.as_str()]).await.map(|_| ())
}

/// It went before it had to be told.
pub async fn forget(tx: &mut Tx, id: &AlertId) -> Result<()> {
    let sql = "DELETE FROM alerts WHERE id = $1 AND opened_at IS NULL";
    tx.execute(sql, params![id.as_str()]).await.map(|_| ())
}

/// It is told now: for the first time, or again.
pub async fn tell(tx: &mut Tx, id: &AlertId, at: i64) -> Result<()> {
    let sql =
        "UPDATE alerts SET opened_at = CASE WHEN opened_at IS NULL THEN $1 ELSE opened_at END, told_at = $1,
                   notices = notices + 1
               WHERE id = $2 AND closed_at IS NULL";
    tx.execute_one("open alert", sql, params![at, id.as_str()]).await
}

/// It is over.
pub async fn close(tx: &mut Tx, id: &AlertId, at: i64) -> Result<()> {
    let sql = "UPDATE alerts SET closed_at = $1, told_at = $1, notices = notices + 1
               WHERE id = $2 AND closed_at IS NULL";
    tx.execute_one("open alert", sql, params![at, id.as_str()]).await
}

/// Something to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: NoticeId,
    pub alert: AlertId,
    pub way: String,
    pub number: i64,
    pub body: Json,
    pub made_at: i64,
    /// When it is tried next.
    pub due_at: i64,
    pub attempts: i64,
    pub last_error: Option<String>,
}

pub async fn add_notice(tx: &mut Tx, new: &Notice) -> Result<()> {
    let sql = "INSERT INTO notices (id, alert_id, way, number, body, made_at, due_at, attempts, state)
               VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 'waiting') ON CONFLICT DO NOTHING";
    let (id, alert, body) = (new.id.as_str(), new.alert.as_str(), new.body.to_string());
    let row = params![id, alert, &new.way, new.number, &body, new.made_at, new.due_at];
    tx.execute(sql, row).await.map(|_| ())
}

fn notice(row: &Row) -> Result<Notice> {
    Ok(Notice {
        id: row.parse("notices", "id", |text| text.parse().ok())?,
        alert: row.parse("notices", "alert_id", |text| text.parse().ok())?,
        way: row.text("way")?,
        number: row.int("number")?,
        body: row.json("notices", "body")?,
        made_at: row.int("made_at")?,
        due_at: row.int("due_at")?,
        attempts: row.int("attempts")?,
        last_error: row.opt_text("last_error")?,
    })
}

/// What is to be sent by a way now: of an alert only the first that waits, so that nobody hears of an end before its
/// beginning.
pub async fn due(db: &mut Db, way: &str, now: i64, limit: i64) -> Result<Vec<Notice>> {
    let sql =
        "SELECT id, alert_id, way, number, body, made_at, due_at, attempts, last_error FROM notices AS next
               WHERE state = 'waiting' AND way = $1 AND due_at <= $2
                 AND NOT EXISTS (
                     SELECT 1 FROM notices AS earlier
                     WHERE earlier.alert_id = next.alert_id AND earlier.way = next.way
                       AND earlier.number < next.number AND earlier.state = 'waiting')
               ORDER BY due_at, id LIMIT $3";
    db.all(sql, params![way, now, limit]).await?.iter().map(notice).collect()
}

/// Whether this attempt is ours: until `until` nobody else makes one.
pub async fn attempt(tx: &mut Tx, notice: &Notice, until: i64) -> Result<bool> {
    let sql = "UPDATE notices SET attempts = attempts + 1, due_at = $1
               WHERE id = $2 AND state = 'waiting' AND attempts = $3";
    let touched = tx.execute(sql, params![until, notice.id.as_str(), notice.attempts]).await?;
    Ok(touched == 1)
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempted {
    Delivered,
    Later { due_at: i64, why: String },
    GivenUp { why: String },
}

pub async fn attempted(tx: &mut Tx, id: &NoticeId, how: &Attempted) -> Result<()> {
    let (state, due_at, why) = match how {
        Attempted::Delivered => ("delivered", None, None),
        Attempted::Later { due_at, why } => ("waiting", Some(*due_at), Some(why.as_str())),
        Attempted::GivenUp { why } => ("given_up", None, Some(why.as_str())),
    };
    let sql = "UPDATE notices SET state = $1, last_error = $2, due_at = COALESCE($3, due_at)
               WHERE id = $4 AND state = 'waiting'";
    tx.execute(sql, params![state, why, due_at, id.as_str()]).await.map(|_| ())
}

/// What waits by a way after an attempt that failed, oldest first.
pub async fn failing(db: &mut Db, way: &str, limit: i64) -> Result<Vec<Notice>> {
    let sql = "SELECT id, alert_id, way, number, body, made_at, due_at, attempts, last_error FROM notices
               WHERE state = 'waiting' AND way = $1 AND last_error IS NOT NULL ORDER BY due_at, id LIMIT $2";
    db.all(sql, params![way, limit]).await?.iter().map(notice).collect()
}

/// Whether something about an alert still waits to be sent by a way.
pub async fn waits(db: &mut Db, alert: &AlertId, way: &str) -> Result<bool> {
    let sql = "SELECT COUNT(*) AS n FROM notices WHERE alert_id = $1 AND way = $2 AND state = 'waiting'";
    Ok(db.number(sql, params![alert.as_str(), way]).await? > 0)
}

/// Forgets what was over before a moment, and what was to be sent about it.
pub async fn forget_before(tx: &mut Tx, before: i64) -> Result<()> {
    tx.execute("DELETE FROM notices WHERE made_at < $1", params![before]).await?;
    tx.execute("DELETE FROM alerts WHERE closed_at < $1", params![before]).await.map(|_| ())
}
