//! Sealing under per-subject keys: AES-256-GCM, the key of a subject random and wrapped by the master key. Whoever
//! destroys a subject's row destroys everything sealed for it, and the audit chain, which holds hashes of sealed bytes,
//! stays whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::dialect::{ROWS_MAX, Tx, Value, values};
use crate::{Db, Error, Result, params};

const NONCE_LEN: usize = 12;
const VERSION: u8 = 1;
/// Keys kept ready. A full cache is emptied: the keys come back from their rows.
const CACHE_MAX: usize = 20_000;

/// The subject of everything that belongs to no customer.
pub const NO_SUBJECT: &str = "-";

pub(crate) struct FreshKey {
    lane: String,
    subject: String,
    key: SubjectKey,
}

/// The key of one subject, ready to use.
#[derive(Clone)]
pub struct SubjectKey(Arc<LessSafeKey>);

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey(…)")
    }
}

/// All subject keys, behind the master key.
pub struct Keyring {
    master: LessSafeKey,
    random: SystemRandom,
    cache: Mutex<HashMap<String, SubjectKey>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(…)")
    }
}

fn cache_name(lane: &str, subject: &str) -> String {
    format!("{lane}\n{subject}")
}

fn less_safe(bytes: &[u8; 32]) -> LessSafeKey {
    let unbound = UnboundKey::new(&AES_256_GCM, bytes).expect("AES-256-GCM takes any 32 bytes");
    LessSafeKey::new(unbound)
}

impl Keyring {
    pub fn new(master: [u8; 32]) -> Self {
        Self { master: less_safe(&master), random: SystemRandom::new(), cache: Mutex::default() }
    }

