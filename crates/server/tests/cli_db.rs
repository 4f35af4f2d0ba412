//! `bursar db` as people and scripts run it: copies, checks, upgrades, and what is refused.

#[cfg(test)]
mod cli_bench;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::cli_bench::{Bench, Ran};

    fn installation() -> Bench {
        let bench = Bench::new();
        let made = bench.run("init --yes --data-dir data");
        assert_eq!(made.exit, 0, "{}", made.stderr);
        bench
    }

    fn refused(ran: &Ran, exit: i32, code: &str) {
        assert_eq!((ran.exit, ran.stdout.as_str()), (exit, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("error[{code}]")), "{code} in {}", ran.stderr);
        assert!(ran.stderr.contains("help"), "{}", ran.stderr);
    }

    /// Past the program.
    async fn execute(bench: &Bench, statements: &[&'static str]) {
        use sqlx::{ConnectOptions as _, Connection as _};
        let path = bench.path("data/bursar.db");
        let mut file = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        for sql in statements {
            sqlx::query(*sql).execute(&mut file).await.unwrap();
        }
        file.close().await.unwrap();
    }

    #[test]
    fn a_copy_is_made_checked_and_put_back() {
        let bench = installation();
        let made = bench.run("db backup --output copy.db --json");
        assert_eq!(made.exit, 0, "{}", made.stderr);
        let made = made.json();
        assert_eq!((&made["master_key_included"], &made["path"]), (&json!(false), &json!("copy.db")));
        assert!(made["audit_entries"].as_i64().unwrap() > 0, "{made}");
        refused(&bench.run("db backup --output copy.db"), 1, "BUR-SYS-001");
        let told = bench.run("db backup");
        assert!(
            told.stdout.contains("backups/bursar-") && told.stderr.contains("the master key is not in it"),
            "{told:?}"
        );
        let sound = bench.run("db check copy.db");
        assert!(sound.exit == 0 && sound.stdout.starts_with("sound: "), "{sound:?}");
        refused(&bench.run("db restore copy.db"), 1, "BUR-ACT-002");
        let restored = bench.run("db restore copy.db --yes --json");
        assert_eq!(restored.exit, 0, "{}", restored.stderr);
        let kept = restored.json()["kept"].as_str().unwrap().to_owned();
        assert!(std::path::Path::new(&kept).is_file(), "{kept}");
        let doctor = bench.run("doctor --only data --json").json();
        let held = doctor["checks"].as_array().unwrap().iter().any(|check| check["check"] == "data.restored");
        assert!(held, "{doctor}");
        let sound = bench.run("db check --json");
        assert_eq!((sound.exit, &sound.json()["ok"]), (0, &json!(true)), "{sound:?}");
        refused(&bench.run("db reconcile"), 1, "BUR-API-001");
    }

    #[test]
    fn what_is_no_sound_copy_is_refused_and_nothing_is_touched() {
        let bench = installation();
        refused(&bench.run("db restore nothing.db --yes"), 3, "BUR-API-004");
        bench.write("garbage.db", "no database");
        refused(&bench.run("db restore garbage.db --yes"), 1, "BUR-DB-003");
        assert_eq!(bench.run("db backup --output copy.db").exit, 0);
        let path = bench.path("copy.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let mark = b"person.saved";
        let at =
            bytes.windows(mark.len()).position(|window| window == mark).expect("an entry is in the file");
        bytes[at] = b'P';
        std::fs::write(&path, bytes).unwrap();
        refused(&bench.run("db check copy.db"), 1, "BUR-DB-001");
        refused(&bench.run("db restore copy.db --yes"), 1, "BUR-DB-003");
        std::fs::write(bench.path("data/master.key"), "0".repeat(64)).unwrap();
        let unsound = bench.run("db check");
        refused(&unsound, 1, "BUR-DB-001");
        assert!(unsound.stderr.contains("master key"), "{}", unsound.stderr);
    }

    #[test]
    fn migrations_are_shown_and_a_newer_schema_is_refused() {
        let bench = installation();
        let shown = bench.run("db migrate --dry-run --json").json();
        let states: Vec<_> =
            shown["data"].as_array().unwrap().iter().map(|one| one["state"].clone()).collect();
        assert!(states.len() >= 3 && states.iter().all(|state| state == "applied"), "{shown}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let back = [
            "DROP TABLE lost_effects",
            "DROP TABLE restores",
            "DROP INDEX jobs_of_lane",
            "ALTER TABLE migrations DROP COLUMN alone",
            "DELETE FROM migrations WHERE number >= 4",
        ];
        runtime.block_on(execute(&bench, &back));
        let unsound = bench.run("db check");
        assert!(unsound.exit == 1 && unsound.stderr.contains("migration 4"), "{unsound:?}");
        let would = bench.run("db migrate --dry-run");
        assert!(would.stdout.contains("restores") && would.stdout.contains("pending"), "{would:?}");
        assert_eq!(bench.run("db migrate").exit, 0);
        assert_eq!(bench.run("db check").exit, 0);
        let newer = "INSERT INTO migrations (number, text_hash) VALUES (999, '')";
        runtime.block_on(execute(&bench, &[newer]));
        let newer = bench.run("db migrate");
        refused(&newer, 1, "BUR-DB-004");
        assert!(newer.stderr.contains("999"), "{}", newer.stderr);
        for line in ["db check", "serve --listen 127.0.0.1:0 --data-dir data"] {
            let older = bench.run(line);
            refused(&older, 1, "BUR-DB-004");
            assert!(older.stderr.contains("restore the backup"), "{}", older.stderr);
        }
    }

    #[test]
    fn a_first_start_that_was_cut_short_is_told_and_gone_on_with() {
        let bench = Bench::new();
        std::fs::create_dir(bench.path("data")).unwrap();
        bench.write("data/bursar.db", "");
        let unfinished = bench.run("db check --data-dir data");
        refused(&unfinished, 1, "BUR-SYS-004");
        assert!(unfinished.stderr.contains("the first start in"), "{}", unfinished.stderr);
        let migrated = bench.run("db migrate --data-dir data");
        assert!(migrated.exit == 0 && migrated.stderr.contains("migrations run"), "{migrated:?}");
        assert_eq!(bench.run("db check --data-dir data").exit, 0);
        std::fs::remove_file(bench.path("data/master.key")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(execute(&bench, &["DELETE FROM master_keys"]));
        assert_eq!(bench.run("db check --data-dir data").exit, 1, "the tables are there, and no key");
        assert_eq!(bench.run("db migrate --data-dir data").exit, 0);
        assert_eq!(bench.run("db check --data-dir data").exit, 0);
    }

    #[test]
    fn people_are_made_of_what_was_written_down_before_a_kill() {
        let bench = installation();
        let whole = std::fs::read_to_string(bench.path("data/people.json")).unwrap();
        for (name, left) in [("whole", whole.as_str()), ("cut short", &whole[..40])] {
            for file in ["bursar.db", "bursar.db-wal", "bursar.db-shm", "people.json", "anchor.json"] {
                let _ = std::fs::remove_file(bench.path(&format!("data/{file}")));
            }
            bench.write("data/people.json.new", left);
            assert_eq!(bench.run("init --yes --data-dir data").exit, 0, "{name}");
            let now = std::fs::read_to_string(bench.path("data/people.json")).unwrap();
            assert_eq!(now == whole, left == whole, "{name}");
            assert!(!bench.path("data/people.json.new").exists(), "{name}");
        }
        std::fs::remove_file(bench.path("data/bursar.db")).unwrap();
        let others = bench.run("init --yes --data-dir data");
        refused(&others, 1, "BUR-SYS-006");
        assert!(
            others.stderr.contains("people.json is there, and nobody is in this database"),
            "{}",
            others.stderr
        );
    }
}
