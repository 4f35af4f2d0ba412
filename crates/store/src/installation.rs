//! The one row that says which installation this is: idempotency keys are derived from its id.

use crate::{Db, Result, Tx, params};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub id: String,
    pub created_at: i64,
    /// One person proposes and decides: allowed with a second sign-in, audited, shown on every card.
    pub single_operator: bool,
}

pub async fn get(db: &mut Db) -> Result<Option<Installation>> {
    let Some(row) = db.first("SELECT id, created_at, single_operator FROM installation", &[]).await? else {
        return Ok(None);
    };
    Ok(Some(Installation {
        id: row.text("id")?,
        created_at: row.int("created_at")?,
        single_operator: row.flag("single_operator")?,
    }))
}

/// Creates the row, or leaves the one that is there.
pub async fn create(tx: &mut Tx, new: &Installation) -> Result<()> {
    let sql = "INSERT INTO installation (place, id, schema_version, created_at, single_operator)
               VALUES (1, $1, 1, $2, $3) ON CONFLICT (place) DO NOTHING";
    tx.execute(sql, params![&new.id, new.created_at, new.single_operator]).await.map(|_| ())
}

/// The latest instants that were recorded, zero where there is none: machine time of the audit's newest entries, and
/// business time of the last intent, which nothing moves while executions stand still.
pub async fn latest(db: &mut Db) -> Result<(i64, i64)> {
    let sql = "SELECT MAX(at) FROM (SELECT at FROM audit WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1000) AS newest";
    let machine = db.number(sql, &[]).await?;
    Ok((machine, db.number("SELECT MAX(intended_at) FROM executions", &[]).await?))
}

pub async fn set_single_operator(tx: &mut Tx, single_operator: bool) -> Result<()> {
    tx.execute("UPDATE installation SET single_operator = $1", params![single_operator]).await.map(|_| ())
}
