//! How far each playbook may go on each lane, and what is stopped altogether.

use bursar_domain::mode::Mode;

use crate::{Db, Result, Tx, params};

/// The mode set for a lane and playbook, if one was set.
pub async fn get(db: &mut Db, lane: &str, playbook: &str) -> Result<Option<Mode>> {
    let sql = "SELECT mode FROM modes WHERE lane = $1 AND playbook = $2";
    let row = db.first(sql, params![lane, playbook]).await?;
    row.map(|row| row.parse("modes", "mode", |text| text.parse().ok())).transpose()
}

pub async fn set(tx: &mut Tx, lane: &str, playbook: &str, mode: Mode, at: i64, by: &str) -> Result<()> {
    let sql = "INSERT INTO modes (lane, playbook, mode, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (lane, playbook) DO UPDATE SET mode = excluded.mode, changed_at = excluded.changed_at,
                   changed_by = excluded.changed_by";
    tx.execute(sql, params![lane, playbook, mode.as_str(), at, by]).await.map(|_| ())
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Listed {
    pub lane: String,
    pub playbook: String,
    pub mode: Mode,
    pub changed_at: i64,
    pub changed_by: String,
}

pub async fn all(db: &mut Db) -> Result<Vec<Listed>> {
    let sql = "SELECT lane, playbook, mode, changed_at, changed_by FROM modes ORDER BY lane, playbook";
    let rows = db.all(sql, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                lane: row.text("lane")?,
                playbook: row.text("playbook")?,
                mode: row.parse("modes", "mode", |text| text.parse().ok())?,
                changed_at: row.int("changed_at")?,
                changed_by: row.text("changed_by")?,
            })
        })
        .collect()
}

/// Throws a kill switch: `all`, `lane:…`, `playbook:…`, `agent:…`.
pub async fn kill(tx: &mut Tx, scope: &str, reason: &str, at: i64, by: &str) -> Result<()> {
    let sql = "INSERT INTO kill_switches (scope, reason, thrown_at, thrown_by) VALUES ($1, $2, $3, $4)
               ON CONFLICT (scope) DO NOTHING";
    tx.execute(sql, params![scope, reason, at, by]).await.map(|_| ())
}

/// Resets a switch that was thrown.
pub async fn revive(tx: &mut Tx, scope: &str) -> Result<()> {
    tx.execute_one("kill switch", "DELETE FROM kill_switches WHERE scope = $1", params![scope]).await
}

/// Whether one of the switches that are thrown stops a lane.
pub fn stops(killed: &[(String, String)], lane: &str) -> bool {
    killed.iter().any(|(scope, _)| scope == "all" || scope.strip_prefix("lane:") == Some(lane))
}

/// Every switch that is thrown, with its reason.
pub async fn killed(db: &mut Db) -> Result<Vec<(String, String)>> {
    let sql = "SELECT scope, reason FROM kill_switches ORDER BY scope";
    db.all(sql, &[]).await?.iter().map(|row| Ok((row.text("scope")?, row.text("reason")?))).collect()
}

/// The same until the change it is asked in ends: nobody resets one of them before that.
pub async fn killed_until_then(tx: &mut Tx) -> Result<Vec<(String, String)>> {
    let for_update = tx.for_update();
    let sql = format!("SELECT scope, reason FROM kill_switches ORDER BY scope {for_update}");
    tx.built(sql, &[]).await?.iter().map(|row| Ok((row.text("scope")?, row.text("reason")?))).collect()
}
