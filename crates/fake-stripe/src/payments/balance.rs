//! Balance transactions: every movement of the account's money, with its fee.

use serde_json::json;

use crate::world::{Kind, Tx};

/// One movement. `amount` and `fee` are minor units of `currency`; the net is their difference.
#[derive(Debug)]
pub struct Movement<'a> {
    pub kind: &'static str,
    pub category: &'static str,
    pub source: &'a str,
    pub amount: i64,
    pub fee: i64,
    pub currency: &'a str,
    pub description: Option<&'a str>,
    pub available_on: i64,
}

/// How long a charge's money stays pending, in seconds.
pub const PENDING_S: i64 = 2 * 86_400;

/// Records a movement and gives its id.
pub fn record(tx: &mut Tx<'_>, movement: &Movement<'_>) -> String {
    let id = tx.id(Kind::BalanceTransaction);
    let fee_details = if movement.fee == 0 {
        json!([])
    } else {
        json!([{"amount": movement.fee, "application": null, "currency": movement.currency,
            "description": "Stripe processing fees", "type": "stripe_fee"}])
    };
    let pending = movement.available_on > tx.now;
    let document = json!({
        "id": id, "object": "balance_transaction", "amount": movement.amount,
        "available_on": movement.available_on, "balance_type": "payments", "created": tx.now,
        "currency": movement.currency, "description": movement.description, "exchange_rate": null,
        "fee": movement.fee, "fee_details": fee_details, "net": movement.amount - movement.fee,
        "reporting_category": movement.category, "source": movement.source,
        "status": if pending { "pending" } else { "available" }, "type": movement.kind,
    });
    tx.put(Kind::BalanceTransaction, document);
    if pending {
        tx.plan(movement.available_on, "balance.available", &id, None);
    }
    id
}

/// Pending money has become available.
pub fn become_available(tx: &mut Tx<'_>, id: &str) {
    tx.change(Kind::BalanceTransaction, id, |movement| movement["status"] = "available".into());
}

/// What a card charge costs: 2.9 % and a fixed part.
pub fn card_fee(amount: i64, currency: &str) -> i64 {
    let fixed = match currency {
        "jpy" | "krw" | "vnd" | "clp" => 0,
        "eur" => 25,
        "gbp" => 20,
        _ => 30,
    };
    amount.saturating_mul(29) / 1000 + fixed
}
