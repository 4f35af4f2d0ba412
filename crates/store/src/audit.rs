//! The audit: entries appended in the transaction of what they record, sealed into one chain in batches. An entry
//! commits to rows by hash; `verify` recomputes chain and rows and names the first thing that is off.

mod rows;
mod verify;

use std::collections::HashSet;

use bursar_domain::audit::{Commitment, Entry, GENESIS, chain_hash};
use bursar_domain::id::AuditId;
use serde_json::Value as Json;

pub use verify::{Finding, Report, verify, verify_against};

use crate::dialect::{ROWS_MAX, values};
use crate::{Db, Error, Result, Row, Tx, Value, params};

/// What is recorded, before it gets its writer and number.
#[derive(Clone, Debug)]
pub struct Record {
    pub id: AuditId,
    /// Machine time.
    pub at: i64,
    pub kind: &'static str,
    pub lane: Option<String>,
    pub actor: Option<String>,
    pub data: Json,
    pub commits: Vec<Commitment>,
}

/// Appends in this transaction: if this fails the whole change fails.
pub async fn append(tx: &mut Tx, record: Record) -> Result<()> {
    append_many(tx, vec![record]).await
}

/// The same for many, in their order.
pub async fn append_many(tx: &mut Tx, records: Vec<Record>) -> Result<()> {
    let writer = tx.writer.clone();
    let numbered = records.into_iter().zip(tx.writer_seq + 1..).map(|(record, writer_seq)| {
        let entry = Entry {
            id: record.id,
            writer: writer.clone(),
            writer_seq,
            at: record.at,
            kind: record.kind.to_owned(),
            lane: record.lane,
            actor: record.actor,
            data: record.data,
            commits: record.commits,
        };
        let body = entry.body().map_err(|error| Error::Database(error.to_string()))?;
        Ok((entry, body))
    });
    let entries = numbered.collect::<Result<Vec<(Entry, String)>>>()?;
    for chunk in entries.chunks(ROWS_MAX) {
        add_to_chain(tx, chunk).await?;
    }
    Ok(())
}

async fn add_to_chain(tx: &mut Tx, entries: &[(Entry, String)]) -> Result<()> {
    // After whatever this writer wrote, and after whatever was committed before: the rows that this is about are locked.
    let moment = tx.moment();
    let mut rows: Vec<Value<'_>> = Vec::with_capacity(entries.len() * 7);
    for ((entry, body), next) in entries.iter().zip(tx.place + 1..) {
        let (id, writer, kind) = (entry.id.as_str(), &entry.writer, &entry.kind);
        rows.extend([Value::from(id), writer.into(), entry.writer_seq.into(), entry.at.into(), kind.into()]);
        rows.extend([Value::from(body), next.into()]);
    }
    let sql = format!(
        "INSERT INTO audit (id, writer, writer_seq, at, kind, body, place)
         SELECT column1, column2, column3, column4, column5, column6,
                CASE WHEN column7 < {moment} THEN {moment} ELSE column7 END
         FROM (VALUES {}) AS new WHERE column1 IS NOT NULL RETURNING place",
        values(entries.len(), 7)
    );
    for row in tx.built(sql, &rows).await? {
        tx.place = tx.place.max(row.int("place")?);
    }
    tx.writer_seq = entries.last().map_or(tx.writer_seq, |(entry, _)| entry.writer_seq);
    Ok(())
}

/// Where the chain ends.
pub async fn head(db: &mut Db) -> Result<(i64, String)> {
    let sql = "SELECT seq, hash FROM audit WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1";
    match db.first(sql, &[]).await? {
        Some(row) => Ok((row.int("seq")?, row.text("hash")?)),
        None => Ok((0, GENESIS.to_owned())),
    }
}

