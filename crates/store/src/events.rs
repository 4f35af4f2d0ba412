//! Events as received: each once. A whole batch is accepted in a handful of statements, with its jobs and one audit
//! entry, so that the cost of durability is shared.

use std::collections::{HashMap, HashSet};

use bursar_domain::audit::Commitment;
use bursar_domain::canonical::hash_hex;
use bursar_domain::id::AuditId;

use crate::audit::{self, Record, Table};
use crate::dialect::{ROWS_MAX, values};
use crate::jobs::{self, NewJob};
use crate::seal::Keyring;
use crate::{Db, Result, Row, Tx, Value, params};

/// An event to be kept.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub lane: String,
    pub id: String,
    pub kind: String,
    pub created_s: i64,
    pub api_version: Option<String>,
    pub request_key: Option<String>,
    pub object_kind: Option<String>,
    pub object_id: Option<String>,
    /// The snapshot event about the same change, where a thin event names one.
    pub snapshot_event: Option<String>,
    pub sameness: String,
    pub sameness_any_version: String,
    /// `webhook`, `connect_webhook`, `poll`, `backfill`.
    pub source: &'static str,
    pub received_at: i64,
    pub subject: String,
    pub body: Vec<u8>,
    /// The work that follows, kept in the same commit.
    pub job: Option<NewJob>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    New,
    /// The same event again.
    Duplicate,
    /// The same id with other contents: not kept here.
    Conflict,
}

/// Keeps a batch. The entry's id and machine time are the caller's.
pub async fn accept(
    tx: &mut Tx,
    keyring: &Keyring,
    batch: &[NewEvent],
    entry: AuditId,
    at: i64,
) -> Result<Vec<Accepted>> {
    let verdicts = judge(tx, batch).await?;
    let new: Vec<&NewEvent> = batch
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| **verdict == Accepted::New)
        .map(|(event, _)| event)
        .collect();
    if new.is_empty() {
        return Ok(verdicts);
    }
    let subjects: Vec<(&str, &str)> =
        new.iter().map(|event| (event.lane.as_str(), event.subject.as_str())).collect();
    let keys = keyring.for_writing_many(tx, &subjects, at).await?;
    let mut sealed = Vec::with_capacity(new.len());
    for (event, key) in new.iter().zip(&keys) {
        let body = keyring.seal(key, &purpose(&event.id), &event.body)?;
        let hash = hash_hex(&body);
        sealed.push((body, hash));
    }
    insert(tx, &new, &sealed, &entry).await?;
    jobs::add_many(tx, new.iter().filter_map(|event| event.job.as_ref())).await?;
    let commit = Commitment {
        table: Table::EventGroup.as_str().to_owned(),
        key: entry.to_string(),
        hash: group_hash(&new, &sealed)?,
    };
    let data = serde_json::json!({"events": new.len()});
    let record = Record {
        id: entry,
        at,
        kind: "events.accepted",
        lane: None,
        actor: None,
        data,
        commits: vec![commit],
    };
    audit::append(tx, record).await?;
    Ok(verdicts)
}

fn purpose(id: &str) -> String {
    format!("events\n{id}")
}

/// What two deliveries of one event must have in common.
#[derive(Clone, Copy)]
struct Same<'e> {
    api_version: Option<&'e str>,
    sameness: &'e str,
    any_version: &'e str,
}

impl Same<'_> {
    fn agrees_with(self, other: Same<'_>) -> bool {
        self.sameness == other.sameness
            || (self.api_version != other.api_version && self.any_version == other.any_version)
    }
}

impl NewEvent {
    fn name(&self) -> (&str, &str) {
        (&self.lane, &self.id)
    }

    fn same(&self) -> Same<'_> {
        Same {
            api_version: self.api_version.as_deref(),
            sameness: &self.sameness,
            any_version: &self.sameness_any_version,
        }
    }
}

/// What each of a batch is beside what is held. Asking changes nothing.
pub async fn judge(db: &mut Db, batch: &[NewEvent]) -> Result<Vec<Accepted>> {
    let held = held(db, batch).await?;
    let mut known = by_name(&held);
    let mut verdicts = Vec::with_capacity(batch.len());
    for event in batch {
        verdicts.push(verdict(event, known.get(&event.name())));
        known.entry(event.name()).or_insert_with(|| event.same());
    }
    Ok(verdicts)
}

