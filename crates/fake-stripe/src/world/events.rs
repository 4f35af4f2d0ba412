//! The events of one account: written once, kept as text, found by id or newest first.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// One event with the few things a list filters by.
#[derive(Debug)]
pub struct EventRow {
    pub id: String,
    pub kind: String,
    pub created: i64,
    /// The event as it was made; its shape never changes afterwards.
    pub text: Box<str>,
}

impl EventRow {
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

/// All events that are still kept.
#[derive(Debug, Default)]
pub struct EventLog {
    rows: BTreeMap<u64, EventRow>,
    positions: HashMap<String, u64>,
}

impl EventLog {
    pub fn append(&mut self, position: u64, row: EventRow) {
        self.positions.insert(row.id.clone(), position);
        self.rows.insert(position, row);
    }

    pub fn get(&self, id: &str) -> Option<&EventRow> {
        self.rows.get(self.positions.get(id)?)
    }

    pub fn position(&self, id: &str) -> Option<u64> {
        self.positions.get(id).copied()
    }

    pub fn remove(&mut self, id: &str) {
        if let Some(position) = self.positions.remove(id) {
            self.rows.remove(&position);
        }
    }

    /// Oldest first, with positions.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (u64, &EventRow)> {
        self.rows.iter().map(|(position, row)| (*position, row))
    }

    /// Ids of events made before this time, oldest first.
    pub fn older_than(&self, created: i64) -> Vec<String> {
        self.rows.values().take_while(|row| row.created < created).map(|row| row.id.clone()).collect()
    }
}
