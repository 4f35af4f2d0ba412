//! What an answer to a write means. This table decides whether money is asked for again, so it stands on one page.

use std::time::Duration;

use serde_json::Value;

/// An answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) request_id: Option<String>,
    pub(crate) replayed: bool,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// No answer that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SendError {
    /// Definitely nothing left this machine.
    NotSent(String),
    /// Something may have arrived.
    Lost(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// 2xx with an object.
    Done(Value),
    /// Parked at Stripe's own approvals, which can be given until then.
    WaitingAtStripe { request: String, expires_s: Option<i64> },
    /// A definite no; nothing happened.
    Refused { code: String, message: String },
    /// Same key, same bytes, later.
    SameAgain { after: Option<Duration>, why: String },
    /// Whether it happened is not known and asking again replays the same: look it up.
    LookUp { why: String },
    /// Something is wrong with us or the key: stop acting, page somebody.
    Halt { why: String },
}

/// What Stripe calls a request for approval by its own people.
const APPROVAL: &str = "v2.core.approval_request";

/// Reads an answer.
pub(crate) fn meaning(answer: &Answered) -> Meaning {
    let body: Option<Value> = bursar_stripe::json::read(&answer.body).ok();
    let error = body.as_ref().and_then(|body| body.get("error"));
    let text =
        |field: &str| error.and_then(|error| error.get(field)).and_then(Value::as_str).unwrap_or_default();
    let (kind, code) = (text("type").to_owned(), text("code").to_owned());
    // Not documented with a status, not even with that of an error: what is said decides.
    let waits = body.as_ref().filter(|body| body.get("object").is_some_and(|object| object == APPROVAL));
    if let Some(request) =
        waits.or_else(|| error.filter(|_| code == "approval_required")?.get("approval_request"))
    {
        return waiting(request);
    }
    if code == "approval_required" {
        return waiting(&Value::Null);
    }
    if (200..300).contains(&answer.status) {
        return match body {
            Some(object) if object.get("object").is_some() => Meaning::Done(object),
            _ => Meaning::LookUp { why: format!("{} with a body that is no object", answer.status) },
        };
    }
    let message: String = text("message").chars().take(300).collect();
    let name = if code.is_empty() { format!("http_{}", answer.status) } else { code.clone() };
    if matches!(
        code.as_str(),
        "action_blocked"
            | "request_blocked"
            | "anomalous_money_movement_request"
            | "livemode_mismatch"
            | "testmode_charges_only"
    ) {
        // The reason of a kill switch stands in the open: Stripe's words are left out.
        return Meaning::Halt { why: name };
    }
    if matches!(code.as_str(), "idempotency_key_in_use" | "lock_timeout" | "rate_limit")
        || answer.status == 429
    {
        return Meaning::SameAgain { after: retry_after(answer), why: name };
    }
    match answer.status {
        400 if kind == "idempotency_error" => {
            Meaning::Halt { why: "the idempotency key was used with other parameters".to_owned() }
        }
        401 => Meaning::Halt { why: "Stripe does not accept the API key".to_owned() },
        403 => Meaning::Refused { code: "permission_missing".to_owned(), message },
        // Somebody refunded it before: perhaps we.
        400 if code == "charge_already_refunded" => Meaning::LookUp { why: name },
        409 | 502..=504 => Meaning::SameAgain { after: retry_after(answer), why: name },
        // 424: something behind Stripe failed. 500 is stored with its key and replays.
        424 | 500.. => Meaning::LookUp { why: name },
        // 400, 402, 404 and every other definite no.
        _ => Meaning::Refused { code: name, message },
    }
}

fn waiting(request: &Value) -> Meaning {
    let id = request.get("id").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    Meaning::WaitingAtStripe { request: id, expires_s: request.get("expires_at").and_then(instant_s) }
}

/// An instant as Stripe writes it, in either of its ways.
fn instant_s(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| bursar_stripe::event::seconds_of(value.as_str()?))
}

