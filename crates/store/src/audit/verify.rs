//! Checking the whole audit: every sealed entry against the chain, every row an entry commits to against its hash, and
//! each writer's own count for holes. Needs only read access and no keys.

use std::collections::BTreeMap;

use bursar_domain::audit::{Entry, GENESIS, chain_hash};
use serde::Serialize;

use super::rows::{self, Table};
use crate::anchor::{self, Anchor, Fit};
use crate::{Db, Error, Result, Row, params};

/// The first thing that is off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `chain`, `row`, `writer`, `entry` or `anchor`.
    pub what: &'static str,
    pub seq: Option<i64>,
    pub entry: Option<String>,
    pub table: Option<String>,
    pub key: Option<String>,
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub ok: bool,
    pub entries: i64,
    pub unsealed: i64,
    pub rows: i64,
    pub head: String,
    /// The entry that the anchor names, where there was one to compare with.
    pub anchor: Option<i64>,
    pub first_bad: Option<Finding>,
}

const PAGE: i64 = 1_000;

/// Reads the chain from its start, all of it at one moment. Stops at the first finding: everything after it rests on
/// nothing.
pub async fn verify(db: &mut Db) -> Result<Report> {
    verify_against(db, None).await
}

/// The same, and whether the chain still holds the entry that an anchor names: one that was cut off at its end is sound in
/// itself. The anchor must have been read before this begins.
pub async fn verify_against(db: &mut Db, anchor: Option<&Anchor>) -> Result<Report> {
    db.begin_reading().await?;
    let report = verify_now(db, anchor).await;
    db.command("ROLLBACK").await?;
    report
}

async fn verify_now(db: &mut Db, anchor: Option<&Anchor>) -> Result<Report> {
    let mut walk = Walk { head: GENESIS.to_owned(), ..Walk::default() };
    let mut first_bad = None;
    'pages: loop {
        let sql = "SELECT id, writer, writer_seq, at, kind, body, seq, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
        let page = db.all(sql, params![walk.seq, PAGE]).await?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            let step = match Sealed::from_row(row) {
                Ok(sealed) => walk.step(sealed),
                Err(error) => Err(Box::new(walk.unreadable(&error))),
            };
            if let Err(finding) = step {
                first_bad = Some(*finding);
                break 'pages;
            }
        }
    }
    let (unsealed, _) = super::unsealed(db).await?;
    if first_bad.is_none() {
        let later = unsealed_words(db).await?;
        first_bad = check_rows(db, &walk, &later).await?;
    }
    if let (None, Some(anchor)) = (&first_bad, anchor) {
        first_bad = unanchored(anchor, anchor::compare(db, anchor).await?, walk.seq);
    }
    Ok(Report {
        ok: first_bad.is_none(),
        anchor: anchor.map(|anchor| anchor.seq),
        entries: walk.seq,
        unsealed,
        rows: i64::try_from(walk.rows.len()).unwrap_or(i64::MAX),
        head: walk.head,
        first_bad,
    })
}

fn unanchored(anchor: &Anchor, fit: Fit, head: i64) -> Option<Finding> {
    let seq = anchor.seq;
    let detail = match fit {
        Fit::Fits => return None,
        Fit::Behind => {
            format!("the newest entries are missing: the chain ends at {head}, and had come to {seq}")
        }
        Fit::OtherChain => format!("entry {seq} is another one than the anchor file names"),
        Fit::OtherInstallation => "the anchor file is another installation's".to_owned(),
    };
    Some(Finding { what: "anchor", seq: Some(seq), entry: None, table: None, key: None, detail })
}

/// An entry as its row has it. What stands beside the body is there to be searched by and must say the same.
struct Sealed {
    seq: i64,
    id: String,
    hash: String,
    body: String,
    writer: String,
    writer_seq: i64,
    at: i64,
    kind: String,
}

impl Sealed {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            seq: row.int("seq")?,
            id: row.text("id")?,
            hash: row.text("hash")?,
            body: row.text("body")?,
            writer: row.text("writer")?,
            writer_seq: row.int("writer_seq")?,
            at: row.int("at")?,
            kind: row.text("kind")?,
        })
    }

    fn agrees(&self, entry: &Entry) -> bool {
        entry.id.as_str() == self.id
            && entry.writer == self.writer
            && entry.writer_seq == self.writer_seq
            && entry.at == self.at
            && entry.kind == self.kind
    }
}

