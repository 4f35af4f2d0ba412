//! Answers to requests that carried an `Idempotency-Key`: the same request again gets the same answer.

use crate::{Db, Result, Tx, params};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub request_hash: String,
    pub status: i64,
    pub answer: String,
}

pub async fn get(db: &mut Db, actor: &str, key: &str) -> Result<Option<Kept>> {
    let sql = "SELECT request_hash, status, answer FROM request_keys WHERE actor = $1 AND key = $2";
    let Some(row) = db.first(sql, params![actor, key]).await? else { return Ok(None) };
    Ok(Some(Kept {
        request_hash: row.text("request_hash")?,
        status: row.int("status")?,
        answer: row.text("answer")?,
    }))
}

pub async fn keep(tx: &mut Tx, actor: &str, key: &str, kept: &Kept, at: i64) -> Result<()> {
    let sql = "INSERT INTO request_keys (actor, key, request_hash, status, answer, at) VALUES ($1, $2, $3, $4, $5, $6)";
    tx.execute(sql, params![actor, key, &kept.request_hash, kept.status, &kept.answer, at]).await.map(|_| ())
}
