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
    if get(tx).await?.is_some() {
        return Ok(());
    }
    let sql =
        "INSERT INTO installation (id, schema_version, created_at, single_operator) VALUES ($1, 1, $2, $3)";
    tx.execute(sql, params![&new.id, new.created_at, new.single_operator]).await.map(|_| ())
}

pub async fn set_single_operator(tx: &mut Tx, single_operator: bool) -> Result<()> {
    tx.execute("UPDATE installation SET single_operator = $1", params![single_operator]).await.map(|_| ())
}
