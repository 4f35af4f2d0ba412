//! The demo's mailbox: the letters our listener received, newest last, over restarts.
//!
//! A letter is on disk before the listener acknowledges it. The file is JSON lines; a line torn by a crash was never
//! acknowledged and is dropped. Two letters with one `Message-ID` are both kept: a repeat must be seen.

mod journal;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::received::ReceivedMail;
use journal::Journal;

/// How much is kept; the oldest letters make room.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    pub letters: usize,
    pub bytes: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { letters: 1000, bytes: 32 << 20 }
    }
}

/// Shared by the listener that fills it and the page that shows it.
#[derive(Debug)]
pub struct Mailbox {
    shelf: Mutex<Shelf>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Shelf {
    capacity: Capacity,
    letters: VecDeque<Arc<ReceivedMail>>,
    weight: usize,
    number_last: u64,
    journal: Option<Journal>,
}

impl Mailbox {
    /// Forgets everything when dropped.
    pub fn in_memory(capacity: Capacity) -> Self {
        Self::with(Shelf::empty(capacity))
    }

    /// Resumes the letters of an earlier run. Reads and writes files: call it where blocking is fine.
    pub fn open(path: &Path, capacity: Capacity) -> io::Result<Self> {
        let (mut journal, letters) = Journal::open(path)?;
        let mut shelf = Shelf::empty(capacity);
        for letter in letters {
            shelf.put(letter);
        }
        journal.tidy(&shelf.letters)?;
        shelf.journal = Some(journal);
        Ok(Self::with(shelf))
    }

    fn with(shelf: Shelf) -> Self {
        Self { newest: watch::Sender::new(shelf.number_last), shelf: Mutex::new(shelf) }
    }

    /// All letters kept, oldest first.
    pub fn letters(&self) -> Vec<Arc<ReceivedMail>> {
        self.lock().letters.iter().cloned().collect()
    }

    pub fn letter(&self, number: u64) -> Option<Arc<ReceivedMail>> {
        self.lock().letters.iter().find(|letter| letter.number == number).cloned()
    }

    /// The number of the newest letter (0: none yet), and every change of it.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Keeps a letter and gives it its number. An error means that it is not kept. Blocks on the disk.
    pub(super) fn keep(&self, mut letter: ReceivedMail) -> io::Result<u64> {
        let mut shelf = self.lock();
        let number = shelf.number_last + 1;
        letter.number = number;
        if let Some(journal) = &mut shelf.journal {
            journal.append(&letter)?;
        }
        shelf.put(letter);
        shelf.tidy_journal();
        // Still under the lock, so that numbers are announced in order.
        self.newest.send_replace(number);
        Ok(number)
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        // Nobody panics while holding it; should it happen, the letters are still whole.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn empty(capacity: Capacity) -> Self {
        Self { capacity, letters: VecDeque::new(), weight: 0, number_last: 0, journal: None }
    }

    fn put(&mut self, letter: ReceivedMail) {
        self.number_last = self.number_last.max(letter.number);
        self.weight += letter.weight();
        self.letters.push_back(Arc::new(letter));
        // The newest letter always stays, however heavy.
        while self.letters.len() > 1
            && (self.letters.len() > self.capacity.letters || self.weight > self.capacity.bytes)
        {
            let oldest = self.letters.pop_front();
            self.weight -= oldest.map_or(0, |letter| letter.weight());
        }
    }

    /// The letter is on disk already, so a failure costs only space and waits for the next letter.
    fn tidy_journal(&mut self) {
        let kept = self.letters.len();
        let Some(journal) = self.journal.as_mut().filter(|journal| journal.lines() > 2 * kept.max(50)) else {
            return;
        };
        if let Err(error) = journal.tidy(&self.letters) {
            tracing::warn!(%error, "mailbox file could not be made smaller");
        }
    }
}

#[cfg(test)]
#[path = "mailbox/tests.rs"]
mod tests;