/// What each of a batch is beside what is held, and beside nothing else: of two copies of one event that are not held, both
/// are new. So it is asked after a commit that was lost, when the first copy is no reason to acknowledge the second.
pub async fn judge_each(db: &mut Db, batch: &[NewEvent]) -> Result<Vec<Accepted>> {
    let held = held(db, batch).await?;
    let known = by_name(&held);
    Ok(batch.iter().map(|event| verdict(event, known.get(&event.name()))).collect())
}

fn by_name(held: &[Held]) -> HashMap<(&str, &str), Same<'_>> {
    held.iter().map(|held| ((held.lane.as_str(), held.id.as_str()), held.same())).collect()
}

fn verdict(event: &NewEvent, known: Option<&Same<'_>>) -> Accepted {
    match known {
        None => Accepted::New,
        Some(known) if known.agrees_with(event.same()) => Accepted::Duplicate,
        Some(_) => Accepted::Conflict,
    }
}

/// What is kept under the name of an event that came.
struct Held {
    lane: String,
    id: String,
    api_version: Option<String>,
    sameness: String,
    any_version: String,
}

impl Held {
    fn same(&self) -> Same<'_> {
        Same {
            api_version: self.api_version.as_deref(),
            sameness: &self.sameness,
            any_version: &self.any_version,
        }
    }
}

async fn held(db: &mut Db, batch: &[NewEvent]) -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for chunk in batch.chunks(ROWS_MAX) {
        let names: Vec<Value<'_>> =
            chunk.iter().flat_map(|event| [Value::from(&event.lane), (&event.id).into()]).collect();
        let sql = format!(
            "SELECT lane, id, api_version, sameness, sameness_any_version FROM events
             WHERE (lane, id) IN (SELECT column1, column2 FROM (VALUES {}) AS wanted)",
            values(chunk.len(), 2)
        );
        for row in db.built(sql, &names).await? {
            held.push(Held {
                lane: row.text("lane")?,
                id: row.text("id")?,
                api_version: row.opt_text("api_version")?,
                sameness: row.text("sameness")?,
                any_version: row.text("sameness_any_version")?,
            });
        }
    }
    Ok(held)
}

async fn insert(tx: &mut Tx, new: &[&NewEvent], sealed: &[(Vec<u8>, String)], entry: &AuditId) -> Result<()> {
    for (events, bodies) in new.chunks(ROWS_MAX).zip(sealed.chunks(ROWS_MAX)) {
        let mut row: Vec<Value<'_>> = Vec::with_capacity(events.len() * 17);
        for (event, (body, hash)) in events.iter().zip(bodies) {
            row.extend([
                Value::from(&event.lane),
                (&event.id).into(),
                (&event.kind).into(),
                event.created_s.into(),
                event.api_version.as_deref().into(),
                event.request_key.as_deref().into(),
                event.object_kind.as_deref().into(),
                event.object_id.as_deref().into(),
                event.snapshot_event.as_deref().into(),
                (&event.sameness).into(),
                (&event.sameness_any_version).into(),
                event.source.into(),
                event.received_at.into(),
                (&event.subject).into(),
                body.into(),
                hash.into(),
                entry.as_str().into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO events (lane, id, type, created_s, api_version, request_key, object_kind, object_id,
                 snapshot_event, sameness, sameness_any_version, source, received_at, subject, body, body_hash, audit_id)
             SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL",
            values(events.len(), 17)
        );
        tx.built(sql, &row).await?;
    }
    Ok(())
}

/// What the audit finds again when it hashes the rows of the group.
fn group_hash(new: &[&NewEvent], sealed: &[(Vec<u8>, String)]) -> Result<String> {
    let mut rows: Vec<(Vec<String>, String)> = new
        .iter()
        .zip(sealed)
        .map(|(event, (_, hash))| {
            let text =
                |value: &Option<String>| value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
            let parts = vec![
                event.lane.clone(),
                event.id.clone(),
                event.kind.clone(),
                event.created_s.to_string(),
                text(&event.api_version),
                text(&event.request_key),
                text(&event.object_kind),
                text(&event.object_id),
                text(&event.snapshot_event),
                event.sameness.clone(),
                event.sameness_any_version.clone(),
                event.source.to_owned(),
                event.received_at.to_string(),
                event.subject.clone(),
                hash.clone(),
            ];
            (parts, hash.clone())
        })
        .collect();
    rows.sort_by(|one, other| (&one.0[0], &one.0[1]).cmp(&(&other.0[0], &other.0[1])));
    audit::event_group_hash(&rows)
}

/// An event as kept, its body still sealed.
#[derive(Clone, Debug)]
pub struct Stored {
    pub lane: String,
    pub id: String,
    pub kind: String,
    pub created_s: i64,
    pub api_version: Option<String>,
    pub request_key: Option<String>,
    pub object_kind: Option<String>,
    pub object_id: Option<String>,
    pub source: String,
    pub received_at: i64,
    pub subject: String,
    sealed: Vec<u8>,
    /// What became of the object of a thin event.
    pub resolved: Option<String>,
}

const COLUMNS: &str = "lane, id, type, created_s, api_version, request_key, object_kind, object_id, source, \
                       received_at, subject, body, resolved";

impl Stored {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            lane: row.text("lane")?,
            id: row.text("id")?,
            kind: row.text("type")?,
            created_s: row.int("created_s")?,
            api_version: row.opt_text("api_version")?,
            request_key: row.opt_text("request_key")?,
            object_kind: row.opt_text("object_kind")?,
            object_id: row.opt_text("object_id")?,
            source: row.text("source")?,
            received_at: row.int("received_at")?,
            subject: row.text("subject")?,
            sealed: row.blob("body")?,
            resolved: row.opt_text("resolved")?,
        })
    }

    /// The bytes as Stripe sent them (card numbers masked).
    pub async fn body(&self, db: &mut Db, keyring: &Keyring) -> Result<Vec<u8>> {
        let key = keyring.for_reading(db, &self.lane, &self.subject).await?;
        keyring.unseal(&key, &purpose(&self.id), &self.sealed)
    }
}

