//! The settings as a tree in which every value knows where it comes from, before they get their types.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::origin::Origin;
use super::secret::Secret;

pub type Table = BTreeMap<String, Entry>;

#[derive(Debug)]
pub struct Entry {
    /// Where the key stands, to point at it when nobody knows it.
    pub key: Origin,
    pub node: Node,
}

#[derive(Debug)]
pub struct Node {
    pub origin: Origin,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    Text(String),
    Integer(i64),
    /// As written: no setting of ours is a float, so that it only has to be named in an error.
    Float(String),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// A secret already fetched from where it lives.
    Secret(Secret),
}

impl Node {
    pub fn text(text: impl Into<String>, origin: Origin) -> Self {
        Self { origin, kind: Kind::Text(text.into()) }
    }

    pub fn table(origin: Origin) -> Self {
        Self { origin, kind: Kind::Table(Table::new()) }
    }

    pub fn as_table(&self) -> Option<&Table> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn get(&self, path: &[&str]) -> Option<&Node> {
        let Some((key, rest)) = path.split_first() else { return Some(self) };
        self.as_table()?.get(*key)?.node.get(rest)
    }

    /// Puts `node` at `path`, over whatever stood there; tables on the way are made.
    pub fn set(&mut self, path: &[&str], node: Node) {
        let Some((key, rest)) = path.split_first() else {
            *self = node;
            return;
        };
        if self.as_table().is_none() {
            self.kind = Kind::Table(Table::new());
        }
        let Kind::Table(table) = &mut self.kind else { return };
        let origin = node.origin.clone();
        let entry = || Entry { key: origin.clone(), node: Node::table(origin.clone()) };
        table.entry((*key).to_owned()).or_insert_with(entry).node.set(rest, node);
    }

    /// Says of everything in the tree that it comes from `origin`.
    pub fn come_from(&mut self, origin: &Origin) {
        self.origin = origin.clone();
        match &mut self.kind {
            Kind::Table(table) => {
                for entry in table.values_mut() {
                    entry.key = origin.clone();
                    entry.node.come_from(origin);
                }
            }
            Kind::List(nodes) => nodes.iter_mut().for_each(|node| node.come_from(origin)),
            _ => {}
        }
    }

    /// Without origins, for typing.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Text(text) | Kind::Float(text) => Value::String(text.clone()),
            Kind::Integer(integer) => Value::from(*integer),
            Kind::Flag(flag) => Value::Bool(*flag),
            Kind::List(nodes) => nodes.iter().map(Node::to_json).collect(),
            Kind::Table(table) => {
                let pairs = table.iter().map(|(key, entry)| (key.clone(), entry.node.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
            Kind::Secret(secret) => secret.to_internal(),
        }
    }

    /// The origin of everything in the tree, by path: `stripe.main.webhook_secrets[0]`.
    pub fn origins(&self) -> BTreeMap<String, Origin> {
        let mut all = BTreeMap::new();
        self.collect_origins("", &mut all);
        all
    }

    fn collect_origins(&self, path: &str, all: &mut BTreeMap<String, Origin>) {
        all.insert(path.to_owned(), self.origin.clone());
        match &self.kind {
            Kind::Table(table) => {
                for (key, entry) in table {
                    entry.node.collect_origins(&join(path, key), all);
                }
            }
            Kind::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    node.collect_origins(&format!("{path}[{index}]"), all);
                }
            }
            _ => {}
        }
    }
}

/// `stripe` and `main` make `stripe.main`.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
