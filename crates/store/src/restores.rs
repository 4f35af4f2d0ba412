//! Databases that turned out to be copies: when that was noticed, how far they were compared with Stripe, and who let
//! things leave again. And what happened at Stripe that the copy knows nothing of.

use bursar_domain::id::{ProposalId, RestoreId};

use crate::{Db, Result, Row, Tx, params};

/// A copy that was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    pub id: RestoreId,
    /// A code.
    pub why: String,
    /// Machine time.
    pub noticed_at: i64,
    /// Where the chain of the copy ends.
    pub head_seq: i64,
    /// Where the anchor says that it had come to, and when it said so.
    pub anchor_seq: Option<i64>,
    pub anchor_at: Option<i64>,
    /// Seconds of business time: whatever the copy does not know of happened after it.
    pub since_s: i64,
    pub stock_taken: bool,
    /// Machine time of the first of the looks that were complete one after the other, and of the last look.
    pub complete_since: Option<i64>,
    pub looked_at: Option<i64>,
    pub problem: Option<String>,
}

const COLUMNS: &str = "id, why, noticed_at, head_seq, anchor_seq, anchor_at, since_s, stock_taken, complete_since, \
                       looked_at, problem";

fn from_row(row: &Row) -> Result<Restore> {
    Ok(Restore {
        id: row.parse("restores", "id", |text| text.parse().ok())?,
        why: row.text("why")?,
        noticed_at: row.int("noticed_at")?,
        head_seq: row.int("head_seq")?,
        anchor_seq: row.opt_int("anchor_seq")?,
        anchor_at: row.opt_int("anchor_at")?,
        since_s: row.int("since_s")?,
        stock_taken: row.flag("stock_taken")?,
        complete_since: row.opt_int("complete_since")?,
        looked_at: row.opt_int("looked_at")?,
        problem: row.opt_text("problem")?,
    })
}

/// The copy that nobody has cleared yet, where this database is one.
pub async fn open(db: &mut Db) -> Result<Option<Restore>> {
    let for_update = db.for_update();
    let sql = format!("SELECT {COLUMNS} FROM restores WHERE lifted_at IS NULL {for_update}");
    db.built(sql, &[]).await?.first().map(from_row).transpose()
}

/// Whether there is one: asked before anything leaves.
pub async fn is_open(db: &mut Db) -> Result<bool> {
    Ok(db.number("SELECT COUNT(*) FROM restores WHERE lifted_at IS NULL", &[]).await? > 0)
}

/// Whether there is one that was not once compared completely: what it holds as open may have ended since.
pub async fn is_unknown(db: &mut Db) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM restores WHERE lifted_at IS NULL AND complete_since IS NULL";
    Ok(db.number(sql, &[]).await? > 0)
}

/// Notes a copy. Where one is open already it stays as it is, and is compared anew from whichever moment is earlier.
pub async fn begin(tx: &mut Tx, new: &Restore) -> Result<Restore> {
    let sql = "INSERT INTO restores (id, place, why, noticed_at, head_seq, anchor_seq, anchor_at, since_s, stock_taken)
               VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8)
               ON CONFLICT (place) WHERE lifted_at IS NULL DO UPDATE SET complete_since = NULL, stock_taken = excluded.stock_taken,
                   since_s = CASE WHEN excluded.since_s < restores.since_s THEN excluded.since_s ELSE restores.since_s END";
    let row = params![
        new.id.as_str(),
        &new.why,
        new.noticed_at,
        new.head_seq,
        new.anchor_seq,
        new.anchor_at,
        new.since_s,
        new.stock_taken
    ];
    tx.execute(sql, row).await?;
    Ok(open(tx).await?.unwrap_or_else(|| new.clone()))
}

pub async fn stock_taken(tx: &mut Tx, id: &RestoreId) -> Result<()> {
    let sql = "UPDATE restores SET stock_taken = $1 WHERE id = $2";
    tx.execute(sql, params![true, id.as_str()]).await.map(|_| ())
}

