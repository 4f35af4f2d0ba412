//! What a claim costs beside a long line, on each database that can be had: the median of many claims, each of a handful
//! of jobs that are finished at once. Claims of two stores take turns, one with ten thousand jobs due and one with ten
//! million rows more: jobs that stand in line too, jobs that were done and are gone, jobs that gave up and stay. It must not
//! cost more than a fifth more. The change itself is timed, and apart with its commit, which costs much more and would
//! hide it; and apart those claims that look at the whole line, which are one tenth of the time.
//!
//! `cargo xtask bench backlog [--quick] [--json]` builds and starts it. `PostgreSQL` is measured where
//! `BURSAR_TEST_POSTGRES` names a server for tests.

use std::time::Duration;

use bursar_store::jobs::{self, Claim, Head};
use bursar_store::open::database_path;
use bursar_store::scratch::OwnDatabase;
use bursar_store::{Database, Options, PostgresUrl, Store};
use futures_util::FutureExt as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Jobs in line where the line is short.
const SHORT: u64 = 10_000;
const MORE: u64 = 10_000_000;
const MORE_QUICK: u64 = 200_000;
const WARM_UP: usize = 50;
const ROUNDS: usize = 800;
const CLAIMED: i64 = 8;
const LEASE_US: i64 = 240_000_000;
/// From one job's due time to the next one's, microseconds: as if a thousand came in a second.
const APART_US: i64 = 1_000;
/// Later than any job here is due.
const NOW: i64 = 20_000_000_000;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    let more = if has("--quick") { MORE_QUICK } else { MORE };
    let mut figures = measure(Database::Sqlite, more).await?;
    if std::env::var_os("BURSAR_TEST_POSTGRES").is_some() {
        figures.extend(measure(Database::Postgres, more).await?);
    } else {
        eprintln!("PostgreSQL is not measured: BURSAR_TEST_POSTGRES names no server to measure on.");
    }
    print(&figures, has("--json"))
}

/// Milliseconds of one claim beside a short line and beside a long one.
struct Figure {
    name: String,
    database: Database,
    short: f64,
    long: f64,
}

/// What the ten million are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Queued,
    Finished,
    GaveUp,
}

async fn measure(database: Database, more: u64) -> Result<Vec<Figure>> {
    let short = Line::new(database).await?;
    let mut long = Line::new(database).await?;
    let mut figures = Vec::new();
    for rows in [Rows::Queued, Rows::Finished, Rows::GaveUp] {
        long.hold(rows, more).await?;
        short.refill(0).await?;
        let (short, long) = take_turns(&short.open().await?, &long.open().await?).await?;
        let rows = match rows {
            Rows::Queued => "queued",
            Rows::Finished => "finished",
            Rows::GaveUp => "given up",
        };
        for (what, place) in [("claim", 0), ("claim with its commit", 1), ("look at the whole line", 2)] {
            let name = format!("{what} beside {more} {rows}, beside {SHORT}");
            figures.push(Figure { name, database, short: short[place], long: long[place] });
        }
    }
    Ok(figures)
}

/// Medians of both: the claim, the claim with its commit, and the claim that looks at the whole line.
async fn take_turns(short: &Store, long: &Store) -> Result<([f64; 3], [f64; 3])> {
    let mut times = [const { Vec::new() }; 6];
    let mut heads = [Head::default(), Head::default()];
    for round in 0..WARM_UP + ROUNDS {
        for (place, store) in [short, long].into_iter().enumerate() {
            // Every other one of each.
            let since = heads[place].since().filter(|_| round % 2 == 1);
            let (alone, whole) = claim_and_finish(store, since, &mut heads[place]).await?;
            if round < WARM_UP {
                continue;
            }
            if since.is_some() {
                times[place * 3].push(alone);
                times[place * 3 + 1].push(whole);
            } else {
                times[place * 3 + 2].push(alone);
            }
        }
    }
    let [short, short_whole, short_all, long, long_whole, long_all] = times.map(median_ms);
    Ok(([short, short_whole, short_all], [long, long_whole, long_all]))
}

