//! What the ingest benchmark is compared with: the rows that an installation made for its newest events, committed again
//! by one loop in groups of the same size, on the same settings of `SQLite`, without HTTP, signatures, JSON, sealing,
//! workers or anybody who waits. Then some of them one by one, at a steady pace.
//!
//! `bare_loop DATA_DIR ROWS SINGLES PER_SECOND` prints one line of JSON. The installation must be stopped; it is only read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bursar_store::open::database_path;
use bursar_store::{Options, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};
use tokio::time::{Instant, MissedTickBehavior};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Rows of one statement, largest first: few texts, so that each is prepared once.
const TOGETHER: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [data_dir, rows, singles, per_second] = words.as_slice() else {
        return Err("usage: bare_loop DATA_DIR ROWS SINGLES PER_SECOND".into());
    };
    let (rows, singles, per_second) =
        (rows.parse::<u32>()?, singles.parse::<usize>()?, per_second.parse::<u32>()?);
    let (made, group) = read_back(&PathBuf::from(data_dir), rows).await?;

    let folder = tempfile::tempdir()?;
    // Brings the schema, and moves the write-ahead log into the database beside us as it does for the server.
    let options = Options { readers: 1, ..Options::sqlite(folder.path(), "bare") };
    let store = Store::open(options).await?;
    let mut bare = Bare { conn: connect(folder.path(), false).await?, statements: TOGETHER.map(text) };

    let (slow, fast) = made.split_at(singles.min(made.len() / 10));
    let began = Instant::now();
    let commits = commit_in_groups(&mut bare, fast, group).await?;
    let took = began.elapsed();
    let mut times = commit_at_a_pace(&mut bare, slow, per_second).await?;
    times.sort_unstable();
    drop(store);
    report(fast.len(), commits, took, &times)
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

/// The newest events, and how many shared a commit on average.
async fn read_back(data_dir: &Path, rows: u32) -> Result<(Vec<Made>, f64)> {
    let mut conn = connect(data_dir, true).await?;
    let newest = "SELECT * FROM events ORDER BY rowid DESC LIMIT $1";
    let mut made = Vec::new();
    for row in sqlx::query(newest).bind(rows).fetch_all(&mut conn).await? {
        let mut text: [Option<String>; 13] = Default::default();
        for (place, column) in text.iter_mut().zip(TEXTS) {
            *place = row.try_get(column)?;
        }
        made.push(Made {
            text,
            created_s: row.try_get("created_s")?,
            received_at: row.try_get("received_at")?,
            body: row.try_get("body")?,
        });
    }
    made.reverse();
    let counted =
        "SELECT COUNT(DISTINCT audit_id) FROM (SELECT audit_id FROM events ORDER BY rowid DESC LIMIT $1)";
    let groups: u32 = sqlx::query_scalar(counted).bind(rows).fetch_one(&mut conn).await?;
    conn.close().await?;
    let group = f64::from(u32::try_from(made.len())?) / f64::from(groups.max(1));
    Ok((made, group))
}

/// The server's own settings; checkpoints are somebody else's.
async fn connect(data_dir: &Path, only_reading: bool) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(database_path(data_dir))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .pragma("wal_autocheckpoint", "0")
        .read_only(only_reading);
    Ok(SqliteConnection::connect_with(&options).await?)
}

struct Bare {
    conn: SqliteConnection,
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
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.conn).await?;
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
        sqlx::query(sql)
            .bind(format!("aud_{number:026}"))
            .bind(number)
            .bind(body)
            .execute(&mut self.conn)
            .await?;
        sqlx::query("COMMIT").execute(&mut self.conn).await?;
        Ok(())
    }

    async fn insert(&mut self, chunk: &[Made], which: usize) -> Result<()> {
        let [events, objects] = &self.statements[which];
        let mut insert = sqlx::query(AssertSqlSafe(events.clone()));
        for made in chunk {
            for text in &made.text {
                insert = insert.bind(text.as_deref());
            }
            insert = insert.bind(made.created_s).bind(made.received_at).bind(made.body.as_slice());
        }
        insert.execute(&mut self.conn).await?;
        let mut insert = sqlx::query(AssertSqlSafe(objects.clone()));
        for made in chunk {
            let said = |column: &str| {
                let place = TEXTS.iter().position(|text| *text == column);
                place.and_then(|place| made.text[place].as_deref()).unwrap_or_default()
            };
            insert = insert
                .bind(said("lane"))
                .bind(said("object_kind"))
                .bind(said("object_id"))
                .bind(made.created_s * 1_000_000)
                .bind(false)
                .bind(false)
                .bind(said("subject"))
                .bind(said("subject"))
                .bind(made.body.as_slice());
        }
        insert.execute(&mut self.conn).await?;
        Ok(())
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
