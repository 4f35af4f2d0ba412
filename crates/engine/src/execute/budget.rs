//! What an execution takes from a day's budget stands in its row: exactly that is given back, and once.

use bursar_domain::id::ExecutionId;
use bursar_store::executions::{self, Reserved};
use bursar_store::{Result, Tx, budgets};

use crate::govern::MONEY_OUT;

fn counter<'a>(lane: &'a str, reserved: &'a Reserved) -> budgets::Counter<'a> {
    budgets::Counter { lane, name: MONEY_OUT, day: &reserved.day, currency: reserved.money.currency.as_str() }
}

pub(super) async fn take(tx: &mut Tx, lane: &str, id: &ExecutionId, reserved: &Reserved) -> Result<()> {
    executions::reserve(tx, id, reserved).await?;
    budgets::add(tx, counter(lane, reserved), reserved.money.amount).await.map(|_| ())
}

pub(crate) async fn give_back(tx: &mut Tx, lane: &str, id: &ExecutionId) -> Result<()> {
    let Some(reserved) = executions::release(tx, id).await? else { return Ok(()) };
    budgets::add(tx, counter(lane, &reserved), -reserved.money.amount).await.map(|_| ())
}
