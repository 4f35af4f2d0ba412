//! A process that says in one line of JSON that it is ready, and that is killed when its test is over.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use super::{Ran, until};

/// A company is made up and the store opened in a build without optimisation.
const READY: Duration = Duration::from_secs(90);

/// What a process is started with.
pub struct Wish<'a> {
    pub words: Vec<&'a str>,
    /// Home and working directory.
    pub folder: &'a Path,
}

pub struct Program {
    child: Child,
    /// Its first line.
    pub told: Value,
    log: PathBuf,
}

fn command(wish: &Wish<'_>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    command.args(&wish.words).current_dir(wish.folder).env_clear().env("HOME", wish.folder).env("TZ", "UTC");
    command.env("BURSAR_LOG", "warn").stdin(Stdio::null());
    command
}

impl Wish<'_> {
    /// Runs it to its end.
    pub fn run(&self) -> Ran {
        Ran::from(command(self).output().unwrap())
    }
}

impl Program {
    /// Starts it and waits until it says that it is ready.
    #[track_caller]
    pub fn start(wish: &Wish<'_>) -> Self {
        let log = wish.folder.join(format!("{}.log", wish.words[0]));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut child = command(wish).stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = say.send(line);
        });
        let line = said.recv_timeout(READY).unwrap_or_default();
        let mut program = Self { child, told: Value::Null, log };
        program.told = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: it said {line:?}"));
        program
    }

    /// The end that nobody can prepare for.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(asked.unwrap().success());
        until("the process to end", || self.child.try_wait().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(30)..].join("\n");
            eprintln!("{} ended with:\n{last}", self.log.display());
        }
    }
}