/// What an entry said about a row: the last sealed word counts.
struct Said {
    seq: i64,
    entry: String,
    hash: String,
}

#[derive(Default)]
struct Walk {
    seq: i64,
    head: String,
    writers: BTreeMap<String, i64>,
    rows: BTreeMap<(String, String), Said>,
}

impl Walk {
    /// A row that is no entry any more, where the next one should be.
    fn unreadable(&self, error: &Error) -> Finding {
        Finding {
            what: "entry",
            seq: Some(self.seq + 1),
            entry: None,
            table: Some("audit".to_owned()),
            key: None,
            detail: format!("the entry cannot be read: {error}"),
        }
    }

    fn step(&mut self, sealed: Sealed) -> std::result::Result<(), Box<Finding>> {
        let (seq, id, hash, body) = (sealed.seq, &sealed.id, &sealed.hash, &sealed.body);
        let bad = |what, detail: String| {
            let (entry, table) = (Some(id.clone()), Some("audit".to_owned()));
            Box::new(Finding { what, seq: Some(seq), key: entry.clone(), entry, table, detail })
        };
        if seq != self.seq + 1 {
            return Err(bad("chain", format!("entry {} is missing", self.seq + 1)));
        }
        if chain_hash(&self.head, seq, body) != *hash {
            return Err(bad("chain", "the entry or the one before it was changed".to_owned()));
        }
        let entry: Entry =
            serde_json::from_str(body).map_err(|error| bad("entry", format!("not an entry: {error}")))?;
        if !sealed.agrees(&entry) {
            return Err(bad("entry", "what stands beside the entry in its row was changed".to_owned()));
        }
        let count = self.writers.entry(entry.writer.clone()).or_insert(0);
        if entry.writer_seq != *count + 1 {
            return Err(bad(
                "writer",
                format!("{} wrote an entry {} that is not here", entry.writer, *count + 1),
            ));
        }
        *count = entry.writer_seq;
        for commit in entry.commits {
            let said = Said { seq, entry: id.clone(), hash: commit.hash };
            self.rows.insert((commit.table, commit.key), said);
        }
        self.seq = seq;
        self.head = sealed.hash;
        Ok(())
    }
}

/// What entries that wait for the sealer say about rows: a row that changed a moment ago was not tampered with.
async fn unsealed_words(db: &mut Db) -> Result<BTreeMap<(String, String), String>> {
    let sql = "SELECT id, body FROM audit WHERE seq IS NULL ORDER BY place, writer, writer_seq";
    let mut words = BTreeMap::new();
    for row in db.all(sql, &[]).await? {
        // One that cannot be read vouches for nothing; once sealed, it is named.
        let Ok(entry) = row.json::<Entry>("audit", "body") else { continue };
        words.extend(entry.commits.into_iter().map(|commit| ((commit.table, commit.key), commit.hash)));
    }
    Ok(words)
}

async fn check_rows(
    db: &mut Db,
    walk: &Walk,
    later: &BTreeMap<(String, String), String>,
) -> Result<Option<Finding>> {
    for ((table, key), said) in &walk.rows {
        let finding = |detail: String| Finding {
            what: "row",
            seq: Some(said.seq),
            entry: Some(said.entry.clone()),
            table: Some(table.clone()),
            key: Some(key.clone()),
            detail,
        };
        let Some(known) = Table::parse(table) else {
            return Ok(Some(finding("a table this version does not know".to_owned())));
        };
        match rows::hash(db, known, key).await {
            Ok(Some(hash))
                if hash == said.hash || later.get(&(table.clone(), key.clone())) == Some(&hash) => {}
            Ok(Some(_)) => return Ok(Some(finding("the row was changed after it was recorded".to_owned()))),
            Ok(None) => return Ok(Some(finding("the row is gone".to_owned()))),
            // Bytes that are no text, a number where text belongs: it was not we who wrote that.
            Err(Error::Database(why)) => return Ok(Some(finding(format!("the row cannot be read: {why}")))),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
