//! Whoever changes a byte past us is found: in any sealed entry, and in any row an entry commits to.

use bursar_domain::approval::ApprovalState;
use bursar_domain::execution::ExecutionState;
use bursar_domain::id::{AuditId, QuarantineId};
use bursar_domain::proposal::ProposalState;
use bursar_store::audit::{self, Finding, Record, Table};
use bursar_store::executions::Progress;
use bursar_store::quarantine::NewQuarantined;
use bursar_store::{Store, approvals, decisions, events, executions, policies, proposals, quarantine};
use serde_json::json;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection, TypeInfo as _, ValueRef as _};

use crate::rows::{NOW, approval, decision, event, intent, proposal, vote};
use crate::scene::{AT, CUSTOMER, LANE, Scene, alter, entropy, write};

/// A row that something was committed about.
struct Recorded {
    table: Table,
    key: String,
}

/// One row of every table that the audit commits to, sealed.
async fn recorded() -> (Scene, Vec<Recorded>) {
    let scene = Scene::new().await;
    let (store, keyring) = (&scene.store, scene.keyring());
    let group = AuditId::from_entropy(entropy(200));
    let batch = [event("evt_1"), events::NewEvent { api_version: None, request_key: None, ..event("evt_2") }];
    let entry = group.clone();
    write!(store, |tx| events::accept(tx, &keyring, &batch, entry, AT).await).unwrap();
    let keyring = scene.keyring();
    let apart = NewQuarantined {
        id: QuarantineId::from_entropy(entropy(1)),
        entry: AuditId::from_entropy(entropy(201)),
        lane: None,
        connection: Some("main".to_owned()),
        reason: "not_json",
        source: "webhook",
        received_at: AT,
        sameness: "hash".to_owned(),
        body: b"<html>".to_vec(),
    };
    let apart_id = apart.id.to_string();
    write!(store, |tx| quarantine::keep(tx, &keyring, apart).await).unwrap();
    let inputs = write_rows(&scene).await;
    let rows = [
        (Table::EventGroup, group.to_string()),
        (Table::Quarantine, apart_id),
        (Table::Decisions, decision(1, "").id.to_string()),
        (Table::Inputs, format!("{LANE} {inputs}")),
        (Table::Proposals, proposal(1).id.to_string()),
        (Table::ProposalEnds, proposal(1).id.to_string()),
        (Table::Approvals, approval(1).id.to_string()),
        (Table::Votes, vote(1, 1).id.to_string()),
        (Table::Executions, intent(1).id.to_string()),
        (Table::ExecutionEnds, intent(1).id.to_string()),
        (Table::PolicySets, "hash".to_owned()),
    ];
    assert!(
        Table::ALL.iter().all(|table| rows.iter().any(|(known, _)| known == table)),
        "every table has a row here"
    );
    for (number, (table, key)) in (0..).zip(&rows) {
        commit_to(store, number, *table, key).await;
    }
    write!(store, |tx| audit::seal(tx, 100).await).unwrap();
    let rows = rows.map(|(table, key)| Recorded { table, key });
    (scene, rows.into())
}

/// Everything but what records itself; answers the hash of the inputs.
async fn write_rows(scene: &Scene) -> String {
    let keyring = scene.keyring();
    write!(scene.store, |tx| {
        let inputs = decisions::keep_inputs(tx, &keyring, LANE, CUSTOMER, b"{}", AT).await?;
        decisions::add(tx, &decision(1, &inputs)).await?;
        proposals::add(tx, &keyring, &proposal(1), AT).await?;
        approvals::add(tx, &approval(1)).await?;
        approvals::add_vote(tx, &keyring, &vote(1, 1), AT).await?;
        approvals::close(tx, &approval(1).id, ApprovalState::Met, NOW, "approved").await?;
        executions::add(tx, &keyring, &intent(1), AT).await?;
        let progress = Progress {
            state: ExecutionState::Refused,
            code: Some("card_declined"),
            waiting_for: None,
            absent_since: None,
            receipt: None,
        };
        executions::record(tx, &intent(1).id, &progress, NOW).await?;
        let (asking, refused) = (ProposalState::Asking, ProposalState::Refused);
        proposals::advance(tx, &proposal(1).id, asking, refused, NOW, Some("declined")).await?;
        proposals::say_why(tx, &keyring, &proposal(1), "the card was declined", AT).await?;
        policies::keep_set(tx, "hash", &json!([["refunds.cedar", "permit (…);"]]), AT).await?;
        Ok(inputs)
    })
    .unwrap()
}

