//! Things a person should do: the internal effect of a playbook.

use bursar_domain::id::{CaseId, TaskId};
use serde_json::Value as Json;

use crate::seal::Keyring;
use crate::{Db, Error, Result, Tx, params};

#[derive(Clone, Debug)]
pub struct NewTask<'a> {
    pub id: &'a TaskId,
    pub lane: &'a str,
    pub case: &'a CaseId,
    pub role: &'a str,
    pub created_at: i64,
    pub subject: &'a str,
    /// `title` and `body`.
    pub body: Json,
}

fn purpose(id: &str) -> String {
    format!("tasks\n{id}")
}

/// Creates the task, or leaves the one of this id.
pub async fn add(tx: &mut Tx, keyring: &Keyring, new: NewTask<'_>, at: i64) -> Result<()> {
    let key = keyring.for_writing(tx, new.lane, new.subject, at).await?;
    let sealed = keyring.seal(&key, &purpose(new.id.as_str()), new.body.to_string().as_bytes())?;
    let sql = "INSERT INTO tasks (id, lane, case_id, role, state, created_at, subject, body)
               VALUES ($1, $2, $3, $4, 'open', $5, $6, $7) ON CONFLICT DO NOTHING";
    let row =
        params![new.id.as_str(), new.lane, new.case.as_str(), new.role, new.created_at, new.subject, &sealed];
    tx.execute(sql, row).await.map(|_| ())
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Task {
    pub id: String,
    pub role: String,
    pub state: String,
    pub created_at: i64,
    pub done_at: Option<i64>,
    pub body: Json,
}

pub async fn of_case(db: &mut Db, keyring: &Keyring, case: &CaseId) -> Result<Vec<Task>> {
    let sql = "SELECT id, lane, role, state, created_at, done_at, subject, body FROM tasks
               WHERE case_id = $1 ORDER BY created_at, id";
    let rows = db.all(sql, params![case.as_str()]).await?;
    let mut tasks = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = row.text("id")?;
        let key = keyring.for_reading(db, &row.text("lane")?, &row.text("subject")?).await?;
        let plain = keyring.unseal(&key, &purpose(&id), &row.blob("body")?)?;
        tasks.push(Task {
            role: row.text("role")?,
            state: row.text("state")?,
            created_at: row.int("created_at")?,
            done_at: row.opt_int("done_at")?,
            body: serde_json::from_slice(&plain).map_err(|_| Error::corrupt("tasks", "body", &id))?,
            id,
        });
    }
    Ok(tasks)
}

/// Cases in which something is to do, with the roles it is for; what has waited longest first.
pub async fn open(db: &mut Db, limit: i64) -> Result<Vec<(CaseId, String)>> {
    let sql = "SELECT case_id, role FROM tasks WHERE state = 'open' ORDER BY created_at, id LIMIT $1";
    let rows = db.all(sql, params![limit]).await?;
    rows.iter()
        .map(|row| Ok((row.parse("tasks", "case_id", |text| text.parse().ok())?, row.text("role")?)))
        .collect()
}

/// For which role an open task is.
pub async fn role_of_open(db: &mut Db, id: &str) -> Result<Option<String>> {
    let row = db.first("SELECT role FROM tasks WHERE id = $1 AND state = 'open'", params![id]).await?;
    row.map(|row| row.text("role")).transpose()
}

/// Ticks a task off.
pub async fn finish(tx: &mut Tx, id: &str, at: i64) -> Result<()> {
    let sql = "UPDATE tasks SET state = 'done', done_at = $1 WHERE id = $2 AND state = 'open'";
    tx.execute_one("open task", sql, params![at, id]).await
}
