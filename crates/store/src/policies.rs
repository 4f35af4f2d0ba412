//! Policy sets and playbook settings that were ever used, by content hash, and which set is active.

use serde_json::Value as Json;

use crate::{Db, Result, Tx, params};

/// Keeps a set once.
pub async fn keep_set(tx: &mut Tx, hash: &str, files: &Json, at: i64) -> Result<()> {
    let sql = "INSERT INTO policy_sets (hash, files, loaded_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, params![hash, &files.to_string(), at]).await.map(|_| ())
}

pub async fn set(db: &mut Db, hash: &str) -> Result<Option<Json>> {
    let row = db.first("SELECT hash AS id, files FROM policy_sets WHERE hash = $1", params![hash]).await?;
    row.map(|row| row.json("policy_sets", "files")).transpose()
}

pub async fn activate(tx: &mut Tx, id: &str, hash: &str, at: i64, actor: &str) -> Result<()> {
    let sql = "INSERT INTO policy_activations (id, hash, at, actor) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, params![id, hash, at, actor]).await.map(|_| ())
}

/// The set that was activated last.
pub async fn active(db: &mut Db) -> Result<Option<String>> {
    let sql = "SELECT hash FROM policy_activations ORDER BY at DESC, id DESC LIMIT 1";
    db.first(sql, &[]).await?.map(|row| row.text("hash")).transpose()
}

pub async fn keep_settings(tx: &mut Tx, hash: &str, playbook: &str, body: &Json, at: i64) -> Result<()> {
    let sql = "INSERT INTO playbook_settings (hash, playbook, body, loaded_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT DO NOTHING";
    tx.execute(sql, params![hash, playbook, &body.to_string(), at]).await.map(|_| ())
}