/// A `Retry-After` that makes sense; others are ignored.
pub(crate) fn retry_after(answer: &Answered) -> Option<Duration> {
    let seconds: u64 = answer.retry_after.as_deref()?.trim().parse().ok()?;
    (seconds <= 24 * 3600).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Answered {
        Answered {
            status,
            request_id: None,
            replayed: false,
            retry_after: None,
            body: body.as_bytes().to_vec(),
        }
    }

    fn word(status: u16, body: &str) -> &'static str {
        match meaning(&answered(status, body)) {
            Meaning::Done(_) => "done",
            Meaning::WaitingAtStripe { .. } => "waiting",
            Meaning::Refused { .. } => "refused",
            Meaning::SameAgain { .. } => "same again",
            Meaning::LookUp { .. } => "look up",
            Meaning::Halt { .. } => "halt",
        }
    }

    #[test]
    fn the_table() {
        for (status, body, expected) in [
            (200, r#"{"object":"refund","id":"re_1"}"#, "done"),
            (200, "<html>", "look up"),
            (200, r#"{"object":"refu"#, "look up"),
            (200, r#"{"error":{"code":"approval_required","approval_request":{"id":"areq_1"}}}"#, "waiting"),
            (202, r#"{"object":"v2.core.approval_request","id":"areq_1"}"#, "waiting"),
            (200, r#"{"error":{"code":"approval_required"}}"#, "waiting"),
            (400, r#"{"error":{"type":"invalid_request_error","code":"amount_too_large"}}"#, "refused"),
            (400, r#"{"error":{"type":"idempotency_error"}}"#, "halt"),
            (400, r#"{"error":{"code":"approval_required","approval_request":{"id":"areq_1"}}}"#, "waiting"),
            (400, r#"{"error":{"code":"charge_already_refunded"}}"#, "look up"),
            (401, r#"{"error":{}}"#, "halt"),
            (402, r#"{"error":{"type":"card_error","code":"card_declined"}}"#, "refused"),
            (403, r#"{"error":{}}"#, "refused"),
            (404, r#"{"error":{"code":"resource_missing"}}"#, "refused"),
            (409, r#"{"error":{"code":"idempotency_key_in_use"}}"#, "same again"),
            (409, r#"{"error":{"code":"lock_timeout"}}"#, "same again"),
            (424, r#"{"error":{}}"#, "look up"),
            (429, r#"{"error":{"code":"rate_limit"}}"#, "same again"),
            (429, r#"{"error":{"code":"lock_timeout"}}"#, "same again"),
            (500, r#"{"error":{"type":"api_error"}}"#, "look up"),
            (500, "", "look up"),
            (502, "", "same again"),
            (503, "", "same again"),
            (403, r#"{"error":{"code":"action_blocked"}}"#, "halt"),
        ] {
            assert_eq!(word(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn stripes_own_approval_says_until_when_it_can_be_given() {
        for (at, expected) in [
            (r#""2026-11-28T00:00:00.000Z""#, Some(1_795_824_000)),
            ("1795824000", Some(1_795_824_000)),
            ("null", None),
            (r#""soon""#, None),
        ] {
            let body = format!(
                r#"{{"error":{{"code":"approval_required","approval_request":{{"id":"areq_1","expires_at":{at}}}}}}}"#
            );
            let waits = Meaning::WaitingAtStripe { request: "areq_1".to_owned(), expires_s: expected };
            assert_eq!(meaning(&answered(400, &body)), waits, "{at}");
        }
    }

    #[test]
    fn a_retry_after_that_makes_no_sense_is_ignored() {
        for (header, expected) in
            [("3600", Some(3600)), ("0", Some(0)), ("-5", None), ("abc", None), ("999999", None)]
        {
            let answer = Answered { retry_after: Some(header.to_owned()), ..answered(429, "") };
            assert_eq!(retry_after(&answer), expected.map(Duration::from_secs), "{header}");
        }
    }
}
