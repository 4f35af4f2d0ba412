//! `/v1/payouts`: money on its way to the bank. Only asked-for payouts; there is no automatic schedule.

use serde_json::{Value, json};

use crate::api::payment_intents::currency;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::amount::{self, Use};
use crate::payments::balance::{self, Movement};
use crate::wire::{Args, Route, list};
use crate::world::{Kind, Tx, ids};

pub const ROUTES: &[Route] = &[
    Route::list("/v1/payouts", "payouts", &["arrival_date", "destination", "status"], all),
    Route::post(
        "/v1/payouts",
        "payouts",
        &["amount", "currency"],
        &["description", "destination", "metadata", "method", "source_type", "statement_descriptor"],
        create,
    ),
    Route::get("/v1/payouts/{id}", "payouts", retrieve),
];

/// How long a payout is on its way, in seconds.
const ON_ITS_WAY_S: i64 = 2 * 86_400;

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let amount = params.int_from("amount", 1)?.ok_or_else(|| ApiError::missing("amount"))?;
    let currency = currency(params)?;
    amount::legal(amount, &currency, Use::Payout, "amount")?;
    let movements = tx.all(Kind::BalanceTransaction);
    let available: i64 = movements
        .filter(|movement| movement.text("currency") == currency && movement.text("status") == "available")
        .map(|movement| movement.int("net"))
        .sum();
    if amount > available {
        let message = "You have insufficient funds in your Stripe account for this transfer.";
        return Err(ApiError::refused_by_state(message).code("balance_insufficient").param("amount"));
    }
    let id = tx.id(Kind::Payout);
    let arrival = tx.now + ON_ITS_WAY_S;
    let movement = Movement {
        kind: "payout",
        category: "payout",
        source: &id,
        amount: -amount,
        fee: 0,
        currency: &currency,
        description: Some("STRIPE PAYOUT"),
        available_on: tx.now,
    };
    let movement = balance::record(tx, &movement);
    let mut payout = json!({
        "id": id, "object": "payout", "amount": amount, "application_fee": null, "application_fee_amount": null,
        "arrival_date": arrival, "automatic": false, "balance_transaction": movement, "created": tx.now,
        "currency": currency, "description": "STRIPE PAYOUT", "destination": format!("ba_{}", ids::letters(3, 3, 24)),
        "failure_balance_transaction": null, "failure_code": null, "failure_message": null,
        "livemode": tx.livemode(), "metadata": {}, "method": "standard", "original_payout": null,
        "payout_method": null, "reconciliation_status": "not_applicable", "reversed_by": null,
        "source_type": "card", "statement_descriptor": null, "status": "pending", "trace_id": null,
        "type": "bank_account",
    });
    params.copy(&mut payout, &["description", "statement_descriptor"]);
    params.merge_metadata(&mut payout)?;
    tx.put(Kind::Payout, payout.clone());
    tx.emit("payout.created", &payout);
    tx.effect("payout.create", &payout);
    tx.plan(arrival, "payout.arrive", &id, None);
    Ok(payout)
}

/// The money has reached the bank.
pub fn arrive(tx: &mut Tx<'_>, id: &str) {
    tx.change_and_tell(Kind::Payout, id, "payout.paid", |payout| payout["status"] = "paid".into());
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Payout, args.id())
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let arrival = params.range("arrival_date")?;
    let keep = |payout: &Value| {
        arrival.holds(payout.int("arrival_date"))
            && ["destination", "status"]
                .iter()
                .all(|field| params.text(field).is_none_or(|wanted| payout.text(field) == wanted))
    };
    list::page(tx, Kind::Payout, "/v1/payouts", params, None, keep)
}