    fn entropy<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).map_err(|_| Error::Database("no randomness".to_owned()))?;
        Ok(bytes)
    }

    fn cached(&self, lane: &str, subject: &str) -> Option<SubjectKey> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(&cache_name(lane, subject)).cloned()
    }

    pub(crate) fn remember(&self, fresh: impl Iterator<Item = FreshKey>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() > CACHE_MAX {
            cache.clear();
        }
        cache.extend(fresh.map(|key| (cache_name(&key.lane, &key.subject), key.key)));
    }

    /// The key to seal with; made, and stored in this transaction, where the subject is new.
    pub async fn for_writing(&self, tx: &mut Tx, lane: &str, subject: &str, at: i64) -> Result<SubjectKey> {
        let mut keys = self.for_writing_many(tx, &[(lane, subject)], at).await?;
        keys.pop().ok_or_else(|| Error::Unsealable(subject.to_owned()))
    }

    /// The same for many subjects in at most two statements, in the order asked.
    pub async fn for_writing_many(
        &self,
        tx: &mut Tx,
        subjects: &[(&str, &str)],
        at: i64,
    ) -> Result<Vec<SubjectKey>> {
        let mut known: HashMap<(&str, &str), SubjectKey> = HashMap::new();
        let mut missing: Vec<(&str, &str)> = Vec::new();
        for &(lane, subject) in subjects {
            if known.contains_key(&(lane, subject)) || missing.contains(&(lane, subject)) {
                continue;
            }
            let fresh = tx.fresh_keys.iter().find(|key| key.lane == lane && key.subject == subject);
            match fresh.map(|key| key.key.clone()).or_else(|| self.cached(lane, subject)) {
                Some(key) => drop(known.insert((lane, subject), key)),
                None => missing.push((lane, subject)),
            }
        }
        for chunk in missing.chunks(ROWS_MAX) {
            for (place, key) in self.make_or_load(tx, chunk, at).await?.into_iter().enumerate() {
                known.insert(chunk[place], key);
            }
        }
        subjects
            .iter()
            .map(|name| known.get(name).cloned().ok_or_else(|| Error::Unsealable(name.1.to_owned())))
            .collect()
    }

    async fn make_or_load(&self, tx: &mut Tx, names: &[(&str, &str)], at: i64) -> Result<Vec<SubjectKey>> {
        let mut wrapped = Vec::with_capacity(names.len());
        for (lane, subject) in names {
            let fresh: [u8; 32] = self.entropy()?;
            wrapped.push(self.encrypt(&self.master, &format!("wrap\n{lane}\n{subject}"), &fresh)?);
        }
        let mut inserts: Vec<Value<'_>> = Vec::with_capacity(names.len() * 4);
        let mut wanted: Vec<Value<'_>> = Vec::with_capacity(names.len() * 2);
        for (place, (lane, subject)) in names.iter().enumerate() {
            inserts.extend([Value::from(*lane), (*subject).into(), (&wrapped[place]).into(), at.into()]);
            wanted.extend([Value::from(*lane), (*subject).into()]);
        }
        let insert = format!(
            "INSERT INTO subject_keys (lane, subject, wrapped, created_at)
             SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING",
            values(names.len(), 4)
        );
        tx.built(insert, &inserts).await?;
        let select = format!(
            "SELECT lane, subject, wrapped FROM subject_keys
             WHERE (lane, subject) IN (SELECT column1, column2 FROM (VALUES {}) AS wanted)",
            values(names.len(), 2)
        );
        let mut found = HashMap::new();
        for row in tx.built(select, &wanted).await? {
            let (lane, subject) = (row.text("lane")?, row.text("subject")?);
            let key = self.unwrap_key(&lane, &subject, &row.blob("wrapped")?)?;
            tx.fresh_keys.push(FreshKey { lane: lane.clone(), subject: subject.clone(), key: key.clone() });
            found.insert((lane, subject), key);
        }
        names
            .iter()
            .map(|(lane, subject)| {
                found
                    .get(&((*lane).to_owned(), (*subject).to_owned()))
                    .cloned()
                    .ok_or_else(|| Error::Unsealable((*subject).to_owned()))
            })
            .collect()
    }

    /// The key to unseal with.
    pub async fn for_reading(&self, db: &mut Db, lane: &str, subject: &str) -> Result<SubjectKey> {
        if let Some(key) = self.cached(lane, subject) {
            return Ok(key);
        }
        let sql = "SELECT wrapped FROM subject_keys WHERE lane = $1 AND subject = $2";
        let row = db.first(sql, params![lane, subject]).await?;
        let row = row.ok_or_else(|| Error::Unsealable(format!("{lane} {subject}")))?;
        let key = self.unwrap_key(lane, subject, &row.blob("wrapped")?)?;
        if db.sees_uncommitted {
            return Ok(key);
        }
        // A reader sees only what is committed, so the key may be kept.
        let fresh = FreshKey { lane: lane.to_owned(), subject: subject.to_owned(), key: key.clone() };
        self.remember(std::iter::once(fresh));
        Ok(key)
    }

    fn unwrap_key(&self, lane: &str, subject: &str, wrapped: &[u8]) -> Result<SubjectKey> {
        let plain = decrypt(&self.master, &format!("wrap\n{lane}\n{subject}"), wrapped)?;
        let bytes: [u8; 32] = plain.try_into().map_err(|_| Error::Unsealable(subject.to_owned()))?;
        Ok(SubjectKey(Arc::new(less_safe(&bytes))))
    }

    /// Seals bytes for a purpose: the row they belong to. Moved to another row they do not open.
    pub fn seal(&self, key: &SubjectKey, purpose: &str, plain: &[u8]) -> Result<Vec<u8>> {
        self.encrypt(&key.0, purpose, plain)
    }

    pub fn unseal(&self, key: &SubjectKey, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        decrypt(&key.0, purpose, sealed)
    }

    /// Words that were sealed for people to read; nothing where their subject was erased meanwhile.
    pub(crate) async fn unseal_words(
        &self,
        db: &mut Db,
        (lane, subject): (&str, &str),
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Option<String>> {
        let key = self.for_reading(db, lane, subject).await;
        match key.and_then(|key| self.unseal(&key, purpose, sealed)) {
            Ok(plain) => Ok(Some(String::from_utf8_lossy(&plain).into_owned())),
            Err(Error::Unsealable(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn encrypt(&self, key: &LessSafeKey, purpose: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = self.entropy()?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let sealed_from = 1 + NONCE_LEN;
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut out[sealed_from..],
            )
            .map_err(|_| Error::Unsealable(purpose.to_owned()))?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }
}

fn decrypt(key: &LessSafeKey, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
    let fail = || Error::Unsealable(purpose.replace('\n', " "));
    let (head, rest) = sealed.split_at_checked(1 + NONCE_LEN).ok_or_else(fail)?;
    if head[0] != VERSION {
        return Err(fail());
    }
    let nonce = Nonce::try_assume_unique_for_key(&head[1..]).map_err(|_| fail())?;
    let mut buffer = rest.to_vec();
    let plain =
        key.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut buffer).map_err(|_| fail())?.len();
    buffer.truncate(plain);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_only_for_its_own_row_and_whole() {
        let ring = Keyring::new([7; 32]);
        let key = SubjectKey(Arc::new(less_safe(&[9; 32])));
        let sealed = ring.seal(&key, "events\nevt_1", b"body").unwrap();
        assert_eq!(ring.unseal(&key, "events\nevt_1", &sealed).unwrap(), b"body");
        assert!(ring.unseal(&key, "events\nevt_2", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[place] ^= 1;
            assert!(ring.unseal(&key, "events\nevt_1", &bent).is_err(), "byte {place}");
        }
        assert!(ring.unseal(&key, "events\nevt_1", b"").is_err());
    }
}
