//! Ten times what can be taken. What is acknowledged is there afterwards, the rest is told to come again, people are served
//! all along, a quiet account beside a loud one is not turned away, and then everything is as before.
//!
//! Nothing is judged by the clock alone: a machine may be slow, and here the senders take their share of it. What happens
//! under too much is compared with what happens to somebody else at the same moment, or to the same a moment before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bursar_store::Database;
use tokio::time::Instant;

use super::by_hand::Connection;
use super::kills::complain;
use super::people::{People, Served};
use super::pressure::{Drive, Lane, Seen, drive, within};
use super::site::{NEIGHBOUR_SECRET, SECRET, Site, Wish};
use super::{block_on, databases, name};
use crate::checker::Breach;
use crate::goals::{Effort, Run};
use crate::report::Row;

/// Enough to fill every commit, and few enough to be waited for.
const CONNECTIONS: u32 = 256;
/// More than two commits hold, so that the line fills whatever the machine.
const FLOOD_CONNECTIONS: u32 = 640;
const TIMES: u64 = 10;
const QUIET: Drive = Drive { connections: 4, lasts: Duration::ZERO, per_s: Some(40) };
/// Of what is kept at capacity, so many of a hundred under ten times as much: senders and program share the machine, and
/// where there is only this one a good part of it goes into sending and into saying no.
const KEPT_PERCENT: u64 = 10;
/// How much longer than a sender of too much may wait who only looks or decides. A decision is several commits.
const THAN_SENDERS: u32 = 3;
const MEMORY_KIB_MAX: u64 = 256 * 1024;
const AS_BEFORE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    databases(run).into_iter().map(|database| block_on(on(run, database))).collect()
}

async fn on(run: &Run, database: Database) -> anyhow::Result<Row> {
    let (floods, full, flood) = match run.effort {
        Effort::Quick => (2, 1_500, 2_500),
        Effort::Full => (10, 10_000, 60_000),
    };
    let mut stand = Stand::open(run, database).await?;
    let mut story = Story { alone: stand.alone(Duration::from_millis(full)).await?, ..Story::default() };
    for _ in 0..run.times.unwrap_or(floods) {
        story.round(&mut stand, Duration::from_millis(full), Duration::from_millis(flood)).await?;
    }
    story.tell();
    let acknowledged = story.acknowledged();
    let told = story.told();
    let memory_kib = stand.site.memory_kib("VmHWM")?;
    eprintln!("  {} acknowledged, memory at most {} MiB", acknowledged.len(), memory_kib / 1024);
    let mut found = story.breaches();
    if memory_kib > MEMORY_KIB_MAX {
        found.push(breach(format!("it took {} MiB", memory_kib / 1024)));
    }
    found.extend(stand.site.judged(&acknowledged, &told, PATIENCE).await?.0);
    let row = Row::new("G12", name(database), story.count(), found.len() as u64);
    if found.is_empty() {
        stand.site.close().await?;
    } else {
        complain(&found, stand.site);
    }
    Ok(row)
}

fn breach(what: String) -> Breach {
    Breach { invariant: "G12", what }
}

/// The program and everybody who speaks to it.
struct Stand {
    site: Site,
    people: People,
    loud: Lane,
    quiet: Lane,
}

/// What came of one stretch, by who was there.
#[derive(Debug, Default)]
struct Stretch {
    loud: Seen,
    quiet: Seen,
    people: Served,
}

impl Stand {
    async fn open(run: &Run, database: Database) -> anyhow::Result<Self> {
        let site = Site::start(&Wish { neighbour: true, ..Wish::new(run, database, 3_000) }).await?;
        let people = site.people().await?;
        let next = Arc::default();
        let loud = Lane::new(&site.stripe, SECRET, &next)?;
        let neighbour = site.neighbour.as_ref().unwrap_or(&site.stripe);
        let quiet = Lane::new(neighbour, NEIGHBOUR_SECRET, &next)?;
        Ok(Self { site, people, loud, quiet })
    }

    /// People and the quiet account by themselves.
    async fn alone(&mut self, lasts: Duration) -> anyhow::Result<Stretch> {
        let address = self.site.address();
        let quiet = drive(address, &self.quiet, Drive { lasts, ..QUIET });
        let (quiet, people) = tokio::join!(quiet, self.people.work(lasts));
        Ok(Stretch { quiet: quiet?, people, ..Stretch::default() })
    }

    /// The same beside the loud one.
    async fn beside(&mut self, loud: Drive) -> anyhow::Result<Stretch> {
        let (address, lasts) = (self.site.address(), loud.lasts);
        let (loud, quiet, people) = tokio::join!(
            drive(address, &self.loud, loud),
            drive(address, &self.quiet, Drive { lasts, ..QUIET }),
            self.people.work(lasts)
        );
        Ok(Stretch { loud: loud?, quiet: quiet?, people })
    }

    /// One delivery after the other until the middle one of twenty takes no more than `usual`; how long that was.
    async fn as_before(&self, usual: Duration, loud: &mut Seen) -> anyhow::Result<Duration> {
        let (began, mut connection) = (Instant::now(), Connection::open(self.site.address()).await?);
        let mut last = Vec::new();
        while began.elapsed() < AS_BEFORE {
            let (id, delivery) = self.loud.delivery();
            let sent = Instant::now();
            let answered = connection.ask(&delivery).await;
            last.push(sent.elapsed());
            loud.note(id, &answered, sent);
            let newest = &last[last.len().saturating_sub(20)..];
            if newest.len() == 20 && within(newest, 50) <= usual {
                break;
            }
        }
        Ok(began.elapsed())
    }
}