async fn commit_to(store: &Store, number: u8, table: Table, key: &str) {
    let key = key.to_owned();
    write!(store, |tx| {
        // Events and quarantine record themselves.
        let own = matches!(table, Table::EventGroup | Table::Quarantine);
        let commits = if own { Vec::new() } else { vec![audit::commitment(tx, table, &key).await?] };
        let record = Record {
            id: AuditId::from_entropy(entropy(number)),
            at: AT,
            kind: "row.recorded",
            lane: Some(LANE.to_owned()),
            actor: None,
            data: json!({"table": table.as_str()}),
            commits,
        };
        audit::append(tx, record).await
    })
    .unwrap();
}

/// Where the rows of a commitment lie, and which columns may change after it: they are settled elsewhere or not at all.
fn place(table: Table) -> (&'static str, &'static str, &'static [&'static str]) {
    match table {
        Table::EventGroup => ("events", "audit_id", &["resolved"]),
        Table::Quarantine => ("quarantine", "id", &["state", "settled_at", "settled_by", "settled_why"]),
        Table::Decisions => ("decisions", "id", &[]),
        Table::Inputs => ("inputs", "lane || ' ' || hash", &[]),
        Table::Proposals => ("proposals", "id", &["state", "settled_at", "settled_why", "settled_words"]),
        Table::ProposalEnds => ("proposals", "id", &[]),
        Table::Approvals => ("approvals", "id", &["state", "closed_at", "closed_why"]),
        Table::Votes => ("votes", "id", &[]),
        Table::Executions => (
            "executions",
            "id",
            &[
                "first_sent_at",
                "sends",
                "maybe_sent",
                "reserved_day",
                "reserved",
                "reserved_currency",
                "state",
                "waiting_for",
                "waiting_until",
                "absent_since",
                "outcome_at",
                "outcome_code",
                "receipt",
            ],
        ),
        Table::ExecutionEnds => (
            "executions",
            "id",
            &[
                "first_sent_at",
                "sends",
                "maybe_sent",
                "reserved_day",
                "reserved",
                "reserved_currency",
                "waiting_for",
                "waiting_until",
                "absent_since",
            ],
        ),
        Table::PolicySets => ("policy_sets", "hash", &[]),
    }
}

/// Another value of the same type that differs in one bit, as an SQL expression.
fn bent(column: &str, kind: &str) -> Vec<String> {
    match kind {
        "BIGINT" => vec![format!("COALESCE({column}, 0) + 1")],
        "BLOB" => vec![
            format!("CAST(X'02' || SUBSTR({column}, 2) AS BLOB)"),
            format!("SUBSTR({column}, 1, LENGTH({column}) - 1)"),
        ],
        _ => vec![
            // The lowest bit of its first character; and its highest, which leaves no text at all.
            format!(
                "COALESCE(CHAR(UNICODE({column}) - 1 + 2 * (UNICODE({column}) % 2 = 0)) || SUBSTR({column}, 2), '')"
            ),
            format!("COALESCE(CAST(X'FF' || SUBSTR(CAST({column} AS BLOB), 2) AS TEXT), 'x')"),
        ],
    }
}

async fn columns(raw: &mut SqliteConnection, table: &str) -> Vec<(String, String)> {
    let sql = format!("SELECT name, type FROM pragma_table_info('{table}')");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(raw).await.unwrap();
    rows.iter().map(|row| (row.get("name"), row.get("type"))).collect()
}

