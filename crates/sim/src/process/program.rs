//! A process that says in one line of JSON that it is ready, and that ends with whoever holds it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

/// A store is opened in a build without optimisation, on a busy machine.
const READY: Duration = Duration::from_secs(60);
const DEAD: Duration = Duration::from_secs(30);

pub(super) struct Program {
    child: Child,
    /// What it took until it said so.
    pub ready_after: Duration,
}

/// How the program is started.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub bursar: PathBuf,
    /// Home and working directory.
    pub folder: PathBuf,
    pub words: Vec<String>,
    /// Where it complains to.
    pub log: PathBuf,
}

fn command(bursar: &Path, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    // Whoever may write no more is told so by the call, and by a signal that would end it.
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(bursar).current_dir(folder);
    command.env_clear().env("HOME", folder).env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
    command.env("BURSAR_LOG", "warn").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end and gives its document.
pub(super) async fn document(bursar: &Path, folder: &Path, line: &str) -> anyhow::Result<Value> {
    let (code, document) = said(bursar, folder, line).await?;
    anyhow::ensure!(code == 0, "bursar {line} ended with {code}: {document}");
    Ok(document)
}

/// The same for one that may end otherwise, with its exit code.
pub(super) async fn said(bursar: &Path, folder: &Path, line: &str) -> anyhow::Result<(i32, Value)> {
    let output = command(bursar, folder).args(line.split_whitespace()).output().await?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().with_context(|| format!("bursar {line} was killed: {complaint}"))?;
    let document = serde_json::from_slice(&output.stdout);
    Ok((code, document.with_context(|| format!("bursar {line} said no JSON: {complaint}"))?))
}

/// Begins a command and kills it after so long; says whether it had not ended by then.
pub(super) async fn killed_after(
    bursar: &Path,
    folder: &Path,
    line: &str,
    after: Duration,
) -> anyhow::Result<bool> {
    let mut command = command(bursar, folder);
    let words = command.args(line.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = words.spawn().with_context(|| format!("{} cannot be started", bursar.display()))?;
    if timeout(after, child.wait()).await.is_ok() {
        return Ok(false);
    }
    child.kill().await?;
    Ok(true)
}

impl Start {
    /// Starts it and waits until it says that it is ready.
    pub(super) async fn go(&self) -> anyhow::Result<Program> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let began = Instant::now();
        let mut child = command(&self.bursar, &self.folder)
            .args(&self.words)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.bursar.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let line = timeout(READY, lines.next_line()).await.context("not ready in a minute")??;
        let told = || std::fs::read_to_string(&self.log).unwrap_or_default();
        let line = line.with_context(|| format!("it ended before it was ready: {}", last_lines(&told())))?;
        serde_json::from_str::<Value>(&line).with_context(|| format!("it said {line:?}"))?;
        Ok(Program { child, ready_after: began.elapsed() })
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

impl Program {
    /// The end that nobody can prepare for.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    pub(super) fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("the process has ended")
    }

    /// `STOP`, `CONT`, `TERM`.
    pub(super) async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let id = self.id()?.to_string();
        let sent = Command::new("kill").args([format!("-{name}"), id]).status().await?;
        anyhow::ensure!(sent.success(), "SIG{name} cannot be sent");
        Ok(())
    }

    /// Waits until it has ended by itself, and says how.
    pub(super) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(timeout(DEAD, self.child.wait()).await.context("it does not end")??)
    }
}