/// What a look at Stripe came to: complete since when, and else why not. Nothing is kept of one that began before another
/// copy was put there, or an earlier moment was to be compared from.
pub async fn looked(
    tx: &mut Tx,
    seen: &Restore,
    at: i64,
    complete_since: Option<i64>,
    problem: Option<&str>,
) -> Result<()> {
    let sql = "UPDATE restores SET looked_at = $1, complete_since = $2, problem = $3
               WHERE id = $4 AND lifted_at IS NULL AND stock_taken = $5 AND since_s = $6 AND COALESCE(complete_since, 0) = $7";
    let row = params![
        at,
        complete_since,
        problem,
        seen.id.as_str(),
        seen.stock_taken,
        seen.since_s,
        seen.complete_since.unwrap_or(0)
    ];
    tx.execute(sql, row).await.map(|_| ())
}

pub async fn lift(tx: &mut Tx, id: &RestoreId, at: i64, by: &str) -> Result<()> {
    let sql = "UPDATE restores SET lifted_at = $1, lifted_by = $2 WHERE id = $3 AND lifted_at IS NULL";
    tx.execute_one("it was lifted already", sql, params![at, by, id.as_str()]).await
}

/// The second of business time after which everything happened that this database does not know of: the latest instant
/// that it recorded itself, whose proposals and executions are all its own.
pub async fn newest_s(db: &mut Db) -> Result<i64> {
    let mut newest = 0;
    for sql in [
        "SELECT MAX(intended_at) FROM executions",
        "SELECT MAX(proposed_at) FROM proposals",
        "SELECT MAX(at) FROM decisions",
    ] {
        newest = newest.max(db.number(sql, &[]).await?);
    }
    if newest == 0 {
        newest = db.number("SELECT MAX(created_at) FROM installation", &[]).await?;
    }
    Ok(newest.div_euclid(1_000_000))
}

/// Something that happened at Stripe under a key of ours, and that the copy knows nothing of.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Lost {
    pub lane: String,
    pub request_key: String,
    /// As the object itself says, where it bears our mark.
    pub proposal: Option<ProposalId>,
    pub object_kind: Option<String>,
    pub object_id: Option<String>,
    pub target: Option<String>,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    pub happened_s: i64,
}

/// Keeps it once; answers whether it is new.
pub async fn add_lost(tx: &mut Tx, restore: &RestoreId, lost: &Lost) -> Result<bool> {
    let sql = "INSERT INTO lost_effects (lane, request_key, restore_id, proposal_id, object_kind, object_id, target, amount,
                   currency, happened_s)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (lane, request_key) DO NOTHING";
    let row = params![
        &lost.lane,
        &lost.request_key,
        restore.as_str(),
        lost.proposal.as_ref().map(ProposalId::as_str),
        lost.object_kind.as_deref(),
        lost.object_id.as_deref(),
        lost.target.as_deref(),
        lost.amount,
        lost.currency.as_deref(),
        lost.happened_s
    ];
    Ok(tx.execute(sql, row).await? == 1)
}

const LOST: &str =
    "lane, request_key, proposal_id, object_kind, object_id, target, amount, currency, happened_s";

fn lost_from_row(row: &Row) -> Result<Lost> {
    Ok(Lost {
        lane: row.text("lane")?,
        request_key: row.text("request_key")?,
        proposal: row.opt_text("proposal_id")?.and_then(|text| text.parse().ok()),
        object_kind: row.opt_text("object_kind")?,
        object_id: row.opt_text("object_id")?,
        target: row.opt_text("target")?,
        amount: row.opt_int("amount")?,
        currency: row.opt_text("currency")?,
        happened_s: row.int("happened_s")?,
    })
}

/// What was found lost in a copy, oldest first.
pub async fn lost_in(db: &mut Db, restore: &RestoreId, limit: i64) -> Result<Vec<Lost>> {
    let sql = format!(
        "SELECT {LOST} FROM lost_effects WHERE restore_id = $1 ORDER BY happened_s, request_key LIMIT $2"
    );
    db.built(sql, params![restore.as_str(), limit]).await?.iter().map(lost_from_row).collect()
}

/// How many effects were found lost in a copy.
pub async fn lost_count(db: &mut Db, restore: &RestoreId) -> Result<i64> {
    db.number("SELECT COUNT(*) FROM lost_effects WHERE restore_id = $1", params![restore.as_str()]).await
}

/// What was done to an object that a copy knew nothing of.
pub async fn lost_on(db: &mut Db, lane: &str, target: &str) -> Result<Vec<Lost>> {
    let sql = format!("SELECT {LOST} FROM lost_effects WHERE lane = $1 AND target = $2");
    db.built(sql, params![lane, target]).await?.iter().map(lost_from_row).collect()
}
