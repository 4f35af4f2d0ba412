//! The mailbox's file: one JSON object a line, appended and synced, rewritten whole when it holds too much.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ReceivedMail;

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines. Anything beyond is the rest of a failed write.
    len: u64,
    lines: usize,
    /// The file holds bytes that are no letter.
    is_littered: bool,
}

impl Journal {
    /// Opens or creates the file and reads what it holds. Lines that are no letter are skipped and reported.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<ReceivedMail>)> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (mut letters, mut lines, mut unreadable) = (Vec::new(), 0, 0);
        for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            lines += 1;
            match serde_json::from_slice(line) {
                Ok(letter) => letters.push(letter),
                Err(_) => unreadable += 1,
            }
        }
        if unreadable > 0 {
            tracing::warn!(unreadable, path = %path.display(), "mailbox file holds lines that are no letters");
        }
        let file = private(OpenOptions::new().append(true).create(true)).open(path)?;
        let is_littered = unreadable > 0 || whole < bytes.len();
        Ok((Self { path: path.to_owned(), file, len: whole as u64, lines, is_littered }, letters))
    }

    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// On disk when this returns well; not in the file when it does not.
    pub(super) fn append(&mut self, letter: &ReceivedMail) -> io::Result<()> {
        let line = line_of(letter)?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Else the next letter would grow out of half a line.
            self.is_littered |= self.file.set_len(self.len).is_err();
            return Err(error);
        }
        self.len += line.len() as u64;
        self.lines += 1;
        Ok(())
    }

    /// Replaces the file by one with exactly these letters, unless it is that already.
    pub(super) fn tidy(&mut self, letters: &VecDeque<Arc<ReceivedMail>>) -> io::Result<()> {
        if !self.is_littered && self.lines == letters.len() {
            return Ok(());
        }
        let beside = self.path.with_extension("tmp");
        let mut file = private(OpenOptions::new().write(true).create(true).truncate(true)).open(&beside)?;
        let mut len = 0;
        for letter in letters {
            let line = line_of(letter)?;
            file.write_all(&line)?;
            len += line.len() as u64;
        }
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        self.file = private(OpenOptions::new().append(true)).open(&self.path)?;
        (self.len, self.lines, self.is_littered) = (len, letters.len(), false);
        Ok(())
    }
}

fn line_of(letter: &ReceivedMail) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(letter)?;
    line.push(b'\n');
    Ok(line)
}

/// Letters are between the installation and its customers: nobody else on the machine reads them.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(test)]
impl Journal {
    /// A journal whose every write fails, as on a full disk.
    pub(super) fn broken(path: &Path) -> io::Result<Self> {
        std::fs::write(path, "")?;
        Ok(Self { path: path.to_owned(), file: File::open(path)?, len: 0, lines: 0, is_littered: false })
    }
}
