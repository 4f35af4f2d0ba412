//! A process that is measured: started, asked what it used, ended with whoever holds it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

pub struct Process {
    child: Child,
    /// What it said first.
    pub first_line: String,
}

impl Process {
    /// Starts it and waits for its first line.
    pub fn start<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut process = Self { child, first_line: String::new() };
        BufReader::new(stdout).read_line(&mut process.first_line)?;
        anyhow::ensure!(!process.first_line.is_empty(), "{} ended before it answered", program.display());
        Ok(process)
    }

    /// A line of `/proc/PID/status` that is in kilobytes, in mebibytes: `VmRSS`, or `VmHWM` for the highest so far.
    pub fn memory_mib(&self, field: &str) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
        let number = line.trim_start_matches(':').split_whitespace().next().context("no number")?;
        Ok(f64::from(number.parse::<u32>()?) / 1024.0)
    }

    /// Time on any core since it began.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(&self.child.id().to_string())
    }

    /// Asks it to end as Ctrl-C does, and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        anyhow::ensure!(asked.is_ok_and(|status| status.success()), "the process cannot be asked to end");
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already, or gone now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same of this process: what generating costs.
pub fn own_cpu() -> anyhow::Result<Duration> {
    cpu_of("self")
}

/// Fields 14 and 15 of `/proc/PID/stat`, which Linux counts in hundredths of a second.
fn cpu_of(process: &str) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(')').context("no name")?.1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}
