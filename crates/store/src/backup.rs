//! Copies of a `SQLite` database: one made while its owner works, and one put in its place. `PostgreSQL` has tools of its
//! own.
//!
//! Promises: a backup is one moment of the database, whole, checked and on disk before it has its name; the owner's commits
//! do not wait for it; a restore writes over nothing.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::anchor::sync_folder_of;
use crate::audit::Report;
use crate::check::{self, Problem};
use crate::open::{database_path, full, master_key, migrate, sqlite};
use crate::{Error, Options, Result, installation, params};

/// What is in a copy.
#[derive(Clone, Debug, Serialize)]
pub struct Copy {
    pub path: PathBuf,
    pub bytes: u64,
    /// Of the file.
    pub sha256: String,
    pub installation: Option<String>,
    /// The newest audit entry, machine time in microseconds.
    pub newest_at: Option<i64>,
    pub audit: Report,
    pub problems: Vec<Problem>,
}

/// Writes the database of a data directory as it is at this moment to a new file. Its owner goes on meanwhile.
pub async fn write(data_dir: &Path, target: &Path) -> Result<Copy> {
    if target.exists() {
        return Err(Error::Conflict(format!("{} is there already", target.display())));
    }
    let beside = part_of(target);
    make_private(&beside)?;
    let made = async {
        let mut db = sqlite::alone(&database_path(data_dir)).await?;
        let name = beside.to_str().ok_or_else(|| Error::Full(format!("{}: no text", beside.display())))?;
        // In one read transaction: what commits meanwhile is neither waited for nor seen.
        db.all("VACUUM INTO $1", params![name]).await?;
        drop(db);
        File::open(&beside).and_then(|file| file.sync_all()).map_err(|error| full(&beside, &error))?;
        examine(&beside).await
    };
    let made = match made.await {
        Ok(made) if made.problems.is_empty() => made,
        Ok(made) => {
            let _ = std::fs::remove_file(&beside);
            return Ok(made);
        }
        Err(error) => {
            let _ = std::fs::remove_file(&beside);
            return Err(error);
        }
    };
    name_it(&beside, target)?;
    Ok(Copy { path: target.to_owned(), ..made })
}

/// Gives a whole copy its name, unless somebody else took it meanwhile.
fn name_it(beside: &Path, target: &Path) -> Result<()> {
    let named = match std::fs::hard_link(beside, target) {
        Ok(()) => std::fs::remove_file(beside),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let _ = std::fs::remove_file(beside);
            return Err(Error::Conflict(format!("{} is there already", target.display())));
        }
        // A file system of one name for each file.
        Err(_) => std::fs::rename(beside, target),
    };
    named.and_then(|()| sync_folder_of(target)).map_err(|error| full(target, &error))
}

/// `x.db` is written as `x.db.part`.
fn part_of(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    target.with_file_name(name)
}

/// A new empty file that only its owner reads: everything about customers is going to be in it.
fn make_private(path: &Path) -> Result<()> {
    let _ = std::fs::remove_file(path);
    let mut open = OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path).map(|_| ()).map_err(|error| full(path, &error))
}

/// Checks a copy by itself: pages, rows, schema, audit. A schema that is older than this version's is no problem: it is
/// brought up to date when it is opened.
pub async fn examine(path: &Path) -> Result<Copy> {
    let (bytes, sha256) = sum(path).map_err(|error| full(path, &error))?;
    let mut db = sqlite::alone(path).await?;
    let migrations = migrate::all(&mut db, crate::open::Schema::default()).await?;
    let mut checked = check::database(&mut db, migrations, None).await?;
    checked.problems.retain(|problem| problem.what != "schema");
    let installation = installation::get(&mut db).await?.map(|known| known.id);
    let newest = db.first("SELECT at FROM audit WHERE seq = $1", params![checked.audit.entries]).await?;
    let newest_at = newest.map(|row| row.int("at")).transpose()?;
    Ok(Copy {
        path: path.to_owned(),
        bytes,
        sha256,
        installation,
        newest_at,
        audit: checked.audit,
        problems: checked.problems,
    })
}

fn sum(path: &Path) -> std::io::Result<(u64, String)> {
    let mut context = Context::new(&SHA256);
    let mut file = File::open(path)?;
    let (mut bytes, mut piece) = (0, vec![0; 1 << 16]);
    loop {
        let read = std::io::Read::read(&mut file, &mut piece)?;
        if read == 0 {
            return Ok((bytes, hex::encode(context.finish())));
        }
        context.update(&piece[..read]);
        bytes += read as u64;
    }
}

/// A copy on its way into a data directory. Nothing of what is there was touched; when this goes, so does the copy.
#[derive(Debug)]
pub struct Restoring {
    options: Options,
    /// Holds the copy, in a folder of its own beside the database.
    folder: PathBuf,
    _lock: File,
}

