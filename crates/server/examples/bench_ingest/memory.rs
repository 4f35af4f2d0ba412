//! What the process holds in memory after many events: at rest, when all work is done, and at most. Beside it the handler
//! that only verifies, after the same events.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::events::Events;
use crate::figures::{Figure, On};
use crate::installation::{self, Installation};
use crate::place::{Place, databases};
use crate::process::Process;
use crate::{SECRET, handler, load};

/// How long a server may take to finish its work.
const REST: Duration = Duration::from_mins(2);

pub struct Size {
    pub distinct: usize,
}

pub const FULL: Size = Size { distinct: 50_000 };
pub const QUICK: Size = Size { distinct: 10_000 };

pub async fn measure(server: &Path, size: &Size) -> anyhow::Result<Vec<Figure>> {
    let (stripe, url) = installation::fake_stripe()?;
    let mut events = Events::like(&stripe, SECRET)?;
    let mut figures = Vec::new();
    for database in databases() {
        let requests = Arc::new(events.posts(size.distinct * 20 / 19).requests);
        let handler = handler::start()?;
        load::as_fast_as_answered(handler.first_line.trim().parse()?, &requests).await?;
        let verified = Held::by(&handler)?;
        drop(handler);

        let place = Place::new(database).await?;
        let server = Installation::start(server, &place, (&stripe, &url), SECRET)?;
        let fresh = Held::by(&server.process)?;
        load::as_fast_as_answered(server.address, &requests).await?;
        let left = server.rest(REST).await?;
        anyhow::ensure!(left == 0, "{left} jobs are still to be done after {REST:?}");
        let held = Held::by(&server.process)?;
        server.process.stop()?;
        let on = On(database);
        figures.extend([
            on.alone("memory before the first event", fresh.now, "MiB"),
            on.beside("memory at rest, beside verify-only", held.now, "MiB", verified.now),
            on.beside("memory at most, beside verify-only", held.most, "MiB", verified.most),
        ]);
    }
    Ok(figures)
}

/// Resident memory, in mebibytes.
struct Held {
    now: f64,
    most: f64,
}

impl Held {
    fn by(process: &Process) -> anyhow::Result<Self> {
        Ok(Self { now: process.memory_mib("VmRSS")?, most: process.memory_mib("VmHWM")? })
    }
}
