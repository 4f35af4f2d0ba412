//! What was reserved and spent a day, by counter. A reservation happens in the transaction of the intent, so that two
//! actions can never both take the last of it.

use crate::{Db, Result, Tx, params};

#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    pub lane: &'a str,
    /// `lane:money_out`, `lane:money_out_by_currency`.
    pub name: &'a str,
    /// The day of business time in the installation's zone, `2026-11-21`.
    pub day: &'a str,
    pub currency: &'a str,
}

pub async fn used(db: &mut Db, counter: Counter<'_>) -> Result<i64> {
    let sql = "SELECT used FROM budgets WHERE lane = $1 AND counter = $2 AND day = $3 AND currency = $4";
    db.number(sql, params![counter.lane, counter.name, counter.day, counter.currency]).await
}

/// For who is about to decide on a counter: until this transaction ends nobody else takes anything of it.
pub async fn hold(tx: &mut Tx, counter: Counter<'_>) -> Result<()> {
    add(tx, counter, 0).await.map(|_| ())
}

/// Adds to a counter (negative gives back) and answers the new total.
pub async fn add(tx: &mut Tx, counter: Counter<'_>, amount: i64) -> Result<i64> {
    let sql = "INSERT INTO budgets (lane, counter, day, currency, used) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (lane, counter, day, currency) DO UPDATE SET used = budgets.used + excluded.used";
    tx.execute(sql, params![counter.lane, counter.name, counter.day, counter.currency, amount]).await?;
    used(tx, counter).await
}
