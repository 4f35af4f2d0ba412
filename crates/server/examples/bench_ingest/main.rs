//! Measures the real `bursar serve`, on `SQLite` and where there is a server on `PostgreSQL` too: how fast events are
//! accepted (`ingest`), how fast they are decided on (`pipeline`), what it holds in memory (`memory`). One generator drives
//! it and what it is compared with, everything is on loopback, and each number stands beside one from the same run.
//! `cargo xtask bench` builds and starts it.

mod bare;
mod events;
mod figures;
mod handler;
mod ingest;
mod installation;
mod load;
mod memory;
mod pipeline;
mod place;
mod process;
mod wire;

use std::path::PathBuf;

use anyhow::Context as _;

const SECRET: &str = "whsec_bench_3f1c9a7d5e2b8046";

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let name = words.first().map_or("", String::as_str);
    if name == handler::VERIFY_ONLY {
        let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return threads.block_on(handler::serve(SECRET.to_owned()));
    }
    let after = |name: &str| {
        let place = words.iter().position(|word| word == name);
        place
            .and_then(|place| words.get(place + 1))
            .map(PathBuf::from)
            .with_context(|| format!("{name} is missing"))
    };
    let has = |name: &str| words.iter().any(|word| word == name);
    let (server, quick) = (after("--server")?, has("--quick"));
    // One thread generates: it shares the machine with what it measures.
    let thread = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = thread.block_on(async {
        match name {
            "pipeline" => {
                pipeline::measure(&server, if quick { &pipeline::QUICK } else { &pipeline::FULL }).await
            }
            "memory" => memory::measure(&server, if quick { &memory::QUICK } else { &memory::FULL }).await,
            "ingest" => {
                let size = if quick { &ingest::QUICK } else { &ingest::FULL };
                ingest::measure(&server, &after("--bare-loop")?, size).await
            }
            _ => anyhow::bail!("nothing is called `{name}` here"),
        }
    })?;
    figures::print(&figures, has("--json"))
}

/// Counts here stay far below what a float holds exactly.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
