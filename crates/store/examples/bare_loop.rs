//! What the ingest benchmark is compared with: the rows that an installation made for its newest events, committed again
//! by one loop in groups of the same size, on the same database with the same settings, without HTTP, signatures, JSON,
//! sealing, workers or anybody who waits. Then some of them one by one, at a steady pace.
//!
//! `bare_loop DATA_DIR|POSTGRES_URL ROWS SINGLES PER_SECOND` prints one line of JSON. The installation must be stopped; it
//! is only read. What is committed on `PostgreSQL` goes into a database of its own on the server for tests.

use std::path::Path;
use std::time::Duration;

use bursar_store::open::database_path;
use bursar_store::scratch::OwnDatabase;
use bursar_store::{Options, PostgresUrl, Store, Value};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tokio::time::{Instant, MissedTickBehavior};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Rows of one statement, largest first: few texts, so that each is prepared once.
const TOGETHER: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [place, rows, singles, per_second] = words.as_slice() else {
        return Err("usage: bare_loop DATA_DIR|POSTGRES_URL ROWS SINGLES PER_SECOND".into());
    };
    let (rows, singles, per_second) =
        (rows.parse::<u32>()?, singles.parse::<usize>()?, per_second.parse::<u32>()?);
    let on_postgres = place.starts_with("postgres");
    let mut theirs = if on_postgres {
        Conn::Postgres(PgConnection::connect(place).await?)
    } else {
        Conn::sqlite(Path::new(place), true).await?
    };
    let (made, group) = read_back(&mut theirs, rows).await?;
    drop(theirs);

    let folder = tempfile::tempdir()?;
    let own = if on_postgres { Some(OwnDatabase::new().await) } else { None };
    // Brings the schema, and on SQLite moves the write-ahead log into the database beside us as it does for the server.
    let postgres = own.as_ref().map(|own| PostgresUrl { url: own.url(), password: None });
    let store =
        Store::open(Options { readers: 1, postgres, ..Options::sqlite(folder.path(), "bare") }).await?;
    let conn = match &own {
        Some(own) => Conn::Postgres(own.connect().await),
        None => Conn::sqlite(folder.path(), false).await?,
    };
    let mut bare = Bare { conn, statements: TOGETHER.map(text) };

    let (slow, fast) = made.split_at(singles.min(made.len() / 10));
    let began = Instant::now();
    let commits = commit_in_groups(&mut bare, fast, group).await?;
    let took = began.elapsed();
    let mut times = commit_at_a_pace(&mut bare, slow, per_second).await?;
    times.sort_unstable();
    drop((bare, store, own));
    report(fast.len(), commits, took, &times)
}

enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Something done with a query on whichever database this is.
macro_rules! with {
    ($conn:expr, $query:expr, $values:expr, $how:ident) => {{
        let mut query = $query;
        for value in $values {
            query = match *value {
                Value::Text(text) => query.bind(text),
                Value::Int(number) => query.bind(number),
                Value::Bool(flag) => query.bind(flag),
                Value::Blob(bytes) => query.bind(bytes),
            };
        }
        query.$how($conn).await?
    }};
}

macro_rules! made_of {
    ($rows:expr) => {{
        let mut made = Vec::new();
        for row in $rows {
            let mut text: [Option<String>; 13] = Default::default();
            for (place, column) in text.iter_mut().zip(TEXTS) {
                *place = row.try_get(column)?;
            }
            let (created_s, received_at) = (row.try_get("created_s")?, row.try_get("received_at")?);
            made.push(Made { text, created_s, received_at, body: row.try_get("body")? });
        }
        made
    }};
}

