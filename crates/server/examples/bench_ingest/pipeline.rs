//! From receipt to the saved verdict, sustained: everything is posted as fast as it is answered, and the clock stops when
//! the last verdict is on disk. Beside it stands how fast the same events were accepted meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bursar_fake_stripe::FakeStripe;
use bursar_store::Database;
use tokio::time::Instant;

use crate::events::{Events, Posts};
use crate::figures::{Figure, On};
use crate::installation::{self, Counts, Installation};
use crate::place::{Place, databases};
use crate::{SECRET, load};

/// Looking counts rows, and so costs the server something.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_mins(3);
/// Fewer reads a verdict than this are those that the server makes by itself from time to time.
const WARM: f64 = 0.01;

pub struct Size {
    warm_up: usize,
    /// Events that are judged with what the mirror holds.
    known: usize,
    /// Events for which Stripe is asked.
    asked: usize,
}

pub const FULL: Size = Size { warm_up: 500, known: 12_000, asked: 2_000 };
pub const QUICK: Size = Size { warm_up: 200, known: 3_000, asked: 300 };

pub async fn measure(server: &Path, size: &Size) -> anyhow::Result<Vec<Figure>> {
    let (stripe, url) = installation::fake_stripe()?;
    let mut figures = Vec::new();
    for database in databases() {
        let (mut judged, subscription) = Events::judged(&stripe, &url, SECRET).await?;
        let (mut warm_up, posts) = (judged.posts(size.warm_up), judged.posts(size.known));
        warm_up.requests.insert(0, subscription);
        let known = run(server, database, (&stripe, &url), (warm_up, posts)).await?;
        anyhow::ensure!(known.reads < WARM, "the mirror was not warm: {} reads a verdict", known.reads);

        let warm_up = Events::real(&stripe, SECRET, size.warm_up / 10)?;
        let posts = Events::real(&stripe, SECRET, size.asked)?;
        let asked = run(server, database, (&stripe, &url), (warm_up, posts)).await?;
        let on = On(database);
        figures.extend([
            on.beside("receipt to verdict, mirror warm, beside accepted", known.judged, "/s", known.accepted),
            on.beside(
                "receipt to verdict, Stripe asked, beside accepted",
                asked.judged,
                "/s",
                asked.accepted,
            ),
            on.alone("reads from Stripe a verdict", asked.reads, ""),
        ]);
    }
    Ok(figures)
}

/// Events a second; and reads from Stripe an event.
struct Rates {
    accepted: f64,
    judged: f64,
    reads: f64,
}

async fn run(
    program: &Path,
    database: Database,
    stripe: (&FakeStripe, &str),
    (warm_up, posts): (Posts, Posts),
) -> anyhow::Result<Rates> {
    let place = Place::new(database).await?;
    let server = Installation::start(program, &place, stripe, SECRET)?;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    // The first by itself: what comes after it may rest on it.
    let (first, others) = warm_up.requests.split_first().context("no warm-up")?;
    load::as_fast_as_answered(server.address, &Arc::new(vec![first.clone()])).await?;
    load::as_fast_as_answered(server.address, &Arc::new(others.to_vec())).await?;
    let before = until(&server, &client, (0, warm_up.distinct)).await?;
    let began = Instant::now();
    let fast = load::as_fast_as_answered(server.address, &Arc::new(posts.requests)).await?;
    let after = until(&server, &client, (before.verdicts, posts.distinct)).await?;
    let took = began.elapsed();
    server.process.stop()?;
    let rate = |time: Duration| f64::from(posts.distinct) / time.as_secs_f64();
    let reads = f64::from(after.reads - before.reads) / f64::from(posts.distinct);
    Ok(Rates { accepted: rate(fast.took), judged: rate(took), reads })
}

/// Waits until so many more verdicts are saved. Decisions would not do: those that only look again bring none.
async fn until(
    server: &Installation,
    client: &reqwest::Client,
    (before, more): (u32, u32),
) -> anyhow::Result<Counts> {
    let end = Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        let counts = server.counts(client).await?;
        if counts.verdicts >= before + more {
            return Ok(counts);
        }
        anyhow::ensure!(Instant::now() < end, "after {PATIENCE:?} {counts:?}, not {more} more than {before}");
    }
}
