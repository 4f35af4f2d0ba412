//! What a claim costs beside a long line, on each database that can be had: the median of many claims, each of a handful
//! of jobs that are finished at once, with ten thousand jobs due and with many more. It must not grow by more than a fifth.
//!
//! `cargo xtask bench backlog [--quick] [--json]` builds and starts it. PostgreSQL is measured where
//! `BURSAR_TEST_POSTGRES` names a server for tests.

use std::time::Duration;

use bursar_domain::id::JobId;
use bursar_store::jobs::{self, Claim, Clock, Job, NewJob};
use bursar_store::scratch::Scratch;
use bursar_store::{Database, Store};
use futures_util::FutureExt as _;
use tokio::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const SHORT: u64 = 10_000;
const LONG: u64 = 10_000_000;
const LONG_QUICK: u64 = 200_000;
/// Jobs of one change while the line is filled.
const TOGETHER: u64 = 4_096;
const ROUNDS: usize = 400;
const CLAIMED: i64 = 8;
const LEASE_US: i64 = 240_000_000;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    let long = if has("--quick") { LONG_QUICK } else { LONG };
    let mut figures = vec![measure(Database::Sqlite, long).await?];
    #[expect(clippy::disallowed_methods, reason = "the server for tests is named by the environment")]
    if std::env::var("BURSAR_TEST_POSTGRES").is_ok() {
        figures.push(measure(Database::Postgres, long).await?);
    }
    print(&figures, has("--json"))
}

/// Milliseconds a claim, beside a short line and beside a long one.
struct Figure {
    database: Database,
    short: f64,
    long: f64,
    rows: u64,
}

async fn measure(database: Database, long: u64) -> Result<Figure> {
    let place = Scratch::new(database).await;
    let store = Store::open(place.options("bench")).await?;
    fill(&store, 0, SHORT).await?;
    let short_ms = median(&store, SHORT).await?;
    fill(&store, SHORT * 2, long).await?;
    let long_ms = median(&store, SHORT * 2 + long).await?;
    Ok(Figure { database, short: short_ms, long: long_ms, rows: long })
}

/// Jobs due one after the other, each with a key of its own.
async fn fill(store: &Store, first: u64, count: u64) -> Result<()> {
    let mut next = first;
    while next < first + count {
        let end = (next + TOGETHER).min(first + count);
        let new: Vec<NewJob> = (next..end).map(job).collect();
        store
            .write::<_, bursar_store::Error, _>(move |tx| {
                async move { jobs::add_many(tx, new.iter()).await }.boxed()
            })
            .await?;
        next = end;
    }
    Ok(())
}

fn job(number: u64) -> NewJob {
    let moment = i64::try_from(number).unwrap_or(i64::MAX);
    NewJob {
        id: JobId::from_entropy(
            u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes(),
        ),
        lane: "acct_1/test".to_owned(),
        kind: "decide",
        key: format!("case:acct_1/test:recovery:invoice:in_{number}"),
        payload: serde_json::json!({"key": number}),
        clock: Clock::Machine,
        due_at: moment,
        created_at: moment,
    }
}

async fn median(store: &Store, now: u64) -> Result<f64> {
    let claim =
        Claim { business_now: 0, machine_now: i64::try_from(now)?, lease_us: LEASE_US, limit: CLAIMED };
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let claimed: Vec<Job> =
            store.write::<_, bursar_store::Error, _>(move |tx| jobs::claim(tx, claim).boxed()).await?;
        times.push(began.elapsed());
        assert_eq!(claimed.len(), usize::try_from(CLAIMED)?, "the line is long enough");
        store
            .write::<_, bursar_store::Error, _>(move |tx| {
                async move { jobs::finish_many(tx, &claimed.iter().collect::<Vec<_>>()).await }.boxed()
            })
            .await?;
    }
    times.sort_unstable();
    Ok(times.get(ROUNDS / 2).map_or(0.0, Duration::as_secs_f64) * 1e3)
}

#[expect(clippy::print_stdout, reason = "the figures are what the command is for")]
fn print(figures: &[Figure], as_json: bool) -> Result<()> {
    let name = |database| if database == Database::Sqlite { "sqlite" } else { "postgres" };
    let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
    let rows: Vec<serde_json::Value> = figures
        .iter()
        .map(|figure| {
            serde_json::json!({"name": format!("claim beside {} jobs, beside {SHORT}", figure.rows),
                "database": name(figure.database), "value": rounded(figure.long), "unit": "ms",
                "beside": rounded(figure.short), "ratio": rounded(figure.long / figure.short)})
        })
        .collect();
    if as_json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    for row in rows {
        println!(
            "{:<10} {}: {} ms, {} ms, ratio {}",
            row["database"], row["name"], row["value"], row["beside"], row["ratio"]
        );
    }
    Ok(())
}
