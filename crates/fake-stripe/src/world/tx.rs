//! A change to the world on one account: reads, writes, events, ledger entries and due work, which
//! commit together as one line of the journal or are taken back.

use serde_json::{Value, json};

use super::journal::Line;
use super::{EventRow, Kind, World};
use crate::API_VERSION;
use crate::doc::{Doc as _, previous_attributes};
use crate::error::{ApiError, ApiResult, Error};

/// The call that causes a change; Stripe's own doings have neither id nor key.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    pub request: Option<String>,
    pub idempotency_key: Option<String>,
}

#[derive(Debug)]
struct Change {
    account: String,
    kind: Kind,
    id: String,
    position: u64,
    before: Option<Value>,
}

/// An uncommitted change. Dropping it takes everything back.
#[derive(Debug)]
pub struct Tx<'w> {
    pub world: &'w mut World,
    pub account: String,
    /// Business time, or the frozen time of the test clock the change is about.
    pub now: i64,
    /// Business time, always.
    wall: i64,
    pub cause: Cause,
    changes: Vec<Change>,
    events: Vec<(String, String, u64)>,
    forgotten_events: Vec<String>,
    done: bool,
}

impl<'w> Tx<'w> {
    pub(super) fn new(world: &'w mut World, account: &str, now: i64, cause: Cause) -> Self {
        Self {
            world,
            account: account.to_owned(),
            now,
            wall: now,
            cause,
            changes: Vec::new(),
            events: Vec::new(),
            forgotten_events: Vec::new(),
            done: false,
        }
    }

    pub fn id(&mut self, kind: Kind) -> String {
        self.world.ids.next(kind.prefix())
    }

    pub fn livemode(&self) -> bool {
        self.world.livemode
    }

    pub fn is_platform(&self) -> bool {
        self.account == self.world.platform
    }

    pub fn get(&self, kind: Kind, id: &str) -> Option<&Value> {
        self.world.get(&self.account, kind, id)
    }

    /// A copy of the document named by the path, or 404.
    pub fn find(&self, kind: Kind, id: &str) -> ApiResult {
        self.get(kind, id).cloned().ok_or_else(|| ApiError::no_such(kind, id))
    }

    /// A copy of the document named by a parameter, or 400.
    pub fn find_param(&self, kind: Kind, id: &str, param: &str) -> ApiResult {
        self.get(kind, id).cloned().ok_or_else(|| ApiError::no_such_param(kind, id, param))
    }

    /// From here on it is the time of this customer's test clock, if there is one.
    pub fn enter_time_of(&mut self, customer: &Value) {
        let clock = customer.maybe_text("test_clock").and_then(|clock| self.get(Kind::TestClock, clock));
        if let Some(clock) = clock {
            self.now = clock.int("frozen_time");
        }
    }

    /// Oldest first: documents that belong to `owner`.
    pub fn owned_by(&self, kind: Kind, owner: &str) -> impl DoubleEndedIterator<Item = &Value> {
        let table = self.world.table(&self.account, kind);
        table.into_iter().flat_map(move |table| table.owned_by(owner).map(|(_, document)| document))
    }

    /// Oldest first: all documents of a kind.
    pub fn all(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Value> {
        self.world.rows(&self.account, kind)
    }

    /// Keeps a document, new or changed.
    pub fn put(&mut self, kind: Kind, document: Value) {
        let account = self.account.clone();
        self.put_on(&account, kind, document);
    }

    /// Keeps a document on another account than the change's own.
    pub fn put_on(&mut self, account: &str, kind: Kind, document: Value) {
        let id = document.text("id").to_owned();
        let existing = self.world.table(account, kind).and_then(|table| table.position(&id));
        let position = existing.unwrap_or_else(|| self.world.next_position());
        let before = self.world.put(account, kind, position, document);
        self.changes.push(Change { account: account.to_owned(), kind, id, position, before });
    }

    /// Changes a document in place. Gives it before and after; a document that is not there stays so.
    pub fn change(&mut self, kind: Kind, id: &str, edit: impl FnOnce(&mut Value)) -> Option<(Value, Value)> {
        let before = self.get(kind, id).cloned()?;
        let mut after = before.clone();
        edit(&mut after);
        if before != after {
            self.put(kind, after.clone());
        }
        Some((before, after))
    }

    /// Changes a document and emits `event` with what changed, if anything did.
    pub fn change_and_tell(
        &mut self,
        kind: Kind,
        id: &str,
        event: &str,
        edit: impl FnOnce(&mut Value),
    ) -> Value {
        let Some((before, after)) = self.change(kind, id, edit) else { return Value::Null };
        if before != after {
            self.emit_update(event, &before, &after);
        }
        after
    }

    pub fn remove(&mut self, kind: Kind, id: &str) -> Option<Value> {
        let account = self.account.clone();
        self.remove_on(&account, kind, id)
    }

    pub fn remove_on(&mut self, account: &str, kind: Kind, id: &str) -> Option<Value> {
        let (position, before) = self.world.remove(account, kind, id)?;
        let change = Change {
            account: account.to_owned(),
            kind,
            id: id.to_owned(),
            position,
            before: Some(before.clone()),
        };
        self.changes.push(change);
        Some(before)
    }

    /// Emits an event that carries the object as it now is.
    pub fn emit(&mut self, kind: &str, object: &Value) -> String {
        self.emit_data(kind, &json!({"object": object}))
    }

    /// Emits an event for an update, with the old values of what changed.
    pub fn emit_update(&mut self, kind: &str, before: &Value, after: &Value) -> String {
        let previous = previous_attributes(before, after);
        self.emit_data(kind, &json!({"object": after, "previous_attributes": previous}))
    }

    fn emit_data(&mut self, kind: &str, data: &Value) -> String {
        if self.world.resting.as_ref().is_some_and(|(_, events_from)| self.wall < *events_from) {
            return String::new();
        }
        let id = self.id(Kind::Event);
        let mut event = json!({
            "id": id, "object": "event", "api_version": API_VERSION, "created": self.wall, "data": data,
            "livemode": self.livemode(), "pending_webhooks": 0, "type": kind,
            "request": {"id": self.cause.request, "idempotency_key": self.cause.idempotency_key},
        });
        if !self.is_platform() {
            event["account"] = self.account.as_str().into();
        }
        let position = self.world.next_position();
        let row = EventRow {
            id: id.clone(),
            kind: kind.to_owned(),
            created: self.wall,
            text: event.to_string().into(),
        };
        self.world.lanes.entry(self.account.clone()).or_default().events.append(position, row);
        self.events.push((self.account.clone(), id.clone(), position));
        id
    }

    /// Drops an event that has grown too old.
    pub fn forget_event(&mut self, id: &str) {
        self.forgotten_events.push(id.to_owned());
    }

    /// Ids of the events made so far.
    pub fn emitted(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|(_, id, _)| id.as_str())
    }

