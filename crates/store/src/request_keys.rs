//! Requests that carried an `Idempotency-Key`: the same request again gets the same answer. What a request files is bound
//! to its key in the commit that files it, so that a lost answer never files twice.

use bursar_domain::id::ProposalId;

use crate::{Db, Result, Tx, params};

/// Whose key it is, and the hash of the request it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    pub actor: String,
    pub key: String,
    pub request_hash: String,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub request_hash: String,
    /// What the request filed, or found filed already.
    pub proposal: Option<ProposalId>,
    /// Missing where nobody lived to give it.
    pub answer: Option<Answer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: i64,
    pub body: String,
}

pub async fn get(db: &mut Db, key: &RequestKey) -> Result<Option<Kept>> {
    let sql =
        "SELECT request_hash, proposal_id, status, answer FROM request_keys WHERE actor = $1 AND key = $2";
    let Some(row) = db.first(sql, params![&key.actor, &key.key]).await? else { return Ok(None) };
    let proposal = match row.opt_text("proposal_id")? {
        Some(_) => Some(row.parse("request_keys", "proposal_id", |text| text.parse().ok())?),
        None => None,
    };
    let answer = row.opt_int("status")?.zip(row.opt_text("answer")?);
    Ok(Some(Kept {
        request_hash: row.text("request_hash")?,
        proposal,
        answer: answer.map(|(status, body)| Answer { status, body }),
    }))
}

/// Binds a key to what its request files, in the same transaction. A key that is taken is a conflict.
pub async fn reserve(tx: &mut Tx, key: &RequestKey, proposal: &ProposalId, at: i64) -> Result<()> {
    let sql =
        "INSERT INTO request_keys (actor, key, request_hash, proposal_id, at) VALUES ($1, $2, $3, $4, $5)";
    let row = params![&key.actor, &key.key, &key.request_hash, proposal.as_str(), at];
    tx.execute(sql, row).await.map(|_| ())
}

/// Keeps the answer of a request. The first answer stands.
pub async fn keep(tx: &mut Tx, key: &RequestKey, answer: &Answer, at: i64) -> Result<()> {
    let sql = "INSERT INTO request_keys (actor, key, request_hash, status, answer, at) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (actor, key) DO UPDATE SET status = excluded.status, answer = excluded.answer
               WHERE request_keys.answer IS NULL AND request_keys.request_hash = excluded.request_hash";
    let row = params![&key.actor, &key.key, &key.request_hash, answer.status, &answer.body, at];
    tx.execute_one("the key has its answer", sql, row).await
}
