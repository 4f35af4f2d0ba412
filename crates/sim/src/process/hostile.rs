//! Senders that take their time, send too much, or send what nobody should. They cost little, each is told what is wrong or
//! let go, and whoever means it is served beside them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bursar_store::Database;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::by_hand::{self, get, post};
use super::kills::complain;
use super::people::People;
use super::pressure::{Drive, Lane, Seen, deliver, drive, within};
use super::site::{SECRET, Site, Wish};
use super::{block_on, databases, name};
use crate::checker::Breach;
use crate::goals::{Effort, Run};
use crate::report::Row;

const HONEST: Drive = Drive { connections: 4, lasts: Duration::from_millis(1_500), per_s: Some(40) };
/// How much longer the honest may wait than by themselves.
const LONGER: u32 = 3;
/// What one slow sender may cost.
const KIB_EACH_MAX: u64 = 32;
/// What an endless body may cost.
const BODY_KIB_MAX: u64 = 8 * 1024;
/// Nobody is waited for beyond it. A head has five seconds and a body ten; a busy machine may be late.
const GONE_BY: Duration = Duration::from_secs(20);
/// What lies in sockets between us, besides the mebibyte that is read.
const CUT_BY: usize = 24 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(run: &Run) -> anyhow::Result<Vec<Row>> {
    databases(run).into_iter().map(|database| block_on(on(run, database))).collect()
}

/// What was tried, and what came of it.
#[derive(Debug, Default)]
struct Tried {
    count: u64,
    found: Vec<Breach>,
    acknowledged: BTreeSet<String>,
}

impl Tried {
    fn note(&mut self, outcome: anyhow::Result<()>) {
        self.count += 1;
        if let Err(error) = outcome {
            self.found.push(Breach { invariant: "G13", what: format!("{error:#}") });
        }
    }

    fn honest(&mut self, seen: &Seen) {
        self.acknowledged.extend(seen.kept.iter().map(|(id, _)| id.clone()));
        self.count += (seen.kept.len() + seen.put_off.len() + seen.wrong.len()) as u64;
        let put_off = seen.put_off.iter().map(|_| "an honest sender was put off".to_owned());
        let wrong = seen.wrong.iter().cloned().chain(put_off);
        self.found.extend(wrong.map(|what| Breach { invariant: "G13", what }));
    }
}

async fn on(run: &Run, database: Database) -> anyhow::Result<Row> {
    let site = Site::start(&Wish::new(run, database, 3_500)).await?;
    let people = site.people().await?;
    let lane = Lane::new(&site.stripe, SECRET, &Arc::default())?;
    let slow = run.times.unwrap_or(if run.effort == Effort::Quick { 500 } else { 2_000 });
    let mut tried = Tried::default();
    slow_heads(&site, &lane, slow, &mut tried).await?;
    for case in cases(&lane, &people) {
        tried.note(told(site.address(), case).await);
    }
    let (unread, endless) = (pipelined(&site).await, endless_body(&site).await);
    tried.note(unread);
    tried.note(endless);
    // Both wait for their time-outs: at the same time.
    let (trickled, stalled) = tokio::join!(trickle(site.address()), stall(site.address()));
    tried.note(trickled);
    tried.note(stalled);
    let afterwards = drive(site.address(), &lane, HONEST).await?;
    tried.honest(&afterwards);
    tried.found.extend(site.judged(&tried.acknowledged, &BTreeSet::new(), PATIENCE).await?.0);
    let row = Row::new("G13", name(database), tried.count, tried.found.len() as u64);
    if tried.found.is_empty() {
        site.close().await?;
    } else {
        complain(&tried.found, site);
    }
    Ok(row)
}

