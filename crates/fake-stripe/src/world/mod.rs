//! The whole state: documents by account and kind, events, the agenda of due work, and the counters
//! that make ids. It changes only through a [`Tx`], which commits to the journal or leaves no trace.

mod agenda;
mod events;
pub mod ids;
mod journal;
mod kind;
mod table;
mod tx;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

pub use self::agenda::Agenda;
pub use self::events::{EventLog, EventRow};
pub use self::ids::IdStream;
pub use self::journal::Journal;
pub use self::kind::Kind;
pub use self::table::Table;
pub use self::tx::{Cause, Tx};
use crate::doc::Doc as _;
use crate::error::Error;

/// Everything on one account.
#[derive(Debug, Default)]
pub struct Lane {
    tables: BTreeMap<Kind, Table>,
    pub events: EventLog,
}

/// The live state of one simulated Stripe.
#[derive(Debug)]
pub struct World {
    lanes: BTreeMap<String, Lane>,
    pub agenda: Agenda,
    pub ids: IdStream,
    position: u64,
    journal: Option<Journal>,
    pub livemode: bool,
    pub platform: String,
    /// While history is being made up: the journal, and from when on events are kept.
    resting: Option<(Option<Journal>, i64)>,
    pub boots: u64,
    pub after_retries: crate::billing::subscription::AfterRetries,
}

impl World {
    /// An empty world, or the one that the journal in `data_dir` tells of.
    pub fn open(data_dir: Option<&Path>, seed: u64, livemode: bool) -> Result<(Self, Option<i64>), Error> {
        let platform = format!("acct_1{}", ids::letters(seed, u64::MAX, 15));
        let mut world = Self {
            lanes: BTreeMap::new(),
            agenda: Agenda::default(),
            ids: IdStream::new(seed, 0),
            position: 0,
            journal: None,
            resting: None,
            livemode,
            platform,
            boots: 0,
            after_retries: crate::billing::subscription::AfterRetries::default(),
        };
        let Some(data_dir) = data_dir else { return Ok((world, None)) };
        let (journal, now_s) = Journal::open(data_dir, &mut world)?;
        world.journal = Some(journal);
        Ok((world, now_s))
    }

    pub fn lane(&self, account: &str) -> Option<&Lane> {
        self.lanes.get(account)
    }

    pub fn accounts(&self) -> impl Iterator<Item = &String> {
        self.lanes.keys()
    }

    pub fn get(&self, account: &str, kind: Kind, id: &str) -> Option<&Value> {
        self.lanes.get(account)?.tables.get(&kind)?.get(id)
    }

    /// Oldest first.
    pub fn rows(&self, account: &str, kind: Kind) -> impl DoubleEndedIterator<Item = &Value> {
        self.table(account, kind).into_iter().flat_map(|table| table.rows().map(|(_, document)| document))
    }

    pub fn table(&self, account: &str, kind: Kind) -> Option<&Table> {
        self.lanes.get(account)?.tables.get(&kind)
    }

    pub fn next_position(&mut self) -> u64 {
        self.position += 1;
        self.position
    }

    /// Begins a change on one account at a business time.
    pub fn begin(&mut self, account: &str, now_s: i64, cause: Cause) -> Tx<'_> {
        Tx::new(self, account, now_s, cause)
    }

    fn put(&mut self, account: &str, kind: Kind, position: u64, document: Value) -> Option<Value> {
        self.position = self.position.max(position);
        let lane = self.lanes.entry(account.to_owned()).or_default();
        let table = lane.tables.entry(kind).or_insert_with(|| Table::new(kind));
        if kind == Kind::Work {
            self.agenda.add(account, position, &document);
        }
        table.put(position, document)
    }

    fn remove(&mut self, account: &str, kind: Kind, id: &str) -> Option<(u64, Value)> {
        let table = self.lanes.get_mut(account)?.tables.get_mut(&kind)?;
        let position = table.position(id)?;
        let document = table.remove(id)?;
        if kind == Kind::Work {
            self.agenda.drop(account, position, &document);
        }
        Some((position, document))
    }

    fn append_event(&mut self, account: &str, position: u64, text: Box<str>) -> Option<()> {
        let document: Value = serde_json::from_str(&text).ok()?;
        let row = EventRow {
            id: document.text("id").to_owned(),
            kind: document.text("type").to_owned(),
            created: document.int("created"),
            text,
        };
        self.position = self.position.max(position);
        self.lanes.entry(account.to_owned()).or_default().events.append(position, row);
        Some(())
    }

    /// Looks away while history is made up: no journal, no ledger, no events from before `events_from`.
    pub fn rest_journal(&mut self, events_from: i64) {
        self.resting = Some((self.journal.take(), events_from));
    }

    /// Writes down what history amounted to, and goes on as usual.
    pub fn resume_journal(&mut self, now_s: i64) -> Result<(), Error> {
        if let Some((journal, _)) = self.resting.take() {
            self.journal = journal.map(|journal| journal.rewritten(self, now_s)).transpose()?;
        }
        Ok(())
    }

    /// Notes the time in the journal, so that a restart resumes it.
    pub fn note_time(&mut self, now_s: i64) -> Result<(), Error> {
        match self.journal.as_mut() {
            Some(journal) => journal.append(&journal::Line::new(now_s, self.ids.counter, self.boots)),
            None => Ok(()),
        }
    }
}
