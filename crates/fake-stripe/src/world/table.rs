//! The documents of one kind on one account, by id, in order of creation, and by owner.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::kind::Kind;
use crate::doc::Doc as _;

/// Documents of one kind. Positions only grow, so a walk backwards is newest first.
#[derive(Debug)]
pub struct Table {
    kind: Kind,
    rows: BTreeMap<u64, Value>,
    positions: HashMap<String, u64>,
    by_owner: HashMap<String, BTreeSet<u64>>,
}

impl Table {
    pub fn new(kind: Kind) -> Self {
        Self { kind, rows: BTreeMap::new(), positions: HashMap::new(), by_owner: HashMap::new() }
    }

    pub fn get(&self, id: &str) -> Option<&Value> {
        self.rows.get(self.positions.get(id)?)
    }

    /// Where the document stands in the order of creation.
    pub fn position(&self, id: &str) -> Option<u64> {
        self.positions.get(id).copied()
    }

    /// Keeps the document; an existing one keeps its position. Gives back what stood there before.
    pub fn put(&mut self, position: u64, document: Value) -> Option<Value> {
        let id = document.text("id").to_owned();
        let position = *self.positions.entry(id).or_insert(position);
        if let Some(owner) = self.owner(&document) {
            self.by_owner.entry(owner).or_default().insert(position);
        }
        let new_owner = self.owner(&document);
        let before = self.rows.insert(position, document);
        if let Some(old_owner) = before.as_ref().and_then(|document| self.owner(document))
            && Some(&old_owner) != new_owner.as_ref()
        {
            self.disown(&old_owner, position);
        }
        before
    }

    pub fn remove(&mut self, id: &str) -> Option<Value> {
        let position = self.positions.remove(id)?;
        let document = self.rows.remove(&position)?;
        if let Some(owner) = self.owner(&document) {
            self.disown(&owner, position);
        }
        Some(document)
    }

    fn owner(&self, document: &Value) -> Option<String> {
        document.maybe_text(self.kind.owner_field()?).map(str::to_owned)
    }

    fn disown(&mut self, owner: &str, position: u64) {
        if let Some(positions) = self.by_owner.get_mut(owner) {
            positions.remove(&position);
            if positions.is_empty() {
                self.by_owner.remove(owner);
            }
        }
    }

    /// Oldest first, with positions.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (u64, &Value)> {
        self.rows.iter().map(|(position, document)| (*position, document))
    }

    /// Oldest first: the documents that belong to `owner`.
    pub fn owned_by(&self, owner: &str) -> impl DoubleEndedIterator<Item = (u64, &Value)> {
        self.by_owner
            .get(owner)
            .into_iter()
            .flatten()
            .filter_map(|position| self.rows.get(position).map(|document| (*position, document)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_moves_with_its_owner_and_keeps_its_position() {
        let mut table = Table::new(Kind::PaymentMethod);
        table.put(1, json!({"id": "pm_1", "customer": null}));
        table.put(2, json!({"id": "pm_2", "customer": "cus_1"}));
        let before = table.put(9, json!({"id": "pm_1", "customer": "cus_1"}));
        assert_eq!(before, Some(json!({"id": "pm_1", "customer": null})));
        assert_eq!(table.position("pm_1"), Some(1));
        assert_eq!(table.owned_by("cus_1").count(), 2);
        table.put(9, json!({"id": "pm_1", "customer": "cus_2"}));
        assert_eq!(table.owned_by("cus_1").count(), 1);
        table.remove("pm_1");
        assert_eq!(table.owned_by("cus_2").count(), 0);
        assert_eq!(table.rows().count(), 1);
    }
}