/// Everything that was seen.
#[derive(Debug, Default)]
struct Story {
    alone: Stretch,
    /// At what can just be taken, and at ten times that.
    full: Stretch,
    flood: Stretch,
    /// After each flood: what was sent until all was as before, and how long that took.
    after: Seen,
    as_before: Vec<Duration>,
}

impl Stretch {
    fn join(&mut self, other: Stretch) {
        self.loud.join(other.loud);
        self.quiet.join(other.quiet);
        self.people.join(other.people);
    }

    fn tell(&self, what: &str) {
        let ms = |times: &[Duration]| {
            let of = |percent| within(times, percent).as_micros() / 100;
            let (half, most) = (of(50), of(99));
            format!("p50 {}.{} p99 {}.{} ms", half / 10, half % 10, most / 10, most % 10)
        };
        if !self.loud.kept.is_empty() {
            eprintln!(
                "  {what}: offered {}/s, kept {}/s, {}; {} put off, {}",
                self.loud.offered_per_s(),
                self.loud.kept_per_s(),
                ms(&self.loud.times()),
                self.loud.put_off.len(),
                ms(&self.loud.put_off),
            );
        }
        eprintln!(
            "  {what}: the quiet one {} kept, {} put off, {}; looks {}, votes {}",
            self.quiet.kept.len(),
            self.quiet.put_off.len(),
            ms(&self.quiet.times()),
            ms(&self.people.looks),
            ms(&self.people.votes),
        );
    }
}

impl Story {
    async fn round(&mut self, stand: &mut Stand, full: Duration, flood: Duration) -> anyhow::Result<()> {
        let taken = stand.beside(Drive { connections: CONNECTIONS, lasts: full, per_s: None }).await?;
        let per_s = Some(taken.loud.kept_per_s() * TIMES);
        let flooded = stand.beside(Drive { connections: FLOOD_CONNECTIONS, lasts: flood, per_s }).await?;
        self.full.join(taken);
        self.flood.join(flooded);
        // Somebody else may have taken up the machine since they were alone.
        let before = within(&self.alone.quiet.times(), 50) * 2;
        let usual = before.max(within(&self.flood.loud.times(), 50) / 5);
        self.as_before.push(stand.as_before(usual, &mut self.after).await?);
        Ok(())
    }

    fn all(&self) -> [&Stretch; 3] {
        [&self.alone, &self.full, &self.flood]
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        let seen = self.all().into_iter().flat_map(|stretch| [&stretch.loud, &stretch.quiet]);
        seen.chain([&self.after]).flat_map(|seen| seen.kept.iter().map(|(id, _)| id.clone())).collect()
    }

    fn told(&self) -> BTreeSet<String> {
        self.all().into_iter().flat_map(|stretch| stretch.people.told.iter().cloned()).collect()
    }

    /// Deliveries and questions.
    fn count(&self) -> u64 {
        let of = |stretch: &Stretch| {
            let answered = |seen: &Seen| seen.kept.len() + seen.put_off.len() + seen.wrong.len();
            answered(&stretch.loud) + answered(&stretch.quiet) + stretch.people.count()
        };
        self.all().into_iter().map(of).sum::<usize>() as u64
    }

    fn tell(&self) {
        self.alone.tell("alone");
        self.full.tell("at capacity");
        self.flood.tell("at ten times that");
        let ms: Vec<u128> = self.as_before.iter().map(Duration::as_millis).collect();
        eprintln!("  as before after {ms:?} ms");
    }

    fn breaches(&self) -> Vec<Breach> {
        let mut found: Vec<Breach> = self.after.wrong.iter().cloned().map(breach).collect();
        for stretch in self.all() {
            let wrong = stretch.loud.wrong.iter().chain(&stretch.quiet.wrong).chain(&stretch.people.wrong);
            found.extend(wrong.cloned().map(breach));
            if !stretch.quiet.put_off.is_empty() {
                let (many, of) = (stretch.quiet.put_off.len(), stretch.quiet.kept.len());
                found.push(breach(format!("the quiet account was put off {many} times and kept {of} times")));
            }
        }
        let (full, flood) = (&self.full, &self.flood);
        if flood.loud.put_off.is_empty() {
            found.push(breach("nobody was put off: it was not too much".to_owned()));
        }
        let (could, did) = (full.loud.kept_per_s(), flood.loud.kept_per_s());
        if did * 100 < could * KEPT_PERCENT {
            found.push(breach(format!("{did}/s were kept where {could}/s could be")));
        }
        let (senders, alone) = (within(&flood.loud.times(), 50), &self.alone.people);
        for (what, before, after) in
            [("a look", &alone.looks, &flood.people.looks), ("a vote", &alone.votes, &flood.people.votes)]
        {
            let (before, after) = (within(before, 50), within(after, 50));
            if after > senders * THAN_SENDERS {
                found.push(breach(format!("{what} took {after:?}, alone {before:?}; an event {senders:?}")));
            }
        }
        found.extend(
            self.as_before
                .iter()
                .filter(|after| **after >= AS_BEFORE)
                .map(|_| breach(format!("{AS_BEFORE:?} after the flood it was not as before"))),
        );
        found
    }
}
