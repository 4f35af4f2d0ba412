//! Bytes that came from Stripe and we could not use: kept once, with the reason. Nothing is done about them until a person
//! has them tried again.

use bursar_domain::audit::Commitment;
use bursar_domain::canonical::hash_hex;
use bursar_domain::id::{AuditId, QuarantineId};

use crate::audit::{self, Record, Table};
use crate::seal::{Keyring, NO_SUBJECT};
use crate::{Db, Result, Row, Tx, params};

/// The lane under whose key unplaceable bytes are sealed.
const NO_LANE: &str = "-";

#[derive(Clone, Debug)]
pub struct NewQuarantined {
    pub id: QuarantineId,
    /// The entry that records it.
    pub entry: AuditId,
    pub lane: Option<String>,
    /// Whose secret or key it came by.
    pub connection: Option<String>,
    pub reason: &'static str,
    pub source: &'static str,
    pub received_at: i64,
    /// Equal for two deliveries of one event.
    pub sameness: String,
    pub body: Vec<u8>,
}

/// Keeps it; the same event for the same reason only once. Answers whether it is new.
pub async fn keep(tx: &mut Tx, keyring: &Keyring, new: NewQuarantined) -> Result<bool> {
    let body_hash = hash_hex(&new.body);
    let known = "SELECT COUNT(*) FROM quarantine WHERE sameness = $1 AND reason = $2";
    if tx.number(known, params![&new.sameness, new.reason]).await? > 0 {
        return Ok(false);
    }
    let lane = new.lane.as_deref().unwrap_or(NO_LANE);
    let key = keyring.for_writing(tx, lane, NO_SUBJECT, new.received_at).await?;
    let sealed = keyring.seal(&key, &purpose(new.id.as_str()), &new.body)?;
    let sql = "INSERT INTO quarantine (id, lane, connection, reason, source, received_at, sameness, body_hash, body, state)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting')";
    let row = params![
        new.id.as_str(),
        new.lane.as_deref(),
        new.connection.as_deref(),
        new.reason,
        new.source,
        new.received_at,
        &new.sameness,
        &body_hash,
        &sealed
    ];
    tx.execute(sql, row).await?;
    let commits: Vec<Commitment> = vec![audit::commitment(tx, Table::Quarantine, new.id.as_str()).await?];
    let data = serde_json::json!({"reason": new.reason, "source": new.source});
    let record = Record {
        id: new.entry,
        at: new.received_at,
        kind: "event.quarantined",
        lane: new.lane,
        actor: None,
        data,
        commits,
    };
    audit::append(tx, record).await?;
    Ok(true)
}

fn purpose(id: &str) -> String {
    format!("quarantine\n{id}")
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has looked at it.
    Waiting,
    /// Tried again, and now an event like any other.
    Accepted,
    /// Tried again in vain.
    Refused,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Accepted => "accepted",
            State::Refused => "refused",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [State::Waiting, State::Accepted, State::Refused].into_iter().find(|state| state.as_str() == text)
    }
}

/// A row, its bytes still sealed.
#[derive(Clone, Debug)]
pub struct Held {
    pub id: String,
    pub lane: Option<String>,
    pub connection: Option<String>,
    pub reason: String,
    pub source: String,
    pub received_at: i64,
    pub state: State,
    /// Machine time of the last time it was tried again, by whom, and what came of it.
    pub settled_at: Option<i64>,
    pub settled_by: Option<String>,
    pub settled_why: Option<String>,
    sealed: Vec<u8>,
}

const COLUMNS: &str = "id, lane, connection, reason, source, received_at, body, state, settled_at, settled_by, \
                       settled_why";

impl Held {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.text("id")?,
            lane: row.opt_text("lane")?,
            connection: row.opt_text("connection")?,
            reason: row.text("reason")?,
            source: row.text("source")?,
            received_at: row.int("received_at")?,
            state: row.parse("quarantine", "state", State::parse)?,
            settled_at: row.opt_int("settled_at")?,
            settled_by: row.opt_text("settled_by")?,
            settled_why: row.opt_text("settled_why")?,
            sealed: row.blob("body")?,
        })
    }

    /// The bytes as they came (card numbers masked).
    pub async fn body(&self, db: &mut Db, keyring: &Keyring) -> Result<Vec<u8>> {
        let key = keyring.for_reading(db, self.lane.as_deref().unwrap_or(NO_LANE), NO_SUBJECT).await?;
        keyring.unseal(&key, &purpose(&self.id), &self.sealed)
    }
}

fn select(tail: &str) -> String {
    format!("SELECT {COLUMNS} FROM quarantine {tail}")
}

pub async fn get(db: &mut Db, id: &str) -> Result<Option<Held>> {
    let rows = db.built(select("WHERE id = $1"), params![id]).await?;
    rows.first().map(Held::from_row).transpose()
}

/// Newest first.
pub async fn list(db: &mut Db, limit: i64) -> Result<Vec<Held>> {
    let rows = db.built(select("ORDER BY received_at DESC, id DESC LIMIT $1"), params![limit]).await?;
    rows.iter().map(Held::from_row).collect()
}

/// How many nobody has looked at.
pub async fn waiting(db: &mut Db) -> Result<i64> {
    db.number("SELECT COUNT(*) FROM quarantine WHERE state = 'waiting'", &[]).await
}

/// How a row was settled.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    pub state: State,
    pub at: i64,
    pub by: &'a str,
    pub why: &'a str,
}

/// Notes what came of trying a row again. What was accepted stays so.
pub async fn settle(tx: &mut Tx, id: &str, settled: Settled<'_>) -> Result<()> {
    let sql = "UPDATE quarantine SET state = $1, settled_at = $2, settled_by = $3, settled_why = $4
               WHERE id = $5 AND state <> 'accepted'";
    let row = params![settled.state.as_str(), settled.at, settled.by, settled.why, id];
    tx.execute_one("quarantined event", sql, row).await
}
