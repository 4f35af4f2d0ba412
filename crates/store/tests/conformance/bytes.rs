//! Whoever changes a byte past us is found: in any sealed entry, and in any row an entry commits to. `SQLite` only, which
//! takes any bytes in any column.

use bursar_store::audit::{Finding, Table};
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection, TypeInfo as _, ValueRef as _};

use crate::scene::{Scene, sqlite};
use crate::tampering::{Recorded, first_bad, place, recorded};

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
    let update = format!("UPDATE {table} SET {column} = {to} WHERE rowid = {rowid}");
    sqlx::query(AssertSqlSafe(update)).execute(&mut *raw).await.unwrap();
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
    let mut raw = sqlite(&scene.dir).await;
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
    let mut raw = sqlite(&scene.dir).await;
    let sealed: Vec<(i64, i64)> =
        sqlx::query_as("SELECT rowid, seq FROM audit ORDER BY seq").fetch_all(&mut raw).await.unwrap();
    assert!(sealed.len() >= Table::ALL.len());
    for (rowid, seq) in sealed {
        for (column, kind) in columns(&mut raw, "audit").await {
            // Where it waited says nothing once it is chained.
            if column == "place" {
                continue;
            }
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
    let mut raw = sqlite(&scene.dir).await;
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
