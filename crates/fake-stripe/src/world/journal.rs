//! The journal: one line for each commit, written before its answer leaves.
//!
//! A process killed at any instant loses nothing that it answered: lines are handed to the operating
//! system whole, a torn last line is dropped at the next open, and a long journal is rewritten as the
//! documents that it amounts to.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Kind, World};
use crate::error::Error;

const FILE: &str = "stripe.journal";
/// A journal is rewritten at open once this many of its lines tell what is no longer so.
const STALE_LINES_MAX: usize = 2_000;

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

/// One commit: the clock, the counters, documents that now stand, events that came, ids that went.
#[derive(Debug)]
pub struct Line {
    text: String,
    parts: usize,
}

impl Line {
    pub fn new(now_s: i64, counter: u64, boots: u64) -> Self {
        Self { text: format!("{{\"now\":{now_s},\"ids\":{counter},\"boots\":{boots},\"put\":["), parts: 0 }
    }

    /// A document, or an event, as JSON text.
    pub fn put(&mut self, account: &str, kind: Kind, position: u64, document: &str) {
        let comma = if self.parts == 0 { "" } else { "," };
        let name = kind.name();
        let _ = write!(self.text, "{comma}[\"{account}\",\"{name}\",{position},{document}]");
        self.parts += 1;
    }

    pub fn finish(mut self, gone: &[(String, Kind, String)]) -> String {
        self.text.push_str("],\"gone\":[");
        for (index, (account, kind, id)) in gone.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let id = serde_json::Value::from(id.as_str());
            let _ = write!(self.text, "{comma}[\"{account}\",\"{}\",{id}]", kind.name());
        }
        self.text.push_str("]}\n");
        self.text
    }
}

#[derive(Deserialize)]
struct Read<'a> {
    now: i64,
    ids: u64,
    boots: u64,
    #[serde(borrow)]
    put: Vec<(String, String, u64, &'a RawValue)>,
    gone: Vec<(String, String, String)>,
}

impl Journal {
    /// Reads the journal into an empty world and opens it for more. Also says what time it was.
    pub fn open(data_dir: &Path, world: &mut World) -> Result<(Self, Option<i64>), Error> {
        let path = data_dir.join(FILE);
        let fault = |source| Error::Journal { path: path.clone(), source };
        std::fs::create_dir_all(data_dir).map_err(fault)?;
        let mut now_s = None;
        let mut stale = 0;
        if path.exists() {
            let whole_bytes = read(&path, world, &mut now_s, &mut stale)?;
            OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(whole_bytes))
                .map_err(fault)?;
        }
        world.boots += 1;
        if stale > STALE_LINES_MAX {
            rewrite(&path, world, now_s.unwrap_or_default())?;
        }
        let file = ours().append(true).open(&path).map_err(fault)?;
        Ok((Self { path, file }, now_s))
    }

    /// The same journal, telling only what stands.
    pub fn rewritten(self, world: &World, now_s: i64) -> Result<Self, Error> {
        rewrite(&self.path, world, now_s)?;
        let fault = |source| Error::Journal { path: self.path.clone(), source };
        let file = OpenOptions::new().append(true).open(&self.path).map_err(fault)?;
        Ok(Self { path: self.path, file })
    }

    /// Appends one commit. After this returns, a killed process has it.
    pub fn append_text(&mut self, line: &str) -> Result<(), Error> {
        let fault = |source| Error::Journal { path: self.path.clone(), source };
        self.file.write_all(line.as_bytes()).map_err(fault)
    }

    pub fn append(&mut self, line: &Line) -> Result<(), Error> {
        self.append_text(&format!("{}],\"gone\":[]}}\n", line.text))
    }
}

/// How its files are made: for their owner alone, because they hold keys and secrets.
fn ours() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Applies every whole line and says how many bytes they are.
fn read(path: &Path, world: &mut World, now_s: &mut Option<i64>, stale: &mut usize) -> Result<u64, Error> {
    let fault = |source| Error::Journal { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(fault)?);
    let mut bytes = Vec::new();
    let mut whole_bytes = 0;
    for line in 1.. {
        bytes.clear();
        let length = reader.read_until(b'\n', &mut bytes).map_err(fault)?;
        let torn = !bytes.ends_with(b"\n");
        if length == 0 || torn {
            break;
        }
        match serde_json::from_slice::<Read<'_>>(&bytes).ok().and_then(|read| apply(world, read)) {
            Some((now, overwritten)) => {
                *now_s = Some(now);
                *stale += overwritten;
            }
            None => return Err(Error::Corrupt { path: path.to_owned(), line }),
        }
        whole_bytes += length as u64;
    }
    Ok(whole_bytes)
}

/// Applies one line; says its time and how many earlier documents it made stale.
fn apply(world: &mut World, read: Read<'_>) -> Option<(i64, usize)> {
    world.ids.counter = read.ids;
    world.boots = read.boots;
    let mut stale = read.gone.len() + usize::from(read.put.is_empty());
    for (account, kind, position, document) in read.put {
        let kind = Kind::named(&kind)?;
        if kind == Kind::Event {
            world.append_event(&account, position, document.get().into())?;
        } else {
            let document = serde_json::from_str(document.get()).ok()?;
            stale += usize::from(world.put(&account, kind, position, document).is_some());
        }
    }
    for (account, kind, id) in read.gone {
        let kind = Kind::named(&kind)?;
        if kind == Kind::Event {
            if let Some(lane) = world.lanes.get_mut(&account) {
                lane.events.remove(&id);
            }
        } else {
            world.remove(&account, kind, &id);
        }
    }
    Some((read.now, stale))
}

/// Replaces the journal by one that tells only what stands, in one rename.
fn rewrite(path: &Path, world: &World, now_s: i64) -> Result<(), Error> {
    let fault = |source| Error::Journal { path: path.to_owned(), source };
    let fresh = path.with_extension("journal.new");
    let file = ours().write(true).truncate(true).open(&fresh).map_err(fault)?;
    let mut file = std::io::BufWriter::new(file);
    for (account, lane) in &world.lanes {
        let documents = lane.tables.iter().flat_map(|(kind, table)| {
            table.rows().map(|(position, document)| (*kind, position, document.to_string()))
        });
        let events = lane.events.rows().map(|(position, row)| (Kind::Event, position, row.text.to_string()));
        for (kind, position, text) in documents.chain(events) {
            let mut line = Line::new(now_s, world.ids.counter, world.boots);
            line.put(account, kind, position, &text);
            file.write_all(line.finish(&[]).as_bytes()).map_err(fault)?;
        }
    }
    file.into_inner().map_err(|error| fault(error.into_error()))?.sync_all().map_err(fault)?;
    std::fs::rename(&fresh, path).map_err(fault)
}