impl Restoring {
    /// Takes the data directory, which nobody else may be using, and brings a copy of the file into it.
    pub fn begin(options: &Options, file: &Path) -> Result<Restoring> {
        let lock = crate::open::take_lock(&options.data_dir)?;
        let folder = options.data_dir.join("restoring");
        let failed = |error: std::io::Error| full(&folder, &error);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(failed)?;
        }
        std::fs::create_dir(&folder).map_err(failed)?;
        let restoring = Restoring { options: options.clone(), folder: folder.clone(), _lock: lock };
        bring(file, &restoring.database())?;
        // In a copy of a whole data directory the newest of it may still stand in the log.
        let log = with_ending(file, "-wal");
        if log.is_file() {
            bring(&log, &with_ending(&restoring.database(), "-wal"))?;
        }
        Ok(restoring)
    }

    /// Where the copy lies.
    pub fn database(&self) -> PathBuf {
        database_path(&self.folder)
    }

    /// What the copy holds, and whether the installation's master key opens it.
    pub async fn examine(&self) -> Result<Copy> {
        let mut found = examine(&self.database()).await?;
        if !master_key::fits(&mut sqlite::alone(&self.database()).await?, &self.options).await? {
            let detail = "the master key of this installation is missing, or is not the one that the copy was sealed with: \
                          nothing sealed could be read again";
            found.problems.push(Problem { what: "key", detail: detail.to_owned() });
        }
        Ok(found)
    }

    /// How to open the copy as a store of its own.
    pub fn options(&self) -> Result<Options> {
        let key = master_key::given(&self.options)?;
        Ok(Options { master_key: Some(key), ..Options::sqlite(&self.folder, self.options.node.clone()) })
    }

    /// Puts the copy in the place of the database. What was there is kept under another name, which is answered.
    pub async fn finish(self, stamp: &str) -> Result<Option<PathBuf>> {
        gather(&self.database()).await?;
        let path = database_path(&self.options.data_dir);
        fold(&path).await;
        let aside = path.with_file_name(format!("bursar.db.replaced-{stamp}"));
        let kept = path.exists().then(|| aside.clone());
        let moved = keep_aside(&path, &aside)
            .and_then(|()| std::fs::rename(self.database(), &path))
            .and_then(|()| sync_folder_of(&path));
        moved.map_err(|error| full(&path, &error))?;
        Ok(kept)
    }
}

/// How often, and how long in between, a file is waited for that this process itself has just closed.
const CLOSING: (u32, Duration) = (100, Duration::from_millis(100));

/// Brings everything into the one file, once nobody else is on it any more.
async fn gather(path: &Path) -> Result<()> {
    let mut tries = CLOSING.0;
    loop {
        let mut db = sqlite::alone(path).await?;
        let row = db.first("PRAGMA journal_mode = DELETE", &[]).await;
        drop(db);
        match row {
            Ok(Some(row)) if row.text("journal_mode")? == "delete" => return Ok(()),
            Ok(_) | Err(Error::Busy(_)) if tries > 0 => tries -= 1,
            Ok(_) => return Err(Error::Busy(format!("{} is still open", path.display()))),
            Err(error) => return Err(error),
        }
        tokio::time::sleep(CLOSING.1).await;
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        // It holds nothing but a copy.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Brings the log of a database into it, so that it is whole in the one file. Where it is damaged, or somebody else reads it, it
/// stays as it is.
async fn fold(path: &Path) {
    let Ok(mut db) = sqlite::alone(path).await else { return };
    let _ = db.first("PRAGMA wal_checkpoint(TRUNCATE)", &[]).await;
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Copies a file to a new place and onto the disk.
fn bring(file: &Path, place: &Path) -> Result<()> {
    make_private(place)?;
    let copied = File::open(file).and_then(|mut from| {
        let mut to = OpenOptions::new().write(true).open(place)?;
        std::io::copy(&mut from, &mut to)?;
        to.flush()?;
        to.sync_all()
    });
    copied.map_err(|error| full(file, &error))
}

/// Gives the database and its log another name. What was committed may still stand in the log only, so the two stay
/// together; and the log goes from its old place before another database comes there, or it would be taken for its own.
fn keep_aside(path: &Path, aside: &Path) -> std::io::Result<()> {
    for ending in ["", "-wal"] {
        // A log that was folded in is empty.
        if std::fs::metadata(with_ending(path, ending)).is_ok_and(|file| file.len() > 0) {
            std::fs::hard_link(with_ending(path, ending), with_ending(aside, ending))?;
        }
    }
    sync_folder_of(path)?;
    for ending in ["-wal", "-shm"] {
        match std::fs::remove_file(with_ending(path, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