/// Half a head each, all at once; events go through beside them, and in the end none of them is left.
async fn slow_heads(site: &Site, lane: &Lane, count: u64, tried: &mut Tried) -> anyhow::Result<()> {
    let alone = drive(site.address(), lane, HONEST).await?;
    let (mut slow, mut before) = (Vec::new(), 0);
    for number in 0..count {
        // From the middle on: what the first ones bring about is made once.
        if number == count / 2 {
            before = site.memory_kib("VmRSS")?;
        }
        let mut stream = TcpStream::connect(site.address()).await.context("too few files may be open")?;
        let padding = "x: y\r\n".repeat(50);
        let half = format!("POST /ingest/stripe HTTP/1.1\r\nhost: 127.0.0.1\r\n{padding}");
        // Where there are too many of them the first are let go while the last still come.
        let _ = stream.write_all(half.as_bytes()).await;
        slow.push(stream);
    }
    let began = Instant::now();
    let each = site.memory_kib("VmRSS")?.saturating_sub(before) / (count - count / 2).max(1);
    let beside = drive(site.address(), lane, HONEST).await?;
    for stream in &mut slow {
        tried.note(let_go(stream, began).await.context("a slow head"));
    }
    tried.honest(&alone);
    tried.honest(&beside);
    let (before, after) = (within(&alone.times(), 50), within(&beside.times(), 50));
    eprintln!(
        "  {count} slow heads: {each} KiB each, all let go after {:.1} s; honest p50 {before:?} alone, {after:?} beside them",
        began.elapsed().as_secs_f64()
    );
    tried.note(ensure(each <= KIB_EACH_MAX, || format!("a slow head costs {each} KiB")));
    tried.note(ensure(after <= before * LONGER, || {
        format!("beside slow heads an event took {after:?} in place of {before:?}")
    }));
    Ok(())
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> anyhow::Result<()> {
    if holds { Ok(()) } else { Err(anyhow::anyhow!(what())) }
}

/// Until the other side has closed; an answer before that is none of our business.
async fn let_go(stream: &mut TcpStream, since: Instant) -> anyhow::Result<()> {
    let rest = GONE_BY.saturating_sub(since.elapsed());
    let closing = async {
        let mut piece = [0; 512];
        while matches!(stream.read(&mut piece).await, Ok(1..)) {}
    };
    timeout(rest, closing).await.with_context(|| format!("still there after {GONE_BY:?}"))
}

/// What is said, and what must be told.
struct Case {
    what: &'static str,
    request: Vec<u8>,
    expected: u16,
}

/// What is answered at once, and how.
fn cases(lane: &Lane, people: &People) -> Vec<Case> {
    let case = |what, request, expected| Case { what, request, expected };
    let chunks = |rest: &[u8]| deliver("transfer-encoding: chunked\r\n", rest);
    let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
    let api = |headers: &str, body: &[u8]| {
        let headers = format!(
            "authorization: Bearer {}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n",
            people.tokens.0,
            body.len()
        );
        post(&people.address, "/api/v1/refund_requests", &headers, body)
    };
    vec![
        case("a gigabyte announced", deliver("content-length: 1073741824\r\n", b""), 413),
        case("a mebibyte and one", chunks(&[b"100001\r\n".as_slice(), &vec![b'x'; 0x10_0001]].concat()), 413),
        case("compressed", deliver("content-encoding: gzip\r\ncontent-length: 2\r\n", b"{}"), 415),
        case("100,000 headers", deliver(&"x: y\r\n".repeat(100_000), b""), 431),
        case("101 headers", deliver(&"x: y\r\n".repeat(101), b""), 431),
        case("a head of 64 KB", deliver(&format!("x: {}\r\n", "y".repeat(65_536)), b""), 431),
        case("not signed", deliver("content-length: 2\r\n", b"{}"), 400),
        case("10,000 signatures", deliver(&signatures(), b"{}"), 400),
        case(
            "two lengths",
            deliver("content-length: 2\r\ntransfer-encoding: chunked\r\n", b"0\r\n\r\n"),
            400,
        ),
        case("signed, and 10,000 deep", lane.signed(&deep), 200),
        case("signed, and no JSON", lane.signed(b"\xff\xfe{"), 200),
        case("10,000 deep at the API", api("", &deep), 422),
        case("70 KB at the API", api("", &[b' '; 70_000]), 413),
        case(
            "another host",
            post("evil.example", "/api/v1/refund_requests", "content-length: 0\r\n", b""),
            421,
        ),
        case("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400),
    ]
}

/// As many as fit into a head.
fn signatures() -> String {
    format!("stripe-signature: t=1{}\r\ncontent-length: 2\r\n", ",v1=0".repeat(2_500))
}

async fn told(address: &str, Case { what, request, expected }: Case) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    // A server that has heard enough may close before everything is said.
    let _ = stream.write_all(&request).await;
    let mut heard = [0; 12];
    let read = timeout(GONE_BY, stream.read_exact(&mut heard)).await;
    let told = String::from_utf8_lossy(&heard);
    ensure(matches!(read, Ok(Ok(_))) && told.ends_with(&expected.to_string()), || {
        format!("{what}: {told:?} in place of {expected}")
    })?;
    let ready = by_hand::ask(address, &get(address, "/readyz", "")).await?;
    ensure(ready.status == 200, || format!("after {what} it is not ready: {}", ready.status))
}

/// Chunks without end: cut off, and next to nothing of them is held.
async fn endless_body(site: &Site) -> anyhow::Result<()> {
    let before = site.memory_kib("VmRSS")?;
    let mut stream = TcpStream::connect(site.address()).await?;
    stream.write_all(&deliver("transfer-encoding: chunked\r\n", b"")).await?;
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    while sent <= CUT_BY && stream.write_all(&chunk).await.is_ok() {
        sent += chunk.len();
    }
    ensure(sent <= CUT_BY, || format!("an endless body was read for {sent} bytes"))?;
    let grown = site.memory_kib("VmRSS")?.saturating_sub(before);
    eprintln!("  an endless body: cut off after {} KiB sent, memory + {grown} KiB", sent / 1024);
    ensure(grown <= BODY_KIB_MAX, || format!("an endless body cost {grown} KiB"))
}

/// A byte now and then keeps no connection.
async fn trickle(address: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&deliver("content-length: 100000\r\n", b"")).await?;
    let (mut reading, mut writing) = stream.split();
    let pushing = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let _ = writing.write_all(b"x").await;
        }
    };
    tokio::select! {
        told = late(&mut reading) => told.context("a trickle"),
        () = pushing => Ok(()),
    }
}