pub async fn get(db: &mut Db, lane: &str, id: &str) -> Result<Option<Stored>> {
    let sql = select("WHERE lane = $1 AND id = $2");
    let rows = db.built(sql, params![lane, id]).await?;
    rows.first().map(Stored::from_row).transpose()
}

fn select(tail: &str) -> String {
    format!("SELECT {COLUMNS} FROM events {tail}")
}

/// Many by lane and id, in the order asked; nothing where there is none.
pub async fn get_many(db: &mut Db, names: &[(&str, &str)]) -> Result<Vec<Option<Stored>>> {
    let mut found: HashMap<(String, String), Stored> = HashMap::with_capacity(names.len());
    for chunk in names.chunks(ROWS_MAX) {
        let wanted: Vec<Value<'_>> =
            chunk.iter().flat_map(|(lane, id)| [Value::from(*lane), (*id).into()]).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM events
             WHERE (lane, id) IN (SELECT column1, column2 FROM (VALUES {}) AS wanted)",
            values(chunk.len(), 2)
        );
        for row in db.built(sql, &wanted).await? {
            let stored = Stored::from_row(&row)?;
            found.insert((stored.lane.clone(), stored.id.clone()), stored);
        }
    }
    Ok(names.iter().map(|(lane, id)| found.remove(&((*lane).to_owned(), (*id).to_owned()))).collect())
}

/// By id over all lanes: what a person types.
pub async fn find(db: &mut Db, id: &str) -> Result<Option<Stored>> {
    let rows = db.built(select("WHERE id = $1 LIMIT 1"), params![id]).await?;
    rows.first().map(Stored::from_row).transpose()
}

/// What a listing asks for. `before` is exclusive: created second and id of the last row seen.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kind: Option<String>,
    pub object_id: Option<String>,
    pub before: Option<(i64, String)>,
    pub limit: i64,
}

/// Newest first.
pub async fn list(db: &mut Db, filter: &Filter) -> Result<Vec<Stored>> {
    let (before_s, before_id) =
        filter.before.as_ref().map_or((i64::MAX, ""), |(created_s, id)| (*created_s, id.as_str()));
    let mut params = params![before_s, before_id, filter.limit].to_vec();
    // One text for each way to ask, so that each has its index.
    let tail = match (&filter.object_id, &filter.kind) {
        (None, None) => "WHERE (created_s, id) < ($1, $2) ORDER BY created_s DESC, id DESC LIMIT $3",
        (None, Some(kind)) => {
            params.push(kind.into());
            "WHERE type = $4 AND (created_s, id) < ($1, $2) ORDER BY created_s DESC, id DESC LIMIT $3"
        }
        (Some(object), None) => {
            params.push(object.into());
            "WHERE object_id = $4 AND (created_s, id) < ($1, $2) ORDER BY created_s DESC, id DESC LIMIT $3"
        }
        (Some(object), Some(kind)) => {
            params.extend([Value::from(object), kind.into()]);
            "WHERE object_id = $4 AND type = $5 AND (created_s, id) < ($1, $2)
             ORDER BY created_s DESC, id DESC LIMIT $3"
        }
    };
    db.built(select(tail), &params).await?.iter().map(Stored::from_row).collect()
}