async fn first_bad(store: &Store) -> Option<Finding> {
    let report = audit::verify(&mut store.read().await.unwrap()).await.unwrap();
    assert_eq!(report.ok, report.first_bad.is_none());
    report.first_bad
}

/// Bends one column of one row, asks, and puts it back.
async fn bend(
    scene: &Scene,
    raw: &mut SqliteConnection,
    table: &str,
    column: &str,
    rowid: i64,
    to: &str,
) -> Option<Finding> {
    let held = format!("SELECT {column} AS held FROM {table} WHERE rowid = {rowid}");
    let row = sqlx::query(AssertSqlSafe(held)).fetch_one(&mut *raw).await.unwrap();
    let value = row.try_get_raw("held").unwrap();
    let kind = if value.is_null() { "NULL".to_owned() } else { value.type_info().name().to_owned() };
    alter(raw, &format!("UPDATE {table} SET {column} = {to} WHERE rowid = {rowid}")).await;
    let found = first_bad(&scene.store).await;
    let put_back = AssertSqlSafe(format!("UPDATE {table} SET {column} = $1 WHERE rowid = {rowid}"));
    let query = sqlx::query(put_back);
    let query = match kind.as_str() {
        "NULL" => query.bind(None::<String>),
        "INTEGER" => query.bind(row.get::<i64, _>("held")),
        "BLOB" => query.bind(row.get::<Vec<u8>, _>("held")),
        _ => query.bind(row.get::<String, _>("held")),
    };
    query.execute(raw).await.unwrap();
    assert_eq!(first_bad(&scene.store).await, None, "{table}.{column} is as it was");
    found
}

