//! `/v1/disputes`: read, answer, concede.

use serde_json::Value;

use crate::doc::Doc as _;
use crate::error::{ApiError, ApiResult};
use crate::payments::dispute;
use crate::wire::{Args, Route, list};
use crate::world::{Kind, Tx};

pub const ROUTES: &[Route] = &[
    Route::list("/v1/disputes", "disputes", &["charge", "payment_intent"], all),
    Route::get("/v1/disputes/{id}", "disputes", retrieve),
    Route::post(
        "/v1/disputes/{id}",
        "disputes",
        &[],
        &["evidence", "intended_submission_method", "metadata", "submit"],
        update,
    ),
    Route::post("/v1/disputes/{id}/close", "disputes", &[], &[], close),
    Route::list("/v1/radar/early_fraud_warnings", "radar", &["charge", "payment_intent"], warnings),
    Route::get("/v1/radar/early_fraud_warnings/{id}", "radar", warning),
];

/// Letters in one long text of evidence, and in all of them.
const TEXT_MAX: usize = 20_000;
const TEXTS_MAX: usize = 150_000;

fn all(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let keep = |dispute: &Value| {
        params.text("payment_intent").is_none_or(|intent| dispute.text("payment_intent") == intent)
    };
    list::page(tx, Kind::Dispute, "/v1/disputes", params, params.text("charge"), keep)
}

fn retrieve(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::Dispute, args.id())
}

/// Evidence is sent to the bank unless `submit` is false: Stripe's own default.
fn update(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let mut dispute = tx.find(Kind::Dispute, args.id())?;
    let open = dispute.text("status").ends_with("needs_response");
    if args.params.has("evidence") && !open {
        let message = format!("Dispute {} no longer takes evidence.", args.id());
        return Err(ApiError::refused_by_state(message));
    }
    if let Some(evidence) = args.params.part("evidence") {
        if let Some(unknown) = evidence.names().find(|name| !known_evidence(name)) {
            return Err(ApiError::unknown(&evidence.named(unknown)));
        }
        evidence.copy(&mut dispute["evidence"], &dispute::EVIDENCE);
        let lengths: Vec<usize> =
            dispute::EVIDENCE.iter().map(|field| dispute["evidence"].text(field).chars().count()).collect();
        if lengths.iter().any(|length| *length > TEXT_MAX) || lengths.iter().sum::<usize>() > TEXTS_MAX {
            let message = "The evidence is longer than the bank accepts.";
            return Err(ApiError::invalid(message)
                .code("dispute_evidence_page_limit_exceeded")
                .param("evidence"));
        }
        dispute["evidence_details"]["has_evidence"] = lengths.iter().any(|length| *length > 0).into();
    }
    args.params.copy(&mut dispute, &["intended_submission_method"]);
    args.params.merge_metadata(&mut dispute)?;
    tx.change(Kind::Dispute, args.id(), |kept| *kept = dispute.clone());
    let submits = args.params.flag("submit")?.unwrap_or(true);
    if submits && open && dispute.flag("evidence_details.has_evidence") {
        dispute::submit(tx, args.id());
    }
    let dispute = tx.find(Kind::Dispute, args.id())?;
    tx.emit("charge.dispute.updated", &dispute);
    Ok(dispute)
}

fn known_evidence(name: &str) -> bool {
    dispute::EVIDENCE.contains(&name) || name == "enhanced_evidence"
}

fn close(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let dispute = tx.find(Kind::Dispute, args.id())?;
    if !dispute.text("status").ends_with("needs_response") {
        return Err(ApiError::refused_by_state(format!("Dispute {} is already closed.", args.id())));
    }
    dispute::close(tx, args.id(), false);
    let dispute = tx.find(Kind::Dispute, args.id())?;
    tx.effect("dispute.close", &dispute);
    Ok(dispute)
}

fn warnings(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    let params = &args.params;
    let keep = |warning: &Value| {
        params.text("payment_intent").is_none_or(|intent| warning.text("payment_intent") == intent)
    };
    let url = "/v1/radar/early_fraud_warnings";
    list::page(tx, Kind::EarlyFraudWarning, url, params, params.text("charge"), keep)
}

fn warning(tx: &mut Tx<'_>, args: &Args) -> ApiResult {
    tx.find(Kind::EarlyFraudWarning, args.id())
}
