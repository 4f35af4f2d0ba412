//! `/v1/balance`, `/v1/balance_transactions`: what the account holds and how it came about.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::doc::Doc as _;
use crate::error::ApiResult;
use crate::wire::{Args, Route, list};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::get("/v1/balance", "balance", balance),
    Route::list("/v1/balance_transactions", "balance", &["currency", "payout", "source", "type"], all),
    Route::get("/v1/balance_transactions/{id}", "balance", retrieve),
];

#[expect(clippy::unnecessary_wraps, reason = "every route answers in this shape")]
fn balance(tx: &mut Tx<'_>, _: &Args) -> ApiResult {
    let mut sums: BTreeMap<(&str, bool), i64> = BTreeMap::new();
    for movement in tx.all(Kind::BalanceTransaction) {
        let available = movement.text("status") == "available";
        *sums.entry((movement.text("currency"), available)).or_default() += movement.int("net");
    }
    let currencies: BTreeSet<&str> = sums.keys().map(|(currency, _)| *currency).collect();
    let funds = |wanted: bool| -> Vec<Value> {
        let mut funds = Vec::new();
        for currency in &currencies {
            let amount = sums.get(&(*currency, wanted)).copied().unwrap_or_default();
            funds.push(json!({"amount": amount, "currency": currency, "source_types": {"card": amount}}));
        }
        funds
    };
    Ok(
        json!({"object": "balance", "available": funds(true), "pending": funds(false), "livemode": tx.livemode(),
        "refund_and_dispute_prefunding": {"available": [], "pending": []}}),
    )
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let keep = |movement: &Value| {
        params.text("currency").is_none_or(|wanted| movement.text("currency") == wanted)
            && params.text("type").is_none_or(|wanted| movement.text("type") == wanted)
            && params.text("payout").is_none_or(|_| false)
    };
    list::page(tx, Kind::BalanceTransaction, "/v1/balance_transactions", params, params.text("source"), keep)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::BalanceTransaction, args.id())
}