/// Whether an event caused by one of our requests has arrived: the universal look-up.
pub async fn caused_by(db: &mut Db, lane: &str, request_key: &str) -> Result<Option<Stored>> {
    let tail = "WHERE lane = $1 AND request_key = $2 ORDER BY created_s LIMIT 1";
    let rows = db.built(select(tail), params![lane, request_key]).await?;
    rows.first().map(Stored::from_row).transpose()
}

/// All of them, the first one first.
pub async fn all_caused_by(db: &mut Db, lane: &str, request_key: &str) -> Result<Vec<Stored>> {
    let sql = select("WHERE lane = $1 AND request_key = $2 ORDER BY created_s");
    db.built(sql, params![lane, request_key]).await?.iter().map(Stored::from_row).collect()
}

/// The idempotency keys of ours under which something happened on a lane since a second, whether they are known or not.
pub async fn our_keys_since(db: &mut Db, lane: &str, since_s: i64) -> Result<Vec<String>> {
    let sql = "SELECT request_key FROM events
               WHERE lane = $1 AND request_key >= 'bursar_' AND request_key < 'bursar`' AND created_s >= $2
               GROUP BY request_key ORDER BY request_key";
    db.all(sql, params![lane, since_s]).await?.iter().map(|row| row.text("request_key")).collect()
}

/// What became of the object that a thin event refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It was read and mirrored.
    Read,
    /// There is no such object any more: nothing follows.
    Gone,
    /// The snapshot event about the same change is held and says it all.
    Left,
}

impl Resolved {
    pub fn as_str(self) -> &'static str {
        match self {
            Resolved::Read => "read",
            Resolved::Gone => "gone",
            Resolved::Left => "left",
        }
    }
}

pub async fn resolve(tx: &mut Tx, lane: &str, id: &str, resolved: Resolved) -> Result<()> {
    let sql = "UPDATE events SET resolved = $1 WHERE lane = $2 AND id = $3";
    tx.execute(sql, params![resolved.as_str(), lane, id]).await.map(|_| ())
}

/// Of these snapshot events, by lane and id, those for which the object of a thin event about the same change was read
/// already.
pub async fn read_for(db: &mut Db, snapshots: &[(&str, &str)]) -> Result<HashSet<(String, String)>> {
    let mut read = HashSet::new();
    for chunk in snapshots.chunks(ROWS_MAX) {
        let names: Vec<Value<'_>> =
            chunk.iter().flat_map(|(lane, id)| [Value::from(*lane), (*id).into()]).collect();
        let sql = format!(
            "SELECT lane, snapshot_event FROM events WHERE resolved = 'read' AND snapshot_event IS NOT NULL
             AND (lane, snapshot_event) IN (SELECT column1, column2 FROM (VALUES {}) AS wanted)",
            values(chunk.len(), 2)
        );
        for row in db.built(sql, &names).await? {
            read.insert((row.text("lane")?, row.text("snapshot_event")?));
        }
    }
    Ok(read)
}

/// How many came in after a moment and up to another (machine time). Only those are looked at.
pub async fn count_received(db: &mut Db, after: i64, up_to: i64) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM events WHERE received_at > $1 AND received_at <= $2";
    db.number(sql, params![after, up_to]).await
}

/// When the newest came in (machine time).
pub async fn newest_receipt(db: &mut Db) -> Result<Option<i64>> {
    let row = db.first("SELECT MAX(received_at) AS newest FROM events", &[]).await?;
    row.map_or(Ok(None), |row| row.opt_int("newest"))
}

/// Which of these ids of a lane are not kept yet.
pub async fn missing<'i>(db: &mut Db, lane: &str, ids: &[&'i str]) -> Result<Vec<&'i str>> {
    let mut unknown = Vec::new();
    for chunk in ids.chunks(500) {
        let mut names: Vec<Value<'_>> = vec![Value::from(lane)];
        names.extend(chunk.iter().map(|id| Value::from(*id)));
        let places: Vec<String> = (2..=chunk.len() + 1).map(|place| format!("${place}")).collect();
        let sql = format!("SELECT id FROM events WHERE lane = $1 AND id IN ({})", places.join(", "));
        let mut held = HashSet::new();
        for row in db.built(sql, &names).await? {
            held.insert(row.text("id")?);
        }
        unknown.extend(chunk.iter().filter(|id| !held.contains(**id)));
    }
    Ok(unknown)
}