#[tokio::test]
async fn a_changed_byte_in_any_column_of_any_recorded_row_is_named() {
    let (scene, rows) = recorded().await;
    assert_eq!(first_bad(&scene.store).await, None);
    let mut raw = scene.raw().await;
    let mut tried = 0;
    for Recorded { table, key } in &rows {
        let (name, by, may_change) = place(*table);
        let rowid: i64 =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT rowid FROM {name} WHERE {by} = '{key}'")))
                .fetch_one(&mut raw)
                .await
                .unwrap();
        for (column, kind) in columns(&mut raw, name).await {
            if may_change.contains(&column.as_str()) {
                continue;
            }
            for to in bent(&column, &kind) {
                let bad = bend(&scene, &mut raw, name, &column, rowid, &to).await;
                let bad = bad.unwrap_or_else(|| panic!("{name}.{column} = {to} was not found"));
                let ours = rows.iter().any(|row| {
                    bad.table.as_deref() == Some(row.table.as_str())
                        && bad.key.as_ref() == Some(&row.key)
                        && place(row.table).0 == name
                });
                assert!(ours && bad.what == "row", "{name}.{column} = {to}: {bad:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "only {tried}");
    assert_eq!(first_bad(&scene.store).await, None, "and as it was it verifies again");
}

#[tokio::test]
async fn a_changed_byte_in_any_column_of_any_sealed_entry_is_named() {
    let (scene, _) = recorded().await;
    let mut raw = scene.raw().await;
    let sealed: Vec<(i64, i64)> =
        sqlx::query_as("SELECT rowid, seq FROM audit ORDER BY seq").fetch_all(&mut raw).await.unwrap();
    assert!(sealed.len() >= Table::ALL.len());
    for (rowid, seq) in sealed {
        for (column, kind) in columns(&mut raw, "audit").await {
            // A number that is taken would be refused by the database already.
            let ways = if column == "seq" { vec!["seq + 1000".to_owned()] } else { bent(&column, &kind) };
            for to in ways {
                let to = if column == "writer_seq" { "writer_seq + 1000" } else { &to };
                let bad = bend(&scene, &mut raw, "audit", &column, rowid, to).await;
                let bad = bad.unwrap_or_else(|| panic!("entry {seq}: {column} = {to} was not found"));
                let named = bad.seq == Some(seq)
                    || (column == "seq" && bad.detail.contains(&format!("entry {seq} ")));
                assert!(named, "entry {seq}: {column} = {to}: {bad:?}");
            }
        }
    }
    assert_eq!(first_bad(&scene.store).await, None);
}

#[tokio::test]
async fn every_single_byte_of_an_entry_counts() {
    let (scene, _) = recorded().await;
    let mut raw = scene.raw().await;
    let (rowid, length): (i64, i64) = sqlx::query_as("SELECT rowid, LENGTH(body) FROM audit WHERE seq = 5")
        .fetch_one(&mut raw)
        .await
        .unwrap();
    for place in 1..=length {
        let to = format!(
            "SUBSTR(body, 1, {place} - 1) || CASE SUBSTR(body, {place}, 1) WHEN '0' THEN '1' ELSE '0' END || SUBSTR(body, {place} + 1)"
        );
        let bad = bend(&scene, &mut raw, "audit", "body", rowid, &to).await;
        assert_eq!(bad.and_then(|bad| bad.seq), Some(5), "byte {place}");
    }
}

#[tokio::test]
async fn rows_and_entries_that_are_removed_doubled_or_swapped_are_named() {
    let (scene, rows) = recorded().await;
    let mut raw = scene.raw().await;
    for Recorded { table, key } in &rows {
        let (name, by, _) = place(*table);
        // Taken out and put back whole.
        alter(&mut raw, &format!("CREATE TABLE aside AS SELECT * FROM {name} WHERE {by} = '{key}'")).await;
        alter(&mut raw, &format!("DELETE FROM {name} WHERE {by} = '{key}'")).await;
        let bad = first_bad(&scene.store).await.unwrap_or_else(|| panic!("{name} without {key}"));
        assert!(bad.detail.contains("gone"), "{bad:?}");
        alter(&mut raw, &format!("INSERT INTO {name} SELECT * FROM aside")).await;
        alter(&mut raw, "DROP TABLE aside").await;
        assert_eq!(first_bad(&scene.store).await, None, "{name} put back");
    }
    let twice = "INSERT INTO events SELECT lane, 'evt_9', type, created_s, api_version, request_key, object_kind, object_id,
        snapshot_event, sameness, sameness_any_version, source, received_at, subject, body, body_hash, audit_id, resolved
        FROM events WHERE id = 'evt_1'";
    alter(&mut raw, twice).await;
    assert_eq!(
        first_bad(&scene.store).await.unwrap().table.as_deref(),
        Some("events"),
        "one more in a group"
    );
    alter(&mut raw, "DELETE FROM events WHERE id = 'evt_9'").await;
    for (what, changes, back) in [
        (
            "two entries swapped",
            "UPDATE audit SET seq = CASE seq WHEN 3 THEN -4 WHEN 4 THEN -3 ELSE seq END; UPDATE audit SET seq = -seq WHERE seq < 0",
            "UPDATE audit SET seq = CASE seq WHEN 3 THEN -4 WHEN 4 THEN -3 ELSE seq END; UPDATE audit SET seq = -seq WHERE seq < 0",
        ),
        (
            "one unsealed again",
            "UPDATE audit SET seq = NULL WHERE seq = 3",
            "UPDATE audit SET seq = 3 WHERE seq IS NULL",
        ),
    ] {
        for sql in changes.split("; ") {
            alter(&mut raw, sql).await;
        }
        assert_eq!(
            first_bad(&scene.store).await.and_then(|bad| bad.seq.map(|seq| seq <= 4)),
            Some(true),
            "{what}"
        );
        for sql in back.split("; ") {
            alter(&mut raw, sql).await;
        }
    }
    alter(&mut raw, "DELETE FROM audit WHERE seq = 2").await;
    assert!(first_bad(&scene.store).await.unwrap().detail.contains("entry 2 "));
}
