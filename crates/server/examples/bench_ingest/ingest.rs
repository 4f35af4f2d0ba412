//! How fast events are accepted: the server, a handler that only verifies the signature, and a bare loop that commits the
//! same rows in groups of the same size.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bursar_store::Database;

use crate::bare::{self, Bare};
use crate::events::Events;
use crate::figures::{Figure, On};
use crate::installation::{self, Installation};
use crate::load::{self, Load};
use crate::place::{Place, databases};
use crate::process::{self, Process};
use crate::{SECRET, count, handler};

/// The steady pace at which latency is measured.
const PER_SECOND: u32 = 200;

/// How much is sent.
pub struct Size {
    warm_up: usize,
    /// At the steady pace.
    paced: usize,
    /// Distinct events, as fast as they are answered.
    distinct: usize,
}

pub const FULL: Size = Size { warm_up: 2_000, paced: 3_000, distinct: 50_000 };
pub const QUICK: Size = Size { warm_up: 500, paced: 600, distinct: 10_000 };

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

pub async fn measure(server: &Path, bare_loop: &Path, size: &Size) -> anyhow::Result<Vec<Figure>> {
    let (stripe, url) = installation::fake_stripe()?;
    let mut events = Events::like(&stripe, SECRET)?;
    let mut figures = Vec::new();
    for database in databases() {
        let handler = handler::start()?;
        let address = handler.first_line.trim().parse()?;
        let verified = drive(&handler, address, &mut events, size).await?;
        drop(handler);
        let place = Place::new(database).await?;
        let server = Installation::start(server, &place, (&stripe, &url), SECRET)?;
        let accepted = drive(&server.process, server.address, &mut events, size).await?;
        server.process.stop()?;
        let bare = bare::run(bare_loop, &place.kept_in(), accepted.distinct, size.paced, PER_SECOND)?;
        figures.extend(report(database, &verified, &accepted, &bare));
    }
    Ok(figures)
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

fn report(database: Database, verified: &Seen, accepted: &Seen, bare: &Bare) -> Vec<Figure> {
    let on = On(database);
    let events_per_s = f64::from(accepted.distinct) / accepted.fast.took.as_secs_f64();
    let each = |seen: &Seen, time: Duration| time.as_secs_f64() * 1e6 / count(seen.posts);
    let per_s = |seen: &Seen| count(seen.posts) / seen.fast.took.as_secs_f64();
    // Milliseconds of the server's, and of what it stands beside.
    let fast = |share| (accepted.fast.per_mille(share), verified.fast.per_mille(share));
    let paced = |share| (accepted.paced.per_mille(share), verified.paced.per_mille(share));
    let ms = |name, (value, beside)| on.beside(name, value, "ms", beside);
    vec![
        on.alone("body", count(accepted.body_bytes), "B"),
        on.beside("accepted, beside verify-only", per_s(accepted), "/s", per_s(verified)),
        on.beside("distinct events kept, beside the bare loop", events_per_s, "/s", bare.rows_per_s),
        on.alone("events in a commit", bare.group, ""),
        ms("p50 at 64 connections, beside verify-only", fast(500)),
        ms("p99 at 64 connections, beside verify-only", fast(990)),
        ms("p50 at 200/s, beside a bare single commit", (paced(500).0, bare.single_p50_ms)),
        ms("p99 at 200/s, beside a bare single commit", (paced(990).0, bare.single_p99_ms)),
        ms("p99 at 200/s, beside verify-only", paced(990)),
        on.beside(
            "CPU a request, beside verify-only",
            each(accepted, accepted.cpu.0),
            "us",
            each(verified, verified.cpu.0),
        ),
        on.alone("CPU a request in the generator", each(accepted, accepted.cpu.1), "us"),
    ]
}
