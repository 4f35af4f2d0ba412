//! `/v1/charges`: read, annotate, capture. New ones come from payment intents and invoices.

use serde_json::Value;

use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::amount::{self, Use};
use crate::payments::{charge, intent};
use crate::wire::{Args, Params, Route, list};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::list("/v1/charges", "charges", &["customer", "payment_intent", "transfer_group"], all),
    Route::get("/v1/charges/{id}", "charges", retrieve),
    Route::post(
        "/v1/charges/{id}",
        "charges",
        &[],
        &[
            "customer",
            "description",
            "fraud_details",
            "metadata",
            "receipt_email",
            "shipping",
            "transfer_group",
        ],
        update,
    ),
    Route::post("/v1/charges/{id}/capture", "charges", &[], &["amount", "receipt_email"], capture),
    Route::list("/v1/charges/{id}/refunds", "charges", &[], refunds),
];

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let keep = |charge: &Value| {
        params.text("payment_intent").is_none_or(|intent| charge.text("payment_intent") == intent)
            && params.text("transfer_group").is_none_or(|group| charge.text("transfer_group") == group)
    };
    list::page(tx, Kind::Charge, "/v1/charges", params, params.text("customer"), keep)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Charge, args.id())
}

fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut charge = tx.find(Kind::Charge, args.id())?;
    args.params
        .copy(&mut charge, &["customer", "description", "receipt_email", "shipping", "transfer_group"]);
    args.params.copy(&mut charge, &["fraud_details"]);
    args.params.merge_metadata(&mut charge)?;
    Ok(tx.change_and_tell(Kind::Charge, args.id(), "charge.updated", |kept| *kept = charge))
}

fn capture(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut held = tx.find(Kind::Charge, args.id())?;
    if held.flag("captured") {
        let message = format!("Charge {} has already been captured.", args.id());
        return Err(ApiError::refused_by_state(message).code("charge_already_captured"));
    }
    let amount = args.params.int_from("amount", 1)?;
    amount::legal(amount.unwrap_or_default(), held.text("currency"), Use::Charge, "amount")?;
    if let Some(intent) = held.maybe_text("payment_intent").map(str::to_owned) {
        intent::capture(tx, &intent, amount)?;
        return tx.find(Kind::Charge, args.id());
    }
    held["captured"] = true.into();
    held["amount_captured"] = amount.unwrap_or(held.int("amount")).into();
    charge::settle(tx, &mut held, false);
    let charge = tx.change_and_tell(Kind::Charge, args.id(), "charge.captured", |kept| *kept = held);
    tx.effect("charge.capture", &charge);
    Ok(charge)
}

fn refunds(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Charge, args.id())?;
    let url = format!("/v1/charges/{}/refunds", args.id());
    list::page(tx, Kind::Refund, &url, &args.params, Some(args.id()), |_| true)
}

/// The charge that a refund call is about, by `charge` or `payment_intent`.
pub fn refundable(tx: &Tx<'_>, params: &Params) -> ApiResult {
    if let Some(id) = params.text("charge") {
        return tx.find_param(Kind::Charge, id, "charge");
    }
    let Some(id) = params.text("payment_intent") else {
        let message =
            "One of the following params should be provided for this request: payment_intent or charge.";
        return Err(ApiError::invalid(message).code("parameter_missing").param("charge"));
    };
    let intent = tx.find_param(Kind::PaymentIntent, id, "payment_intent")?;
    match intent.maybe_text("latest_charge").and_then(|charge| tx.get(Kind::Charge, charge)) {
        Some(charge) if charge.text("status") == "succeeded" => Ok(charge.clone()),
        _ => {
            let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
            Err(ApiError::refused_by_state(message).code("charge_not_refundable").param("payment_intent"))
        }
    }
}
