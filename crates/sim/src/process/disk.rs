//! The disk lets us down: it is full for a while, and what it was given last is cut off or changed. What was acknowledged
//! while there was room is there, and no file that is not whole is taken for one that is.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bursar_store::{Database, Options, Store, audit, events};
use tokio::process::Command;
use tokio::time::sleep;

use super::block_on;
use super::draw::Draw;
use super::kills::complain;
use super::site::{Site, Wish};
use crate::goals::{Effort, Run};
use crate::report::Row;

const SENDERS: u64 = 4;
const FULL_MS: std::ops::Range<u64> = 100..700;
const PATIENCE: Duration = Duration::from_secs(30);
const FULL_A_SITE: u64 = 20;
/// A frame of the write-ahead log: its head, and a page.
const FRAME_BYTES: u64 = 24 + 4096;
/// So many frames at the end of the log are cut at every byte.
const FRAMES_CUT: u64 = 3;
const PAGE: i64 = 500;

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    let quick = run.effort == Effort::Quick;
    let full = run.times.unwrap_or(if quick { 5 } else { 200 });
    let every = FRAME_BYTES * FRAMES_CUT;
    let cuts = run.times.unwrap_or(if quick { 60 } else { every });
    let flips = run.times.unwrap_or(if quick { 60 } else { 10_000 });
    Ok(vec![block_on(filled(run, full))?, block_on(torn(run, cuts, flips))?])
}

async fn filled(run: &Run, times: u64) -> anyhow::Result<Row> {
    let (mut done, mut failures) = (0, 0);
    while done < times {
        let site = Site::start(&Wish::new(run, Database::Sqlite, 6_000 + done)).await?;
        let turns = (times - done).min(FULL_A_SITE);
        let mut draw = Draw::new(run.seed, "disk", done);
        let load = site.load(SENDERS, draw.below(u64::MAX));
        let mut found = Vec::new();
        for _ in 0..turns {
            sleep(Duration::from_millis(draw.within(100..500))).await;
            may_write(&site, "0").await?;
            sleep(Duration::from_millis(draw.within(FULL_MS))).await;
            found.extend(site.at_once(&load).await?);
            may_write(&site, "unlimited").await?;
        }
        found.extend(site.at_rest(&load, PATIENCE).await?.0);
        load.end().await;
        done += turns;
        if found.is_empty() {
            site.close().await?;
        } else {
            failures += 1;
            complain(&found, site);
        }
    }
    Ok(Row::new("G9", "sqlite", done, failures))
}

/// How large a file the program may write to, in bytes.
async fn may_write(site: &Site, limit: &str) -> anyhow::Result<()> {
    let (pid, limit) = (site.program(0)?.id()?.to_string(), format!("--fsize={limit}:unlimited"));
    let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status().await?;
    anyhow::ensure!(set.success(), "prlimit, which is part of util-linux, does not work");
    Ok(())
}

/// The log of a killed program, cut and changed: what is left must be a whole beginning of what was.
async fn torn(run: &Run, cuts: u64, flips: u64) -> anyhow::Result<Row> {
    let mut site = Site::start(&Wish::new(run, Database::Sqlite, 7_000)).await?;
    let load = site.load(SENDERS, run.seed);
    sleep(Duration::from_millis(1_500)).await;
    site.kill(0).await?;
    load.end_now().await;
    let patient = Patient::new(&site.data_dir())?;
    let length = patient.log.len() as u64;
    anyhow::ensure!(length > 2 * FRAME_BYTES * FRAMES_CUT, "a log of {length} bytes is none");
    let whole = patient.open(&patient.log).await?.context("the log of a killed program cannot be read")?;
    let mut draw = Draw::new(run.seed, "torn", 0);
    let tail = FRAME_BYTES * FRAMES_CUT;
    let mut failures = Vec::new();
    for number in 0..cuts {
        // All of them where there are as many, else some.
        let back = if cuts >= tail { number % tail } else { draw.below(tail) };
        let left = &patient.log[..usize::try_from(length - back)?];
        let what = format!("{back} bytes short");
        match patient.open(left).await {
            Ok(Some(events)) if events.is_part_of(&whole) => {}
            Ok(Some(_)) => failures.push(format!("{what}: events that never were")),
            Ok(None) => failures.push(format!("{what}: the audit does not verify")),
            Err(error) => failures.push(format!("{what}: it cannot be opened: {error:#}")),
        }
    }
    for _ in 0..flips {
        let (at, bit) = (draw.below(length), draw.below(8));
        let mut changed = patient.log.clone();
        changed[usize::try_from(at)?] ^= 1 << bit;
        // Refusing it is right as well.
        if let Ok(Some(events)) = patient.open(&changed).await
            && !events.is_part_of(&whole)
        {
            failures.push(format!("bit {bit} of byte {at}: events that never were"));
        }
    }
    eprintln!("  a log of {length} bytes with {} events: {cuts} cuts, {flips} flips", whole.0.len());
    for failure in failures.iter().take(10) {
        eprintln!("  BROKEN I1: {failure}");
    }
    site.close().await?;
    Ok(Row::new("G9-LOG", "sqlite", cuts + flips, failures.len() as u64))
}

/// The files of a killed program.
struct Patient {
    key: Vec<u8>,
    database: Vec<u8>,
    log: Vec<u8>,
}

/// Events by id, with what they say.
struct Kept(std::collections::BTreeMap<String, Vec<u8>>);

impl Kept {
    /// Whether nothing is there that was not, or says something else.
    fn is_part_of(&self, whole: &Kept) -> bool {
        self.0.iter().all(|(id, body)| whole.0.get(id) == Some(body))
    }
}

impl Patient {
    fn new(data_dir: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| std::fs::read(data_dir.join(name)).with_context(|| name.to_owned());
        Ok(Self { key: read("master.key")?, database: read("bursar.db")?, log: read("bursar.db-wal")? })
    }

    /// Opens the database with such a log as its owner would, and reads everything; nothing where the audit objects. Each
    /// time in a folder of its own: connections of the time before may still be about to close.
    async fn open(&self, log: &[u8]) -> anyhow::Result<Option<Kept>> {
        let folder = tempfile::tempdir()?;
        for (name, bytes) in
            [("master.key", &*self.key), ("bursar.db", &*self.database), ("bursar.db-wal", log)]
        {
            std::fs::write(folder.path().join(name), bytes)?;
        }
        let options = Options { readers: 1, ..Options::sqlite(folder.path(), "checker") };
        let store = Store::open(options).await?;
        let mut db = store.read().await?;
        let report = audit::verify(&mut db).await?;
        let mut kept = std::collections::BTreeMap::new();
        let mut filter = events::Filter { limit: PAGE, ..events::Filter::default() };
        loop {
            let page = events::list(&mut db, &filter).await?;
            let Some(last) = page.last() else { break };
            filter.before = Some((last.created_s, last.id.clone()));
            for event in page {
                let body = event.body(&mut db, store.keyring()).await?;
                kept.insert(event.id, body);
            }
        }
        Ok(report.ok.then_some(Kept(kept)))
    }
}
