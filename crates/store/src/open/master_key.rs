//! The key that wraps all others: given, or kept beside the lock. The database knows its fingerprint, so that a node with
//! another installation's key finds out before it seals anything.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use bursar_domain::canonical::hash_hex;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::migrate::step;
use super::{Options, full};
use crate::anchor::sync_folder_of;
use crate::dialect::{Db, Tx};
use crate::{Error, Result, params};

/// Thirty-two bytes that are never shown.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// From 64 hexadecimal digits, as `master.key` has them.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = hex::decode(text.trim()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The key is random, so that its hash tells nothing about it.
    fn fingerprint(&self) -> String {
        hash_hex(format!("bursar master key\n{}", hex::encode(self.0)).as_bytes())
    }
}

/// The key of the installation in this database; made where both are new.
pub(super) async fn of_installation(tx: &mut Tx, options: &Options) -> Result<[u8; 32]> {
    let known = fingerprint(tx).await?;
    let (key, is_new) = match (&known, held(options)?) {
        (_, Some(key)) => (key, false),
        (None, None) => (make(&path(&options.data_dir)).await?, true),
        (Some(_), None) => return Err(missing(options)),
    };
    step().await;
    let ours = key.fingerprint();
    if known.is_none() {
        let sql =
            "INSERT INTO master_keys (place, fingerprint) VALUES (1, $1) ON CONFLICT (place) DO NOTHING";
        tx.execute(sql, params![&ours]).await?;
    }
    match fingerprint(tx).await? {
        Some(known) if known == ours => Ok(key.0),
        // Another node was first: ours seals nothing, and must not be in the way of the one that does.
        _ if is_new => {
            let path = path(&options.data_dir);
            std::fs::remove_file(&path).map_err(|error| full(&path, &error))?;
            Err(missing(options))
        }
        _ => Err(Error::Unsealable(
            "this database: the master key is another installation's, and it".to_owned(),
        )),
    }
}

fn missing(options: &Options) -> Error {
    Error::Unsealable(format!("{} is missing: the database beside it", path(&options.data_dir).display()))
}

/// The key for whoever only looks. Where the first start ended before there was one, there is nothing to be looked at.
pub(super) async fn to_look_with(db: Option<&mut Db>, options: &Options) -> Result<[u8; 32]> {
    let known = match db {
        Some(db) => fingerprint(db).await?,
        None => None,
    };
    match held(options)? {
        Some(key) => Ok(key.0),
        None if known.is_none() => Err(Error::Unfinished(options.data_dir.display().to_string())),
        None => existing(options),
    }
}

/// The key, which has to be there.
pub(crate) fn existing(options: &Options) -> Result<[u8; 32]> {
    let missing = || Error::Unsealable(path(&options.data_dir).display().to_string());
    held(options)?.map(|key| key.0).ok_or_else(missing)
}

/// The key that is held, as an option of another place.
pub(crate) fn given(options: &Options) -> Result<MasterKey> {
    existing(options).map(MasterKey)
}

/// Whether the key that is held is the one that this database was sealed with.
pub(crate) async fn fits(db: &mut Db, options: &Options) -> Result<bool> {
    let (known, held) = (fingerprint(db).await?, held(options)?);
    Ok(known.is_none() || known == held.map(|key| key.fingerprint()))
}

async fn fingerprint(db: &mut Db) -> Result<Option<String>> {
    let row = db.first("SELECT fingerprint FROM master_keys WHERE place = 1", &[]).await?;
    row.map(|row| row.text("fingerprint")).transpose()
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("master.key")
}

fn held(options: &Options) -> Result<Option<MasterKey>> {
    if let Some(given) = &options.master_key {
        return Ok(Some(given.clone()));
    }
    let path = path(&options.data_dir);
    let mut text = String::new();
    match File::open(&path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err(Error::Unsealable(path.display().to_string())),
    }
    MasterKey::parse(&text).map(Some).ok_or_else(|| Error::Unsealable(path.display().to_string()))
}

/// Under another name until it is whole and on disk: whoever is killed here leaves no key that cannot be read.
async fn make(path: &Path) -> Result<MasterKey> {
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| Error::Database("no randomness".to_owned()))?;
    let beside = path.with_extension("key.new");
    let failed = |error: std::io::Error| full(path, &error);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut open = OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut file = open.open(&beside).map_err(failed)?;
    step().await;
    file.write_all(hex::encode(key).as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&beside, path).and_then(|()| sync_folder_of(path)).map_err(failed)?;
    Ok(MasterKey(key))
}
