//! An answer that is no success, as a failure of ours: Stripe's error envelope, our codes.

use serde_json::Value;

use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inert::inert;

pub fn failure(status: u16, body: &Value, request_id: Option<&str>) -> Failure {
    let error = body.get("error").unwrap_or(&Value::Null);
    let said = |key: &str| error.get(key).and_then(Value::as_str).map(inert).filter(|text| !text.is_empty());
    let reason = said("code").or_else(|| said("type")).unwrap_or_default();
    let message = said("message").unwrap_or_else(|| format!("the answer was {status} without a reason"));
    let code = code(status, &reason);
    let mut failure = Failure::new(code, message.trim_end_matches('.'));
    if code == Code::Busy && status == 503 {
        failure = failure.exits(Exit::Failed);
    }
    // What was typed cannot be meant: that is wrong usage, whoever finds out.
    if code == Code::RequestRefused && reason == "parameter_invalid" {
        failure = failure.exits(Exit::Usage);
    }
    if let Some(param) = said("param") {
        failure = failure.note("param", param);
    }
    let request = said("request_id").or_else(|| request_id.map(inert));
    let numbered = request.map(|id| format!(" · request {id}")).unwrap_or_default();
    failure = failure.note("answer", format!("{status} {reason}{numbered}"));
    if let Some(allowed) = said("allowed") {
        failure = failure.note("allowed", allowed);
    }
    failure.help(format!("bursar explain {code}"))
}

fn code(status: u16, reason: &str) -> Code {
    let speaks_of = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    match status {
        _ if speaks_of(&["blocked_by_policy", "denied", "amount_too_large"]) => Code::DeniedByPolicy,
        _ if speaks_of(&["stripe_unavailable", "stripe_down", "stripe_unreachable"]) => {
            Code::StripeUnavailable
        }
        401 | 403 => Code::NotAllowed,
        404 => Code::NotFound,
        409 if speaks_of(&["idempotency"]) => Code::KeyUsedOtherwise,
        409 if speaks_of(&["expired", "rejected", "refused", "void"]) => Code::RejectedOrExpired,
        409 | 412 => Code::Stale,
        410 => Code::RejectedOrExpired,
        429 | 503 => Code::Busy,
        _ => Code::RequestRefused,
    }
}
