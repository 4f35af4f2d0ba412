//! The anchor: where the sealed chain had come to, in a small file outside the database. Whoever puts an old or another
//! copy of the database in its place changes the chain and not the file, and is noticed.
//!
//! Promises: a file is there whole or not at all, survives a loss of power once it was written, and never names an entry
//! that is not on disk.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::open::full;
use crate::{Db, Error, Result, installation, params};

/// The file in the data directory, unless the configuration names another.
pub const FILE: &str = "anchor.json";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub installation: String,
    /// Of the newest sealed entry, and its hash in the chain.
    pub seq: i64,
    pub hash: String,
    /// Machine time of writing, microseconds.
    pub at: i64,
}

/// Nothing where there is no file yet.
pub fn read(path: &Path) -> Result<Option<Anchor>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(full(path, &error)),
    };
    let unreadable = |_| Error::corrupt("anchor", "file", path.display().to_string());
    serde_json::from_str(&text).map(Some).map_err(unreadable)
}

/// Puts a new file in the place of the old one, on disk before this returns.
pub fn write(path: &Path, anchor: &Anchor) -> Result<()> {
    let text = serde_json::to_string(anchor).map_err(|error| Error::Database(error.to_string()))?;
    let beside = path.with_extension("json.new");
    let failed = |error: std::io::Error| full(path, &error);
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)?;
    sync_folder_of(path).map_err(failed)
}

/// A name is on disk when its folder is.
pub(crate) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// How a database stands to an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It holds the entry that the anchor names.
    Fits,
    /// Its chain ends before that: entries are missing, or it is an old copy.
    Behind,
    /// Another entry stands in that place.
    OtherChain,
    OtherInstallation,
}

impl Fit {
    /// A code, as rows and audit entries keep it.
    pub fn as_str(self) -> &'static str {
        match self {
            Fit::Fits => "fits",
            Fit::Behind => "behind",
            Fit::OtherChain => "other_chain",
            Fit::OtherInstallation => "other_installation",
        }
    }
}

/// Looks for the entry that the anchor names. The file must have been read before the database is.
pub async fn compare(db: &mut Db, anchor: &Anchor) -> Result<Fit> {
    let known = installation::get(db).await?;
    if known.is_some_and(|known| known.id != anchor.installation) {
        return Ok(Fit::OtherInstallation);
    }
    if anchor.seq == 0 {
        return Ok(Fit::Fits);
    }
    let row = db.first("SELECT hash FROM audit WHERE seq = $1", params![anchor.seq]).await?;
    Ok(match row {
        None => Fit::Behind,
        Some(row) if row.text("hash")? == anchor.hash => Fit::Fits,
        Some(_) => Fit::OtherChain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(seq: i64) -> Anchor {
        Anchor { installation: "inst_1".to_owned(), seq, hash: format!("hash {seq}"), at: 7 }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(read(&path).unwrap(), None);
        write(&path, &anchor(1)).unwrap();
        write(&path, &anchor(2)).unwrap();
        assert_eq!(read(&path).unwrap(), Some(anchor(2)));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_is_no_anchor_is_not_taken_for_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, "{\"installation\": \"inst_1\", \"seq\":").unwrap();
        assert!(matches!(read(&path), Err(Error::Corrupt { .. })));
    }
}