async fn claim_and_finish(
    store: &Store,
    since: Option<i64>,
    head: &mut Head,
) -> Result<(Duration, Duration)> {
    let claim = Claim { business_now: 0, machine_now: NOW, since, lease_us: LEASE_US, limit: CLAIMED };
    let began = Instant::now();
    let (claimed, alone) = store
        .write::<_, bursar_store::Error, _>(move |tx| {
            async move {
                let began = Instant::now();
                let claimed = jobs::claim(tx, claim).await?;
                Ok((claimed, began.elapsed()))
            }
            .boxed()
        })
        .await?;
    let whole = began.elapsed();
    assert_eq!(claimed.len(), usize::try_from(CLAIMED)?, "the line is long enough");
    // As if it had taken a minute: so the next look is from here.
    head.looked(since, NOW, Duration::from_mins(1), &claimed);
    store
        .write::<_, bursar_store::Error, _>(move |tx| {
            async move { jobs::finish_many(tx, &claimed.iter().collect::<Vec<_>>()).await }.boxed()
        })
        .await?;
    Ok((alone, whole))
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e3
}

/// A store of its own, and a way past it: rows by the million are made by the database itself.
struct Line {
    folder: TempDir,
    own: Option<OwnDatabase>,
}

impl Line {
    async fn new(database: Database) -> Result<Self> {
        let own = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(OwnDatabase::new().await),
        };
        let line = Self { folder: tempfile::tempdir()?, own };
        line.open().await?;
        Ok(line)
    }

    async fn open(&self) -> Result<Store> {
        let postgres = self.own.as_ref().map(|own| PostgresUrl { url: own.url(), password: None });
        let options =
            || Options { postgres: postgres.clone(), ..Options::sqlite(self.folder.path(), "bench") };
        loop {
            match Store::open(options()).await {
                // The one before is still closing.
                Err(bursar_store::Error::InUse(_)) => tokio::task::yield_now().await,
                opened => return Ok(opened?),
            }
        }
    }

    /// So many rows of a kind, and behind them a short line.
    async fn hold(&mut self, rows: Rows, more: u64) -> Result<()> {
        match rows {
            Rows::Queued => self.fill("queued", 0, more).await?,
            // Those that stood in line until now.
            Rows::Finished => self.raw().await?.run("DELETE FROM jobs").await?,
            Rows::GaveUp => {
                *self = Self::new(self.database()).await?;
                self.fill("dead", 0, more).await?;
            }
        }
        self.refill(more).await
    }

    /// A short line of jobs that are due one after the other, from that moment on.
    async fn refill(&self, first: u64) -> Result<()> {
        let mut raw = self.raw().await?;
        if first == 0 {
            raw.run("DELETE FROM jobs").await?;
        }
        raw.run(&self.filling("queued", first, SHORT)).await?;
        if self.own.is_some() {
            // As the server itself does within a minute. Ten million that end between two of its rounds are nobody's.
            raw.run("VACUUM (ANALYZE) jobs").await?;
        }
        Ok(())
    }

    fn database(&self) -> Database {
        if self.own.is_some() { Database::Postgres } else { Database::Sqlite }
    }

    /// By one statement, and indexed afterwards: the same rows, in a tenth of the time.
    async fn fill(&self, state: &str, first: u64, count: u64) -> Result<()> {
        let mut raw = self.raw().await?;
        let indexes = raw.indexes().await?;
        for (name, _) in &indexes {
            raw.run(&format!("DROP INDEX {name}")).await?;
        }
        raw.run(&self.filling(state, first, count)).await?;
        for (_, sql) in &indexes {
            raw.run(sql).await?;
        }
        raw.close().await
    }

    fn filling(&self, state: &str, first: u64, count: u64) -> String {
        let (series, random) = match self.own {
            Some(_) => (
                "SELECT generate_series(CAST({first} AS BIGINT), {last}) AS number",
                "md5(number::text || 'bench')",
            ),
            None => (
                "SELECT {first} AS number UNION ALL SELECT number + 1 FROM numbers WHERE number < {last}",
                "hex(randomblob(16))",
            ),
        };
        let series = series.replace("{first}", &first.to_string());
        let series = series.replace("{last}", &(first + count - 1).to_string());
        format!(
            "WITH RECURSIVE numbers(number) AS ({series})
             INSERT INTO jobs (id, lane, kind, key, payload, state, clock, due_at, created_at, attempts, fence, lease_until)
             SELECT 'job_' || substr(upper({random}), 1, 26), 'acct_1/test', 'decide',
                    'case:acct_1/test:recovery:invoice:in_' || number, '{{}}', '{state}', 'machine', number * {APART_US}, number, 0, 0, 0
             FROM numbers"
        )
    }

    async fn raw(&self) -> Result<Raw> {
        if let Some(own) = &self.own {
            let mut conn = own.connect().await;
            conn.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'").await?;
            return Ok(Raw::Postgres(conn));
        }
        let options = SqliteConnectOptions::new().filename(database_path(self.folder.path()));
        let options = options.busy_timeout(Duration::from_secs(20)).pragma("cache_size", "-1000000");
        let mut conn = options.disable_statement_logging().connect().await?;
        // No log of ten million rows; the store makes its own journal again when it is opened. Whoever closed it a moment
        // ago may still be there.
        let plain = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF";
        let mut again = tokio::time::interval(Duration::from_millis(100));
        let end = Instant::now() + Duration::from_secs(20);
        while let Err(error) = conn.execute(plain).await {
            if Instant::now() >= end {
                return Err(error.into());
            }
            again.tick().await;
        }
        Ok(Raw::Sqlite(conn))
    }
}

enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Raw {
    async fn run(&mut self, sql: &str) -> Result<()> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Raw::Sqlite(conn) => conn.execute(sql).await.map(|_| ())?,
            Raw::Postgres(conn) => conn.execute(sql).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Name and text of every index but the primary key's.
    async fn indexes(&mut self) -> Result<Vec<(String, String)>> {
        Ok(match self {
            Raw::Sqlite(conn) => {
                let sql = "SELECT name, sql FROM sqlite_master
                           WHERE type = 'index' AND tbl_name = 'jobs' AND sql IS NOT NULL";
                sqlx::query_as(sql).fetch_all(conn).await?
            }
            Raw::Postgres(conn) => {
                let sql = "SELECT CAST(indexname AS TEXT), indexdef FROM pg_indexes
                           WHERE tablename = 'jobs' AND indexname <> 'jobs_pkey'";
                sqlx::query_as(sql).fetch_all(conn).await?
            }
        })
    }

    async fn close(self) -> Result<()> {
        use sqlx::Connection as _;
        match self {
            Raw::Sqlite(conn) => conn.close().await?,
            Raw::Postgres(conn) => conn.close().await?,
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the command is for")]
fn print(figures: &[Figure], as_json: bool) -> Result<()> {
    let database = |database| if database == Database::Sqlite { "sqlite" } else { "postgres" };
    let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
    if as_json {
        let row = |figure: &Figure| {
            serde_json::json!({"name": figure.name, "database": database(figure.database),
                "value": rounded(figure.long), "unit": "ms", "beside": rounded(figure.short),
                "ratio": rounded(figure.long / figure.short)})
        };
        let rows: Vec<serde_json::Value> = figures.iter().map(row).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    println!("{:<62} {:<8} {:>8} {:<4} {:>8} {:>7}", "", "", "value", "", "beside", "ratio");
    for Figure { name, database: on, short, long } in figures {
        let ratio = long / short;
        println!("{name:<62} {:<8} {long:>8.3} {:<4} {short:>8.3} {ratio:>7.2}", database(*on), "ms");
    }
    Ok(())
}
