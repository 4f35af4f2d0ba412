//! One changed byte of the audit, or of a row it commits to, is found and named: table and key.

use std::path::{Path, PathBuf};

use bursar_store::open::database_path;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use crate::stage::{Demo, until};

/// Flips one bit of one value by the database's own means, as somebody with the file could, and gives the row's key.
/// `pick` chooses the row.
fn flip(data_dir: &Path, table: &str, key: &str, column: &str, pick: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut db = SqliteConnectOptions::new().filename(database_path(data_dir)).connect().await.unwrap();
        let select =
            format!("SELECT {key} AS k, CAST({column} AS BLOB) AS v FROM {table} WHERE {pick} LIMIT 1");
        let row = sqlx::query(AssertSqlSafe(select)).fetch_one(&mut db).await.unwrap();
        let (name, mut value): (String, Vec<u8>) = (row.get("k"), row.get("v"));
        let middle = value.len() / 2;
        value[middle] ^= 1;
        let update = format!("UPDATE {table} SET {column} = $1 WHERE {key} = $2");
        let query = sqlx::query(AssertSqlSafe(update));
        // A text column keeps being text, so that the bit is all that changes.
        let query = match String::from_utf8(value.clone()) {
            Ok(text) if !column.ends_with("body") || table == "audit" => query.bind(text),
            _ => query.bind(value),
        };
        assert_eq!(query.bind(&name).execute(&mut db).await.unwrap().rows_affected(), 1);
        db.close().await.unwrap();
        name
    })
}

/// A demo with a bit of everything behind it, sealed and stopped.
fn stopped_after_a_day() -> Demo {
    let mut demo = Demo::start();
    let asked = demo.ask(&demo.charge(50_001..=i64::MAX));
    assert_eq!(demo.vote("controller", &asked, "approve").status, 200);
    demo.approval_once(&asked, "executed");
    let event = demo.trigger("invoice.payment_failed", &json!({}))["event"].clone();
    assert_eq!(demo.try_post_event(&event).unwrap(), 200);
    demo.quiet();
    until("everything to be sealed", || {
        (demo.bursar("audit verify --json").json(0)["unsealed"] == 0).then_some(())
    });
    assert!(demo.program.terminate().success());
    demo
}

#[test]
fn one_changed_byte_is_found_and_named() {
    let demo = stopped_after_a_day();
    let data_dir = demo.data_dir();
    let sound = demo.bursar("audit verify --json").json(0);
    assert_eq!(sound["ok"], true);
    let before = Snapshot::of(&data_dir);
    // Table, key, column, which row; and what the report must name: a table, and the key where it is the row's own.
    let changes = [
        ("audit", "id", "body", "seq = 3", "audit", true),
        ("audit", "id", "hash", "seq = 2", "audit", true),
        ("votes", "id", "person", "1", "votes", true),
        ("votes", "id", "choice", "1", "votes", true),
        ("proposals", "id", "content_hash", "1", "proposals", true),
        ("proposals", "id", "digest", "1", "proposals", true),
        ("proposals", "id", "content", "1", "proposals", true),
        ("approvals", "id", "requirements", "1", "approvals", true),
        ("events", "id", "body", "1", "events", false),
        ("events", "id", "body_hash", "1", "events", false),
        ("executions", "id", "request", "1", "executions", true),
        ("executions", "id", "idempotency_key", "1", "executions", true),
        ("executions", "id", "receipt", "receipt IS NOT NULL", "executions.end", true),
        ("decisions", "id", "class", "1", "decisions", true),
    ];
    for (table, key, column, pick, named, by_key) in changes {
        let row = flip(&data_dir, table, key, column, pick);
        let report = demo.bursar("audit verify --json").json(1);
        let bad = &report["first_bad"];
        assert_eq!(
            (&report["ok"], &bad["table"]),
            (&json!(false), &json!(named)),
            "{table}.{column}: {report}"
        );
        if by_key {
            assert_eq!(bad["key"], row, "{table}.{column}: {report}");
        } else {
            assert!(bad["key"].is_string(), "{table}.{column}: {report}");
        }
        let told = demo.bursar("audit verify");
        assert_eq!((told.exit, told.stdout.as_str()), (1, ""), "{table}.{column}");
        assert!(told.stderr.contains(bad["key"].as_str().unwrap()), "{}", told.stderr);
        before.restore();
        assert_eq!(demo.bursar("audit verify --json").json(0), sound, "{table}.{column} put back");
    }
}

/// A row that is gone, and an entry that is gone, are found like changed ones.
#[test]
fn what_was_removed_is_missed() {
    let demo = stopped_after_a_day();
    let data_dir = demo.data_dir();
    let before = Snapshot::of(&data_dir);
    for (table, pick, named) in [
        ("votes", "1", "votes"),
        ("events", "1", "events"),
        ("executions", "1", "executions"),
        ("audit", "seq = 2", "audit"),
    ] {
        remove(&data_dir, table, pick);
        let report = demo.bursar("audit verify --json").json(1);
        assert_eq!(
            (&report["ok"], &report["first_bad"]["table"]),
            (&json!(false), &json!(named)),
            "{report}"
        );
        before.restore();
    }
    assert_eq!(demo.bursar("audit verify --json").json(0)["first_bad"], Value::Null);
}

fn remove(data_dir: &Path, table: &str, pick: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut db = SqliteConnectOptions::new().filename(database_path(data_dir)).connect().await.unwrap();
        let sql =
            format!("DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {pick} LIMIT 1)");
        assert_eq!(sqlx::query(AssertSqlSafe(sql)).execute(&mut db).await.unwrap().rows_affected(), 1);
        db.close().await.unwrap();
    });
}

/// The files of a database that nobody has open.
struct Snapshot(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Snapshot {
    fn of(data_dir: &Path) -> Self {
        let path = database_path(data_dir);
        let paths = [path.clone(), path.with_extension("db-wal"), path.with_extension("db-shm")];
        Self(
            paths
                .into_iter()
                .map(|path| {
                    let bytes = std::fs::read(&path).ok();
                    (path, bytes)
                })
                .collect(),
        )
    }

    fn restore(&self) {
        for (path, bytes) in &self.0 {
            match bytes {
                Some(bytes) => std::fs::write(path, bytes).unwrap(),
                None => drop(std::fs::remove_file(path)),
            }
        }
    }
}
