//! From receipt to the saved decision, sustained: everything is posted as fast as it is answered, and the clock stops when
//! the last decision is on disk. Beside it stands how fast the same events were accepted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use crate::events::{Events, Posts};
use crate::figures::Figure;
use crate::installation::{self, Installation};
use crate::{SECRET, load};

const LOOK_EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_mins(5);

pub struct Size {
    pub warm_up: usize,
    /// Events that are decided on with what came with them.
    pub known: usize,
    /// Events for which Stripe is asked.
    pub asked: usize,
}

pub const FULL: Size = Size { warm_up: 500, known: 20_000, asked: 2_000 };
pub const QUICK: Size = Size { warm_up: 200, known: 3_000, asked: 300 };

pub async fn measure(server: &Path, size: &Size) -> anyhow::Result<Vec<Figure>> {
    let (stripe, url) = installation::fake_stripe()?;
    let mut settled = Events::settled(&stripe, SECRET)?;
    let known =
        run(server, (&stripe, &url), (settled.posts(size.warm_up), settled.posts(size.known))).await?;
    let warm_up = Events::real(&stripe, SECRET, size.warm_up / 10)?;
    let asked = Events::real(&stripe, SECRET, size.asked)?;
    let asked = run(server, (&stripe, &url), (warm_up, asked)).await?;
    Ok(vec![
        Figure::beside(
            "receipt to decision, mirror warm, beside accepted",
            known.decided,
            "/s",
            known.accepted,
        ),
        Figure::beside(
            "receipt to decision, Stripe asked, beside accepted",
            asked.decided,
            "/s",
            asked.accepted,
        ),
    ])
}

/// Events a second.
struct Rates {
    accepted: f64,
    decided: f64,
}

async fn run(
    program: &Path,
    stripe: (&bursar_fake_stripe::FakeStripe, &str),
    (warm_up, posts): (Posts, Posts),
) -> anyhow::Result<Rates> {
    let folder = tempfile::tempdir().context("no folder for the run")?;
    let server = Installation::start(program, folder.path(), stripe, SECRET)?;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    load::as_fast_as_answered(server.address, &Arc::new(warm_up.requests)).await?;
    until(&server, &client, warm_up.distinct).await?;
    let began = Instant::now();
    let fast = load::as_fast_as_answered(server.address, &Arc::new(posts.requests)).await?;
    until(&server, &client, warm_up.distinct + posts.distinct).await?;
    let took = began.elapsed();
    server.process.stop()?;
    let rate = |time: Duration| f64::from(posts.distinct) / time.as_secs_f64();
    Ok(Rates { accepted: rate(fast.took), decided: rate(took) })
}

/// Waits until so many decisions are saved.
async fn until(server: &Installation, client: &reqwest::Client, count: u32) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        let decided = server.decided(client).await?;
        if decided >= count {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < end, "{decided} of {count} were decided on in {PATIENCE:?}");
    }
}
