//! A demo of its own: a small company, business time standing still.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use super::{Program, Ran, Site, Wish};

/// Everything but where the data lies.
const WORDS: &str = "demo --headless --json --speed 0 --size small --listen 127.0.0.1:0 --proxy-listen 127.0.0.1:0 \
                     --stripe-listen 127.0.0.1:0";

pub struct Demo {
    // Dropped before the folder, so that nobody writes there any more.
    pub program: Program,
    site: Site,
    folder: tempfile::TempDir,
}

impl Demo {
    #[track_caller]
    pub fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap())
    }

    #[track_caller]
    fn start_in(folder: tempfile::TempDir) -> Self {
        let data_dir = folder.path().join("data");
        let words = WORDS.split_whitespace().chain(["--data-dir", data_dir.to_str().unwrap()]).collect();
        let program = Program::start(&Wish { words, folder: folder.path() });
        let site = Site::of_demo(&program.told);
        Self { program, site, folder }
    }

    /// Starts it again on what the last one left.
    #[track_caller]
    pub fn again(self) -> Self {
        let Self { program, site, folder } = self;
        drop(program);
        let mut again = Self::start_in(folder);
        again.keep_used_charges_of(&site);
        again
    }

    /// Kills it and starts it again.
    #[track_caller]
    pub fn killed_and_again(mut self) -> Self {
        self.program.kill();
        self.again()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A second demo on the same data directory, as far as it gets.
    pub fn twin(&self) -> Ran {
        self.bursar(WORDS)
    }

    /// Runs a command against it, the words of `line` split at blanks.
    pub fn bursar(&self, line: &str) -> Ran {
        self.bursar_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn bursar_words(&self, words: &[&str]) -> Ran {
        let data_dir = self.data_dir();
        let mut words = words.to_vec();
        words.extend(["--data-dir", data_dir.to_str().unwrap()]);
        Wish { words, folder: self.folder.path() }.run()
    }
}

impl Deref for Demo {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl DerefMut for Demo {
    fn deref_mut(&mut self) -> &mut Site {
        &mut self.site
    }
}
