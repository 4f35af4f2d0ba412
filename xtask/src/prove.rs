//! `cargo xtask prove`: builds the program and what proves it, and runs the proof; see `docs/proof.md`.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

/// Further words are the proof's own: `--quick`, `--json`, `--seed N`, `--goal G1`.
pub(crate) fn run() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(2).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // Apart: what is proved is built as it is released, and only what proves it can hold planted bugs.
    for what in [
        ["--package=bursar-server", "--bin=bursar", "--features="],
        ["--package=bursar-sim", "--bin=prove", "--features=planted"],
    ] {
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--locked"]).args(what).current_dir(&root);
        let status = cargo.status().context("cannot run cargo")?;
        anyhow::ensure!(status.success(), "what is to be proved does not build");
    }
    let built = crate::bench::target(&root)?.join("debug");
    let mut prove = Command::new(built.join("prove"));
    prove.arg("--bursar").arg(built.join("bursar")).args(words);
    if let Some((_, url)) = std::env::vars_os().find(|(name, _)| name == "BURSAR_TEST_POSTGRES") {
        prove.arg("--postgres").arg(url);
    }
    let status = prove.status().context("the proof cannot be started")?;
    anyhow::ensure!(status.success(), "not proved");
    Ok(())
}