    /// Notes an effect that really happened to `object`.
    pub fn effect(&mut self, kind: &str, object: &Value) {
        if self.world.resting.is_some() {
            return;
        }
        let id = self.id(Kind::LedgerEntry);
        let entry = json!({
            "id": id, "kind": kind, "object": object.text("id"), "amount": object.maybe_int("amount")
                .or_else(|| object.maybe_int("amount_paid")),
            "currency": object.maybe_text("currency"), "idempotency_key": self.cause.idempotency_key,
            "request": self.cause.request, "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "charge": object.maybe_text("charge"), "customer": object.maybe_text("customer"),
            "account": self.account, "livemode": self.livemode(), "at": self.wall,
        });
        let platform = self.world.platform.clone();
        self.put_on(&platform, Kind::LedgerEntry, entry);
    }

    /// Plans work on `target` for a business time (or the time of the target's test clock).
    pub fn plan(&mut self, due: i64, what: &str, target: &str, test_clock: Option<&str>) {
        let id = self.id(Kind::Work);
        self.put(
            Kind::Work,
            json!({"id": id, "due": due, "what": what, "target": target, "test_clock": test_clock}),
        );
    }

    /// Drops planned work of one sort on `target`.
    pub fn unplan(&mut self, what: &str, target: &str) {
        let planned: Vec<String> = self
            .owned_by(Kind::Work, target)
            .filter(|work| work.text("what") == what)
            .map(|work| work.text("id").to_owned())
            .collect();
        for id in planned {
            self.remove(Kind::Work, &id);
        }
    }

    /// Makes everything since the beginning stand: journal first, then the world keeps it.
    pub fn commit(mut self) -> Result<(), Error> {
        let line = self.line();
        if let (Some(line), Some(journal)) = (line, self.world.journal.as_mut()) {
            journal.append_text(&line)?;
        }
        for id in std::mem::take(&mut self.forgotten_events) {
            if let Some(lane) = self.world.lanes.get_mut(&self.account) {
                lane.events.remove(&id);
            }
        }
        self.done = true;
        Ok(())
    }

    /// The journal line of this change, or nothing when nobody keeps one or nothing changed.
    fn line(&self) -> Option<String> {
        self.world.journal.as_ref()?;
        if self.changes.is_empty() && self.events.is_empty() && self.forgotten_events.is_empty() {
            return None;
        }
        let mut line = Line::new(self.wall, self.world.ids.counter, self.world.boots);
        let mut gone = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for change in &self.changes {
            if !seen.insert((&change.account, change.kind, &change.id)) {
                continue;
            }
            match self
                .world
                .table(&change.account, change.kind)
                .and_then(|table| Some((table.position(&change.id)?, table.get(&change.id)?)))
            {
                Some((position, now)) => line.put(&change.account, change.kind, position, &now.to_string()),
                None => gone.push((change.account.clone(), change.kind, change.id.clone())),
            }
        }
        for (account, id, position) in &self.events {
            if let Some(row) = self.world.lane(account).and_then(|lane| lane.events.get(id)) {
                line.put(account, Kind::Event, *position, &row.text);
            }
        }
        gone.extend(self.forgotten_events.iter().map(|id| (self.account.clone(), Kind::Event, id.clone())));
        Some(line.finish(&gone))
    }
}

impl Drop for Tx<'_> {
    /// Takes back what was not committed, newest first.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        for change in std::mem::take(&mut self.changes).into_iter().rev() {
            self.world.remove(&change.account, change.kind, &change.id);
            if let Some(before) = change.before {
                self.world.put(&change.account, change.kind, change.position, before);
            }
        }
        for (account, id, _) in std::mem::take(&mut self.events) {
            if let Some(lane) = self.world.lanes.get_mut(&account) {
                lane.events.remove(&id);
            }
        }
    }
}
