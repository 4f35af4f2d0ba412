//! The processes that share an installation, and what only one of them does at a time. Everything here is measured by the
//! database's clock: two machines need not agree on the time.

use crate::dialect::{ROWS_MAX, values};
use crate::{Db, Result, Tx, Value, params};

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Node {
    pub id: String,
    pub version: String,
    pub started_at: i64,
    pub seen_at: i64,
}

/// This node is there.
pub async fn beat(tx: &mut Tx, version: &str) -> Result<()> {
    let (now, node) = (tx.now().await?, tx.node());
    let sql = "INSERT INTO nodes (id, version, started_at, seen_at) VALUES ($1, $2, $3, $3)
               ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    tx.execute(sql, params![&*node, version, now]).await.map(|_| ())
}

/// Takes up what a node left behind that has been silent for so long: its jobs go back into the queue, its leases are
/// free. A node that was only slow finds its fence tokens outdated. Answers how many nodes that were.
pub async fn bury_silent(tx: &mut Tx, silence_us: i64) -> Result<usize> {
    let since = tx.now().await? - silence_us;
    let for_claim = tx.for_claim();
    let sql = format!("SELECT due.id FROM nodes AS due WHERE due.seen_at < $1 ORDER BY due.id {for_claim}");
    let silent: Vec<String> =
        tx.built(sql, params![since]).await?.iter().map(|row| row.text("id")).collect::<Result<_>>()?;
    for node in &silent {
        give_back(tx, node).await?;
    }
    Ok(silent.len())
}

/// Takes up what a node left behind that is known to be gone.
pub async fn bury(tx: &mut Tx, node: &str) -> Result<()> {
    give_back(tx, node).await
}

/// This node goes: others need not wait for its leases.
pub async fn leave(tx: &mut Tx) -> Result<()> {
    let node = tx.node();
    give_back(tx, &node).await
}

async fn give_back(tx: &mut Tx, node: &str) -> Result<()> {
    tx.execute("UPDATE jobs SET state = 'queued' WHERE state = 'leased' AND holder = $1", params![node])
        .await?;
    tx.execute("DELETE FROM leases WHERE holder = $1", params![node]).await?;
    tx.execute("DELETE FROM nodes WHERE id = $1", params![node]).await.map(|_| ())
}

/// Those that were heard of, by their names.
pub async fn all(db: &mut Db) -> Result<Vec<Node>> {
    let rows = db.all("SELECT id, version, started_at, seen_at FROM nodes ORDER BY id", &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Node {
                id: row.text("id")?,
                version: row.text("version")?,
                started_at: row.int("started_at")?,
                seen_at: row.int("seen_at")?,
            })
        })
        .collect()
}

/// Takes or keeps, for so long, what nobody else holds; answers the names that are this node's now.
pub async fn hold(tx: &mut Tx, names: &[String], for_us: i64) -> Result<Vec<String>> {
    let (now, node) = (tx.now().await?, tx.node());
    let mut held = Vec::with_capacity(names.len());
    for chunk in names.chunks(ROWS_MAX) {
        let mut row: Vec<Value<'_>> = Vec::with_capacity(chunk.len() * 3);
        for name in chunk {
            row.extend([Value::from(name), (&*node).into(), (now + for_us).into()]);
        }
        let sql = format!(
            "INSERT INTO leases (name, holder, held_until)
             SELECT column1, column2, column3 FROM (VALUES {}) AS new WHERE column1 IS NOT NULL
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
             WHERE leases.holder = excluded.holder OR leases.held_until < excluded.held_until - {for_us}
             RETURNING name",
            values(chunk.len(), 3)
        );
        for row in tx.built(sql, &row).await? {
            held.push(row.text("name")?);
        }
    }
    Ok(held)
}