/// Chains up to `limit` waiting entries; answers how many, and where the chain now ends. The unique number makes a
/// fork impossible: the second of two sealers fails and changes nothing.
pub async fn seal(tx: &mut Tx, limit: i64) -> Result<(u64, i64, String)> {
    let (mut seq, mut hash) = head(tx).await?;
    let sql = "SELECT id, body FROM audit WHERE seq IS NULL ORDER BY place, writer, writer_seq LIMIT $1";
    let mut sealed = Vec::new();
    for row in tx.all(sql, params![limit]).await? {
        seq += 1;
        hash = chain_hash(&hash, seq, &row.text("body")?);
        sealed.push((row.text("id")?, seq, hash.clone()));
    }
    for chunk in sealed.chunks(ROWS_MAX) {
        let places: Vec<Value<'_>> =
            chunk.iter().flat_map(|(id, seq, hash)| [Value::from(id), (*seq).into(), hash.into()]).collect();
        let sql = format!(
            "UPDATE audit SET seq = sealed.column2, hash = sealed.column3 FROM (VALUES {}) AS sealed
             WHERE audit.id = sealed.column1 AND audit.seq IS NULL RETURNING audit.id",
            values(chunk.len(), 3)
        );
        if tx.built_anew(sql, &places).await?.len() != chunk.len() {
            return Err(Error::Conflict("audit entry".to_owned()));
        }
    }
    Ok((u64::try_from(sealed.len()).unwrap_or(u64::MAX), seq, hash))
}

/// A stored entry, as listed and exported.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Stored {
    pub seq: Option<i64>,
    pub hash: Option<String>,
    pub entry: Entry,
}

impl Stored {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self { seq: row.opt_int("seq")?, hash: row.opt_text("hash")?, entry: row.json("audit", "body")? })
    }
}

/// Newest first: what waits for the sealer, then the chain from its end; with a number, the chain before it.
pub async fn newest(db: &mut Db, limit: i64, before_seq: Option<i64>) -> Result<Vec<Stored>> {
    let mut found = if before_seq.is_none() {
        let sql = "SELECT id, seq, hash, body FROM audit WHERE seq IS NULL
                   ORDER BY at DESC, writer_seq DESC LIMIT $1";
        db.all(sql, params![limit]).await?
    } else {
        Vec::new()
    };
    let waiting: HashSet<String> = found.iter().map(|row| row.text("id")).collect::<Result<_>>()?;
    let room = limit.saturating_sub(i64::try_from(found.len()).unwrap_or(i64::MAX)).max(0);
    let sql = "SELECT id, seq, hash, body FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
    for row in db.all(sql, params![before_seq.unwrap_or(i64::MAX), room]).await? {
        // Sealed between the two looks: it stands there already.
        if !waiting.contains(&row.text("id")?) {
            found.push(row);
        }
    }
    found.iter().map(Stored::from_row).collect()
}

/// Sealed entries after a number, oldest first: for export.
pub async fn after(db: &mut Db, seq: i64, limit: i64) -> Result<Vec<Stored>> {
    let sql = "SELECT id, seq, hash, body FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
    db.all(sql, params![seq, limit]).await?.iter().map(Stored::from_row).collect()
}

/// Entries that wait for the sealer, and how old the oldest is (machine time of its writing).
pub async fn unsealed(db: &mut Db) -> Result<(i64, Option<i64>)> {
    let row = db.first("SELECT COUNT(*) AS n, MIN(at) AS oldest FROM audit WHERE seq IS NULL", &[]).await?;
    row.map_or(Ok((0, None)), |row| Ok((row.int("n")?, row.opt_int("oldest")?)))
}

/// The commitment to a row as it now stands, for the entry that records its change.
pub async fn commitment(db: &mut Db, table: rows::Table, key: &str) -> Result<Commitment> {
    let hash = rows::hash(db, table, key)
        .await?
        .ok_or_else(|| Error::Conflict(format!("{} {key}", table.as_str())))?;
    Ok(Commitment { table: table.as_str().to_owned(), key: key.to_owned(), hash })
}

/// Adds rows; and the commitments to them for the entries that record that, in the order of these keys.
pub(crate) async fn insert(
    tx: &mut Tx,
    (table, keys): (rows::Table, &[&str]),
    insert: &str,
    values: &[Value<'_>],
) -> Result<Vec<Commitment>> {
    let hashes = rows::insert(tx, table, insert, values).await?;
    let mut commits = Vec::with_capacity(keys.len());
    for key in keys {
        commits.push(match hashes.get(*key) {
            Some(hash) => {
                Commitment { table: table.as_str().to_owned(), key: (*key).to_owned(), hash: hash.clone() }
            }
            None => commitment(tx, table, key).await?,
        });
    }
    Ok(commits)
}

/// Of one row.
pub(crate) fn only(mut commits: Vec<Commitment>) -> Result<Commitment> {
    commits.pop().ok_or_else(|| Error::Database("a row was added and is not there".to_owned()))
}

pub use rows::Table;
pub(crate) use rows::event_group_hash;
