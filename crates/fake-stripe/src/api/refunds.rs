//! `/v1/refunds`: give money back, find what was given.

use serde_json::{Value, json};

use super::charges::refundable;
use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::refund::{self, Wish};
use crate::wire::{Args, Route, list};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::list("/v1/refunds", "refunds", &["charge", "payment_intent"], all),
    Route::post(
        "/v1/refunds",
        "refunds",
        &[],
        &[
            "amount",
            "charge",
            "instructions_email",
            "metadata",
            "origin",
            "payment_intent",
            "reason",
            "refund_application_fee",
            "reverse_transfer",
        ],
        create,
    ),
    Route::get("/v1/refunds/{id}", "refunds", retrieve),
    Route::post("/v1/refunds/{id}", "refunds", &[], &["metadata"], update),
    Route::post("/v1/refunds/{id}/cancel", "refunds", &[], &[], cancel),
];

const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

fn create(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let reason = params.one_of("reason", &REASONS)?.map(str::to_owned);
    let amount = params.int_from("amount", 1)?;
    let mut annotated = json!({"metadata": {}});
    params.merge_metadata(&mut annotated)?;
    let charge = refundable(tx, params)?;
    for flag in ["refund_application_fee", "reverse_transfer"] {
        if params.flag(flag)?.unwrap_or(false) {
            let what = if flag == "reverse_transfer" { "transfer" } else { "application fee" };
            let message = format!("Charge {} has no {what} to return.", charge.text("id"));
            return Err(ApiError::refused_by_state(message).param(flag));
        }
    }
    refund::make(tx, &charge, &Wish { amount, reason, metadata: annotated["metadata"].take() })
}

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let keep = |refund: &Value| {
        params.text("payment_intent").is_none_or(|intent| refund.text("payment_intent") == intent)
    };
    list::page(tx, Kind::Refund, "/v1/refunds", params, params.text("charge"), keep)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Refund, args.id())
}

fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut refund = tx.find(Kind::Refund, args.id())?;
    args.params.merge_metadata(&mut refund)?;
    let refund = tx.change_and_tell(Kind::Refund, args.id(), "refund.updated", |kept| *kept = refund);
    tx.emit("charge.refund.updated", &refund);
    Ok(refund)
}

/// Only a refund that waits for the customer can be canceled, and cards make none of those.
fn cancel(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let refund = tx.find(Kind::Refund, args.id())?;
    let message =
        format!("Refund {} has a status of {} and cannot be canceled.", args.id(), refund.text("status"));
    Err(ApiError::refused_by_state(message))
}
