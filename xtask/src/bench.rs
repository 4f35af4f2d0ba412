//! `cargo xtask bench ingest|pipeline|backlog|memory`: how fast events are accepted and judged, what a claim costs beside a
//! long line, what the process holds in memory; each number beside one of something simpler that ran next to it on the same
//! machine, and on each database that can be had. `docs/performance.md` says how to read them.
//!
//! This chore only builds and starts. What measures is `crates/server/examples/bench_ingest` and
//! `crates/store/examples/bench_backlog`, and the bare loop is `crates/store/examples/bare_loop`: they need a runtime, HTTP
//! and the database, and kept outside they leave `cargo xtask tidy` a few seconds to build.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

const USAGE: &str = "usage: cargo xtask bench ingest|pipeline|backlog|memory [--json] [--quick]";

/// Runs the benchmark named by the second word of the command line; further words are its own.
pub(crate) fn run() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(2).collect();
    let (name, options) = words.split_first().context(USAGE)?;
    let known = |option: &String| ["--json", "--quick"].contains(&option.as_str());
    let measured = ["ingest", "pipeline", "backlog", "memory"].contains(&name.as_str());
    anyhow::ensure!(measured && options.iter().all(known), "{USAGE}");
    let built = build()?;
    let program = if name == "backlog" { "examples/bench_backlog" } else { "examples/bench_ingest" };
    let status = Command::new(built.join(program))
        .arg(name)
        .arg("--server")
        .arg(built.join("bursar"))
        .arg("--bare-loop")
        .arg(built.join("examples/bare_loop"))
        .args(options)
        .status()
        .context("the benchmark cannot be started")?;
    anyhow::ensure!(status.success(), "the benchmark did not come to its end");
    Ok(())
}

/// Builds what is measured as it is released; gives the folder it lies in.
fn build() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packages = ["--package=bursar-server", "--package=bursar-store"];
    let programs =
        ["--bin=bursar", "--example=bench_ingest", "--example=bare_loop", "--example=bench_backlog"];
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked"]).args(packages).args(programs).current_dir(&root);
    let status = cargo.status().context("cannot run cargo")?;
    anyhow::ensure!(status.success(), "what is to be measured does not build");
    Ok(target(&root)?.join("release"))
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> anyhow::Result<PathBuf> {
    let words = ["metadata", "--format-version=1", "--no-deps", "--locked"];
    let output = Command::new("cargo").args(words).current_dir(root).output().context("cannot run cargo")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    Ok(metadata["target_directory"].as_str().context("no target_directory")?.into())
}
