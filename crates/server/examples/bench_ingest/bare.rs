//! The bare loop, which the store runs: its own example commits the rows that the server made, without anything else.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;

/// What it found and measured.
#[derive(Debug, Deserialize)]
pub struct Bare {
    /// Events in a commit of the server's, on average.
    pub group: f64,
    pub rows_per_s: f64,
    pub single_p50_ms: f64,
    pub single_p99_ms: f64,
}

/// Commits the newest `rows` events of a stopped installation again, in groups of the size that the installation had,
/// then some of them one by one at a pace.
pub fn run(
    program: &Path,
    kept_in: &OsStr,
    rows: u32,
    singles: usize,
    per_second: u32,
) -> anyhow::Result<Bare> {
    let output = Command::new(program)
        .arg(kept_in)
        .args([rows.to_string(), singles.to_string(), per_second.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .context("the bare loop cannot be started")?;
    anyhow::ensure!(output.status.success(), "the bare loop failed");
    serde_json::from_slice(&output.stdout).context("the bare loop said no JSON")
}
