//! How far the history of each lane has been read, kind by kind. A page's objects and the place where the next one begins
//! are kept in one commit: whoever goes on after a crash reads no page twice and leaves none out.

use crate::{Db, Result, Row, Tx, params};

/// How far one kind of one lane is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub lane: String,
    pub kind: String,
    pub since_s: i64,
    pub from_s: Option<i64>,
    pub down_to_s: Option<i64>,
    pub after_id: Option<String>,
    pub objects: i64,
    pub pages: i64,
    pub spent_us: i64,
    pub is_done: bool,
    pub asked_at: i64,
    pub due_at: i64,
    pub last_error: Option<String>,
}

fn progress(row: &Row) -> Result<Progress> {
    Ok(Progress {
        lane: row.text("lane")?,
        kind: row.text("kind")?,
        since_s: row.int("since_s")?,
        from_s: row.opt_int("from_s")?,
        down_to_s: row.opt_int("down_to_s")?,
        after_id: row.opt_text("after_id")?,
        objects: row.int("objects")?,
        pages: row.int("pages")?,
        spent_us: row.int("spent_us")?,
        is_done: row.parse("history", "state", |state| match state {
            "done" => Some(true),
            "reading" => Some(false),
            _ => None,
        })?,
        asked_at: row.int("asked_at")?,
        due_at: row.int("due_at")?,
        last_error: row.opt_text("last_error")?,
    })
}

/// Somebody wants the objects of a kind that were created from a second on. What is being read goes on, further back if
/// need be; what is done is read again from its newest.
pub async fn ask(tx: &mut Tx, lane: &str, kind: &str, since_s: i64, at: i64) -> Result<()> {
    let sql = "INSERT INTO history (lane, kind, since_s, objects, pages, spent_us, state, asked_at, read_at, due_at)
               VALUES ($1, $2, $3, 0, 0, 0, 'reading', $4, 0, $4)
               ON CONFLICT (lane, kind) DO UPDATE SET
                   since_s = CASE WHEN history.state = 'reading' AND history.since_s < excluded.since_s
                                  THEN history.since_s ELSE excluded.since_s END,
                   from_s = CASE history.state WHEN 'reading' THEN history.from_s END,
                   down_to_s = CASE history.state WHEN 'reading' THEN history.down_to_s END,
                   after_id = CASE history.state WHEN 'reading' THEN history.after_id END,
                   objects = CASE history.state WHEN 'reading' THEN history.objects ELSE 0 END,
                   spent_us = CASE history.state WHEN 'reading' THEN history.spent_us ELSE 0 END,
                   pages = history.pages + 1,
                   state = 'reading', asked_at = excluded.asked_at, due_at = excluded.due_at, last_error = NULL";
    tx.execute(sql, params![lane, kind, since_s, at]).await.map(|_| ())
}

pub async fn all(db: &mut Db) -> Result<Vec<Progress>> {
    let sql = "SELECT lane, kind, since_s, from_s, down_to_s, after_id, objects, pages, spent_us, state, asked_at, due_at,
                   last_error
               FROM history ORDER BY lane, kind";
    db.all(sql, &[]).await?.iter().map(progress).collect()
}

/// Which kind of a lane is next: the one whose turn is longest ago.
pub async fn next(db: &mut Db, lane: &str, now: i64) -> Result<Option<Progress>> {
    let sql = "SELECT lane, kind, since_s, from_s, down_to_s, after_id, objects, pages, spent_us, state, asked_at, due_at,
                   last_error
               FROM history WHERE lane = $1 AND state = 'reading' AND due_at <= $2 ORDER BY read_at, kind LIMIT 1";
    db.first(sql, params![lane, now]).await?.map(|row| progress(&row)).transpose()
}

/// How far a page brought us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub objects: i64,
    pub from_s: Option<i64>,
    pub down_to_s: Option<i64>,
    /// Nothing more, or the object after which the next page begins.
    pub after_id: Option<String>,
    pub is_last: bool,
    pub took_us: i64,
}

/// A page was read, in the commit that keeps its objects. A conflict where somebody else read on meanwhile, or asked for
/// something else.
pub async fn read(tx: &mut Tx, from: &Progress, page: &Read, at: i64) -> Result<()> {
    let state = if page.is_last { "done" } else { "reading" };
    let sql = "UPDATE history SET from_s = $1, down_to_s = $2, after_id = $3, objects = objects + $4, pages = pages + 1,
                   spent_us = spent_us + $5, state = $6, read_at = $7, last_error = NULL
               WHERE lane = $8 AND kind = $9 AND state = 'reading' AND pages = $10";
    let row = params![
        page.from_s,
        page.down_to_s,
        page.after_id.as_deref(),
        page.objects,
        page.took_us,
        state,
        at,
        &from.lane,
        &from.kind,
        from.pages
    ];
    tx.execute_one("the history as it was", sql, row).await
}

/// A page could not be read: not before `due_at` again.
pub async fn failed(tx: &mut Tx, from: &Progress, why: &str, at: i64, due_at: i64) -> Result<()> {
    let sql = "UPDATE history SET last_error = $1, read_at = $2, due_at = $3
               WHERE lane = $4 AND kind = $5 AND state = 'reading' AND pages = $6";
    tx.execute(sql, params![why, at, due_at, &from.lane, &from.kind, from.pages]).await.map(|_| ())
}

/// The object after which the next page was to begin is no more: it begins at its second instead.
pub async fn lose_place(tx: &mut Tx, from: &Progress) -> Result<()> {
    let sql = "UPDATE history SET after_id = NULL, pages = pages + 1
               WHERE lane = $1 AND kind = $2 AND state = 'reading' AND pages = $3";
    tx.execute(sql, params![&from.lane, &from.kind, from.pages]).await.map(|_| ())
}
