//! What is due when: the work documents in order of time, the account's own and each test clock's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::doc::Doc as _;

/// One entry: when, in which order, where, which work.
pub type Due = (i64, u64, String, String);

/// Due work by the clock that drives it; business time has no name.
#[derive(Debug, Default)]
pub struct Agenda(BTreeMap<Option<String>, BTreeSet<Due>>);

impl Agenda {
    pub(super) fn add(&mut self, account: &str, position: u64, work: &Value) {
        let (clock, due) = entry(account, position, work);
        self.0.entry(clock).or_default().insert(due);
    }

    pub(super) fn drop(&mut self, account: &str, position: u64, work: &Value) {
        let (clock, due) = entry(account, position, work);
        if let Some(entries) = self.0.get_mut(&clock) {
            entries.remove(&due);
        }
    }

    /// The first work due at or before `until` on this clock.
    pub fn first_due(&self, clock: Option<&str>, until: i64) -> Option<Due> {
        let entries = self.0.get(&clock.map(str::to_owned))?;
        entries.first().filter(|(due, ..)| *due <= until).cloned()
    }
}

fn entry(account: &str, position: u64, work: &Value) -> (Option<String>, Due) {
    let clock = work.maybe_text("test_clock").map(str::to_owned);
    (clock, (work.int("due"), position, account.to_owned(), work.text("id").to_owned()))
}