/// Ten bytes announced, five sent.
async fn stall(address: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&deliver("content-length: 10\r\n", b"12345")).await?;
    late(&mut stream).await.context("a body that stalls")
}

/// Told that it was too slow.
async fn late(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> anyhow::Result<()> {
    let (began, mut heard) = (Instant::now(), [0; 12]);
    timeout(GONE_BY, stream.read_exact(&mut heard)).await.context("was waited for")??;
    let told = String::from_utf8_lossy(&heard);
    ensure(told.ends_with("408"), || format!("was answered {told:?}"))?;
    eprintln!("  let go for being slow after {} ms", began.elapsed().as_millis());
    Ok(())
}

/// A thousand requests before the first answer is read; somebody else asks beside them.
async fn pipelined(site: &Site) -> anyhow::Result<()> {
    const COUNT: usize = 1_000;
    let mut stream = TcpStream::connect(site.address()).await?;
    let (mut reading, mut writing) = stream.split();
    let flood = get(site.address(), "/healthz", "").repeat(COUNT);
    let ready = get(site.address(), "/readyz", "");
    let counting = async {
        const START: &[u8] = b"HTTP/1.1 200";
        let (mut count, mut heard, mut piece) = (0, Vec::new(), [0; 8192]);
        loop {
            let length = reading.read(&mut piece).await?;
            heard.extend_from_slice(&piece[..length]);
            count += heard.windows(START.len()).filter(|window| *window == START).count();
            if count >= COUNT || length == 0 {
                return anyhow::Ok(count);
            }
            // One may have begun.
            heard.drain(..heard.len().saturating_sub(START.len() - 1));
        }
    };
    let began = Instant::now();
    let (sent, probed, count) =
        tokio::join!(writing.write_all(&flood), by_hand::ask(site.address(), &ready), counting);
    sent?;
    ensure(probed?.status == 200, || "nobody is served beside a pipelined flood".to_owned())?;
    let count = count?;
    eprintln!("  {count} pipelined requests answered in {} ms", began.elapsed().as_millis());
    ensure(count == COUNT, || format!("{count} of {COUNT} pipelined requests were answered"))
}
