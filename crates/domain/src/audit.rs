//! The audit chain: append-only entries, each committing to rows, chained by hash. Entries hold ids, amounts and
//! digests, never personal data.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{self, CanonicalError};
use crate::id::AuditId;

/// A row that an entry commits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    pub table: String,
    pub key: String,
    /// SHA-256 over the row's fixed columns.
    pub hash: String,
}

/// What is appended, before it is sealed into the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: AuditId,
    /// The process that wrote it, and its own gapless count: a missing entry of one writer shows.
    pub writer: String,
    pub writer_seq: i64,
    /// Machine time, microseconds.
    pub at: i64,
    /// `event.accepted`, `verdict.given`, `vote.cast` …
    pub kind: String,
    pub lane: Option<String>,
    pub actor: Option<String>,
    pub data: Value,
    pub commits: Vec<Commitment>,
}

/// The hash that the first entry builds on.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The chain hash of an entry at a place: over the hash before it, its number and its canonical text.
pub fn chain_hash(previous: &str, seq: i64, body: &str) -> String {
    canonical::hash_hex(format!("{previous}\n{seq}\n{body}").as_bytes())
}

impl Entry {
    /// The canonical text that is stored and hashed.
    pub fn body(&self) -> Result<String, CanonicalError> {
        canonical::to_text(self)
    }
}

/// One hash over many, in order: what a commit group's entry carries for its events.
pub fn root_hash<'a>(hashes: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for hash in hashes {
        all.push_str(hash);
        all.push('\n');
    }
    canonical::hash_hex(all.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_chain_hash_counts() {
        let base = chain_hash(GENESIS, 1, "{}");
        assert_ne!(base, chain_hash(&base, 1, "{}"));
        assert_ne!(base, chain_hash(GENESIS, 2, "{}"));
        assert_ne!(base, chain_hash(GENESIS, 1, "{ }"));
        assert_ne!(root_hash(["a", "b"]), root_hash(["ab"]));
    }
}