impl Conn {
    /// The server's own settings; checkpoints are somebody else's.
    async fn sqlite(data_dir: &Path, only_reading: bool) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(database_path(data_dir))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .pragma("wal_autocheckpoint", "0")
            .read_only(only_reading);
        Ok(Self::Sqlite(SqliteConnection::connect_with(&options).await?))
    }

    async fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<()> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Conn::Sqlite(conn) => {
                with!(conn, sqlx::query(sql), values, execute);
            }
            Conn::Postgres(conn) => {
                with!(conn, sqlx::query(sql), values, execute);
            }
        }
        Ok(())
    }

    async fn number(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<i64> {
        Ok(match self {
            Conn::Sqlite(conn) => with!(conn, sqlx::query_scalar(sql), values, fetch_one),
            Conn::Postgres(conn) => with!(conn, sqlx::query_scalar(sql), values, fetch_one),
        })
    }

    async fn events(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Made>> {
        Ok(match self {
            Conn::Sqlite(conn) => made_of!(with!(conn, sqlx::query(sql), values, fetch_all)),
            Conn::Postgres(conn) => made_of!(with!(conn, sqlx::query(sql), values, fetch_all)),
        })
    }
}

/// One event with what was committed for it.
struct Made {
    text: [Option<String>; 13],
    created_s: i64,
    received_at: i64,
    body: Vec<u8>,
}

/// Columns of an event that are text, in the order of the statement.
const TEXTS: [&str; 13] = [
    "lane",
    "id",
    "type",
    "api_version",
    "request_key",
    "object_kind",
    "object_id",
    "sameness",
    "sameness_any_version",
    "source",
    "subject",
    "body_hash",
    "audit_id",
];

/// The newest events, oldest of them first, and how many shared a commit on average.
async fn read_back(conn: &mut Conn, rows: u32) -> Result<(Vec<Made>, f64)> {
    let newest = "SELECT * FROM events ORDER BY received_at DESC, id LIMIT $1";
    let mut made = conn.events(newest, &[i64::from(rows).into()]).await?;
    made.reverse();
    let counted = "SELECT COUNT(DISTINCT audit_id)
                   FROM (SELECT audit_id FROM events ORDER BY received_at DESC, id LIMIT $1) AS newest";
    let groups = u32::try_from(conn.number(counted, &[i64::from(rows).into()]).await?)?;
    let group = f64::from(u32::try_from(made.len())?) / f64::from(groups.max(1));
    Ok((made, group))
}

struct Bare {
    conn: Conn,
    /// By place in `TOGETHER`.
    statements: [[String; 2]; 7],
}

/// The two inserts for so many rows.
fn text(rows: usize) -> [String; 2] {
    let places = |columns: usize| {
        let row = |row: usize| {
            let places: Vec<String> =
                (1..=columns).map(|place| format!("${}", row * columns + place)).collect();
            format!("({})", places.join(", "))
        };
        (0..rows).map(row).collect::<Vec<_>>().join(", ")
    };
    [
        format!("INSERT INTO events ({}, created_s, received_at, body) VALUES {}", TEXTS.join(", "), places(16)),
        format!(
            "INSERT INTO objects (lane, kind, id, version_at, stale, deleted, customer, subject, body) VALUES {}
             ON CONFLICT DO NOTHING",
            places(9)
        ),
    ]
}

impl Bare {
    /// One commit: the events, the objects they are about, an audit entry.
    async fn commit(&mut self, group: &[Made], number: i64) -> Result<()> {
        let begin = if matches!(self.conn, Conn::Sqlite(_)) { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.conn.run(begin, &[]).await?;
        let mut rest = group;
        for (which, rows) in TOGETHER.into_iter().enumerate() {
            while let Some((chunk, after)) = rest.split_at_checked(rows) {
                self.insert(chunk, which).await?;
                rest = after;
            }
        }
        let body = format!("{{\"events\":{},\"commits\":[\"{}\"]}}", group.len(), "0".repeat(250));
        let sql = "INSERT INTO audit (id, writer, writer_seq, at, kind, body, place)
             VALUES ($1, 'bare', $2, $2, 'events.accepted', $3, $2)";
        let id = format!("aud_{number:026}");
        self.conn.run(sql, &[(&id).into(), number.into(), (&body).into()]).await?;
        self.conn.run("COMMIT", &[]).await
    }

    async fn insert(&mut self, chunk: &[Made], which: usize) -> Result<()> {
        let [events, objects] = &self.statements[which];
        let mut values: Vec<Value<'_>> = Vec::with_capacity(chunk.len() * 16);
        for made in chunk {
            values.extend(made.text.iter().map(|text| Value::from(text.as_deref())));
            values.extend([made.created_s.into(), made.received_at.into(), Value::from(&made.body)]);
        }
        self.conn.run(events, &values).await?;
        values.clear();
        for made in chunk {
            let said = |column: &str| {
                let place = TEXTS.iter().position(|text| *text == column);
                place.and_then(|place| made.text[place].as_deref()).unwrap_or_default()
            };
            values.extend(["lane", "object_kind", "object_id"].map(|column| Value::from(said(column))));
            values.extend([(made.created_s * 1_000_000).into(), false.into(), Value::from(false)]);
            values.extend([said("subject").into(), said("subject").into(), Value::from(&made.body)]);
        }
        self.conn.run(objects, &values).await
    }
}

/// All of them, in groups that keep the average; says how many commits that were.
async fn commit_in_groups(bare: &mut Bare, made: &[Made], group: f64) -> Result<i64> {
    let (mut done, mut number, mut due) = (0, 0_i64, 0.0_f64);
    while done < made.len() {
        due += group.max(1.0);
        let end =
            (done + 1..=made.len()).find(|end| f64::from(u32::try_from(*end).unwrap_or(u32::MAX)) >= due);
        let end = end.unwrap_or(made.len());
        number += 1;
        bare.commit(&made[done..end], number).await?;
        done = end;
    }
    Ok(number)
}

/// One by one; each commit's time in microseconds.
async fn commit_at_a_pace(bare: &mut Bare, made: &[Made], per_second: u32) -> Result<Vec<u32>> {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second.max(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = Vec::with_capacity(made.len());
    for (place, made) in made.iter().enumerate() {
        tick.tick().await;
        let began = Instant::now();
        bare.commit(std::slice::from_ref(made), 1_000_000_000 + i64::try_from(place)?).await?;
        times.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(times)
}

#[expect(clippy::print_stdout, reason = "the line is what the caller waits for")]
fn report(rows: usize, commits: i64, took: Duration, times: &[u32]) -> Result<()> {
    let float = |number: usize| u32::try_from(number).map(f64::from);
    let at = |share: usize| {
        let place = (times.len() * share).div_ceil(1000).saturating_sub(1);
        times.get(place).copied().map_or(0.0, |us| f64::from(us) / 1000.0)
    };
    let line = serde_json::json!({
        "group": float(rows)? / f64::from(u32::try_from(commits.max(1))?),
        "rows_per_s": float(rows)? / took.as_secs_f64(),
        "single_p50_ms": at(500),
        "single_p99_ms": at(990),
    });
    println!("{line}");
    Ok(())
}
