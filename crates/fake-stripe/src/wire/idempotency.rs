//! Idempotency keys as v1 treats them: the first answer is kept for a day of business time and given
//! again, also when it was a 500; other parameters and calls still running are told apart from it.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Params;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::world::{Kind, Tx, World};

/// How long a key is kept, in seconds of business time.
pub const KEPT_S: i64 = 24 * 3600;

/// A key with what it was first used for.
#[derive(Debug, Clone)]
pub struct Key {
    pub key: String,
    fingerprint: String,
}

impl Key {
    pub fn new(key: &str, method: &str, path: &str, params: &Params) -> ApiResult<Self> {
        if key.chars().count() > 255 {
            let message = "The idempotency key is too long: at most 255 characters are allowed.";
            return Err(ApiError::invalid(message));
        }
        let digest = Sha256::digest(format!("{method} {path}\n{}", params.fingerprint()));
        Ok(Self { key: key.to_owned(), fingerprint: hex::encode(digest) })
    }

    /// The stored answer, if this call was answered before.
    pub fn stored(&self, world: &World, account: &str) -> ApiResult<Option<(u16, String)>> {
        let Some(kept) = world.get(account, Kind::IdempotencyKey, &self.key) else { return Ok(None) };
        if kept.text("fingerprint") != self.fingerprint {
            return Err(ApiError::key_reused());
        }
        let status = u16::try_from(kept.int("status")).unwrap_or(500);
        Ok(Some((status, kept.text("body").to_owned())))
    }

    /// Keeps the answer in the same commit as what it tells of.
    pub fn store(&self, tx: &mut Tx<'_>, status: u16, body: &str) {
        let kept = json!({
            "id": self.key, "fingerprint": self.fingerprint, "status": status, "body": body,
            "created": tx.now,
        });
        tx.put(Kind::IdempotencyKey, kept);
    }
}

/// Drops the keys of one account that have grown too old.
pub fn prune(tx: &mut Tx<'_>) {
    let bound = tx.now - KEPT_S;
    let old: Vec<String> = tx
        .all(Kind::IdempotencyKey)
        .take_while(|key| key.int("created") < bound)
        .map(|key| key.text("id").to_owned())
        .collect();
    for id in old {
        tx.remove(Kind::IdempotencyKey, &id);
    }
}
