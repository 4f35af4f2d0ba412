//! The audit is checked and exported from the data directory alone, and one changed byte is found and named.

#[cfg(test)]
mod cli_bench;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bursar_domain::id::AuditId;
    use bursar_store::audit::{Record, append, seal};
    use bursar_store::open::{Options, database_path};
    use bursar_store::{Error, Store};
    use serde_json::{Value, json};
    use sqlx::ConnectOptions as _;
    use sqlx::Connection as _;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::cli_bench::Bench;

    const MARK: &[u8] = b"a-word-of-the-second-entry";

    /// An installation with three sealed entries and one that waits.
    fn installation() -> Bench {
        let bench = Bench::new();
        let data_dir = bench.path("data");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store =
                Store::open(Options { readers: 1, ..Options::sqlite(data_dir, "node-1") }).await.unwrap();
            for number in 1..=4_u8 {
                let said =
                    String::from_utf8(if number == 2 { MARK.to_vec() } else { vec![b'x'; 8] }).unwrap();
                let record = Record {
                    id: AuditId::from_entropy([number; 16]),
                    at: i64::from(number),
                    kind: "mode.set",
                    lane: None,
                    actor: None,
                    data: json!({ "said": said }),
                    commits: Vec::new(),
                };
                store
                    .write::<_, Error, _>(move |tx| {
                        Box::pin(async move {
                            append(tx, record).await?;
                            if number == 3 {
                                seal(tx, 10).await?;
                            }
                            Ok(())
                        })
                    })
                    .await
                    .unwrap();
            }
        });
        drop(runtime);
        closed(&database_path(&bench.path("data")));
        bench
    }

    /// Returns once nobody has it open and all of it lies in the database itself. Connections that close at the same moment
    /// each take another for the last: a later one moves what they left in the log.
    fn closed(database: &Path) {
        let log = database.with_extension("db-wal");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let moved = (0..10_000).any(|_| {
            runtime.block_on(async {
                let options = SqliteConnectOptions::new().filename(database);
                let mut last = options.connect().await.unwrap();
                // Refused while somebody still has it open.
                let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut last).await;
                let _ = last.close().await;
            });
            !log.exists()
        });
        assert!(moved, "the store never closed");
    }

    #[test]
    fn a_sound_audit_verifies_and_is_exported_whole() {
        let bench = installation();
        let ran = bench.run("audit verify --json --data-dir data");
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        let report = ran.json();
        assert_eq!(
            (&report["ok"], &report["entries"], &report["unsealed"]),
            (&json!(true), &json!(3), &json!(1))
        );
        assert_eq!(report["first_bad"], Value::Null);
        assert!(bench.run("audit verify --data-dir data").stdout.starts_with("sound: 3 entries"));

        let lines = bench.run("audit export --data-dir data").stdout;
        let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let numbers: Vec<i64> = entries.iter().filter_map(|entry| entry["seq"].as_i64()).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(bench.run("audit export --data-dir data --after 2 --output out.ndjson").exit, 0);
        assert_eq!(bench.read("out.ndjson").lines().count(), 1);
        assert_eq!(
            bench.run("audit export --data-dir data --output out.ndjson").exit,
            1,
            "evidence is not overwritten"
        );
    }

    #[test]
    fn one_changed_byte_is_found_and_named() {
        let bench = installation();
        let path = database_path(&bench.path("data"));
        let mut bytes = std::fs::read(&path).unwrap();
        let at =
            bytes.windows(MARK.len()).position(|window| window == MARK).expect("the entry is in the file");
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();

        let ran = bench.run("audit verify --json --data-dir data");
        assert_eq!(ran.exit, 1);
        let report = ran.json();
        assert_eq!((&report["ok"], &report["first_bad"]["seq"]), (&json!(false), &json!(2)));
        let told = bench.run("audit verify --data-dir data");
        assert_eq!((told.exit, told.stdout.as_str()), (1, ""));
        assert!(
            told.stderr.contains("error[BUR-AUD-001]") && told.stderr.contains("number 2"),
            "{}",
            told.stderr
        );
    }
}
