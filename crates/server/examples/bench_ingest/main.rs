//! Measures how fast webhooks are accepted: the real `bursar serve` on `SQLite`, a handler that only verifies the signature,
//! and a bare loop that commits the same rows in groups of the same size. One generator drives both servers, everything
//! is on loopback, and each number stands beside one from the same run. `cargo xtask bench ingest` builds and starts it.

mod bare;
mod events;
mod figures;
mod handler;
mod installation;
mod load;
mod pipeline;
mod process;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use bare::Bare;
use events::Events;
use figures::Figure;
use installation::Installation;
use load::Load;
use process::Process;

const SECRET: &str = "whsec_bench_3f1c9a7d5e2b8046";
/// The steady pace at which latency is measured.
const PER_SECOND: u32 = 200;
/// The word that makes this binary the handler to compare with.
const VERIFY_ONLY: &str = "verify-only";

/// The word that asks for decisions to be measured instead of acceptance.
const PIPELINE: &str = "pipeline";

/// How much is sent.
struct Size {
    warm_up: usize,
    /// At the steady pace.
    paced: usize,
    /// Distinct events, as fast as they are answered.
    distinct: usize,
    rest: Duration,
}

const FULL: Size = Size { warm_up: 2_000, paced: 3_000, distinct: 50_000, rest: Duration::from_mins(1) };
const QUICK: Size = Size { warm_up: 500, paced: 600, distinct: 10_000, rest: Duration::from_secs(5) };

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == VERIFY_ONLY) {
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
    let server = after("--server")?;
    // One thread generates: it shares the machine with what it measures.
    let thread = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = if has(PIPELINE) {
        let size = if has("--quick") { pipeline::QUICK } else { pipeline::FULL };
        thread.block_on(pipeline::measure(&server, &size))?
    } else {
        let size = if has("--quick") { QUICK } else { FULL };
        thread.block_on(measure((&server, &after("--bare-loop")?), &size))?
    };
    figures::print(&figures, has("--json"))
}

/// What one generator saw of a server.
struct Seen {
    paced: Load,
    fast: Load,
    distinct: u32,
    posts: usize,
    body_bytes: usize,
    /// Of the server and of the generator, while it went as fast as it could.
    cpu: (Duration, Duration),
}

async fn measure(programs: (&Path, &Path), size: &Size) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir().context("no folder for the run")?;
    let (stripe, stripe_url) = installation::fake_stripe()?;
    let mut events = Events::like(&stripe, SECRET)?;

    let own = std::env::current_exe()?;
    let handler = Process::start(&own, &[VERIFY_ONLY])?;
    let address = handler.first_line.trim().parse().context("no address")?;
    let verified = drive(&handler, address, &mut events, size).await?;
    drop(handler);

    let server = Installation::start(programs.0, folder.path(), (&stripe, &stripe_url), SECRET)?;
    let accepted = drive(&server.process, server.address, &mut events, size).await?;
    let memory_now = server.process.memory_mib("VmRSS")?;
    let left = server.rest(size.rest).await?;
    let memory = [memory_now, server.process.memory_mib("VmRSS")?, server.process.memory_mib("VmHWM")?];
    server.process.stop()?;

    let data_dir = folder.path().join("data");
    let bare = bare::run(programs.1, &data_dir, accepted.distinct, size.paced, PER_SECOND)?;
    Ok(report(&verified, &accepted, &bare, memory, left))
}

/// Warms up, then a steady pace, then as fast as it goes.
async fn drive(
    process: &Process,
    address: std::net::SocketAddr,
    events: &mut Events,
    size: &Size,
) -> anyhow::Result<Seen> {
    let warm_up = Arc::new(events.posts(size.warm_up).requests);
    load::as_fast_as_answered(address, &warm_up).await?;
    let paced = Arc::new(events.posts(size.paced).requests);
    let paced = load::at_a_pace(address, &paced, PER_SECOND).await?;
    let posts = events.posts(size.distinct * 20 / 19);
    let (distinct, body_bytes) = (posts.distinct, posts.mean_body_bytes);
    let requests = Arc::new(posts.requests);
    let before = (process.cpu()?, process::own_cpu()?);
    let fast = load::as_fast_as_answered(address, &requests).await?;
    let cpu = (process.cpu()?.saturating_sub(before.0), process::own_cpu()?.saturating_sub(before.1));
    Ok(Seen { paced, fast, distinct, posts: requests.len(), body_bytes, cpu })
}

fn report(verified: &Seen, accepted: &Seen, bare: &Bare, memory: [f64; 3], left: u32) -> Vec<Figure> {
    let [memory_now, memory_rested, memory_most] = memory;
    let events_per_s = f64::from(accepted.distinct) / accepted.fast.took.as_secs_f64();
    let each = |seen: &Seen, time: Duration| time.as_secs_f64() * 1e6 / count(seen.posts);
    let per_s = |seen: &Seen| count(seen.posts) / seen.fast.took.as_secs_f64();
    vec![
        Figure::alone("body", count(accepted.body_bytes), "B"),
        Figure::beside("accepted, beside verify-only", per_s(accepted), "/s", per_s(verified)),
        Figure::beside("distinct events kept, beside the bare loop", events_per_s, "/s", bare.rows_per_s),
        Figure::alone("events in a commit", bare.group, ""),
        Figure::beside(
            "p50 at 64 connections, beside verify-only",
            accepted.fast.per_mille(500),
            "ms",
            verified.fast.per_mille(500),
        ),
        Figure::beside(
            "p99 at 64 connections, beside verify-only",
            accepted.fast.per_mille(990),
            "ms",
            verified.fast.per_mille(990),
        ),
        Figure::beside(
            "p50 at 200/s, beside a bare single commit",
            accepted.paced.per_mille(500),
            "ms",
            bare.single_p50_ms,
        ),
        Figure::beside(
            "p99 at 200/s, beside a bare single commit",
            accepted.paced.per_mille(990),
            "ms",
            bare.single_p99_ms,
        ),
        Figure::beside(
            "p99 at 200/s, beside verify-only",
            accepted.paced.per_mille(990),
            "ms",
            verified.paced.per_mille(990),
        ),
        Figure::alone("memory after the last event", memory_now, "MiB"),
        Figure::alone("memory when the work is done", memory_rested, "MiB"),
        Figure::alone("memory at most", memory_most, "MiB"),
        Figure::alone("jobs left when measured", f64::from(left), ""),
        Figure::beside(
            "CPU a request, beside verify-only",
            each(accepted, accepted.cpu.0),
            "us",
            each(verified, verified.cpu.0),
        ),
        Figure::alone("CPU a request in the generator", each(accepted, accepted.cpu.1), "us"),
    ]
}

/// Counts here stay far below what a float holds exactly.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
