//! What answers become.

use serde_json::json;

use super::*;
use crate::cli::exit::Exit;

#[test]
fn every_refusal_has_its_exit_code() {
    let table = [
        (401, "", Exit::Unauthorised),
        (403, "role_missing", Exit::Unauthorised),
        (403, "blocked_by_policy", Exit::DeniedByPolicy),
        (422, "amount_too_large", Exit::DeniedByPolicy),
        (404, "resource_missing", Exit::NotFound),
        (400, "parameter_invalid", Exit::Usage),
        (422, "parameter_invalid", Exit::Usage),
        (409, "idempotency_error", Exit::Conflict),
        (409, "digest_changed", Exit::Conflict),
        (409, "approval_expired", Exit::Rejected),
        (410, "", Exit::Rejected),
        (429, "rate_limit", Exit::Failed),
        (503, "database_busy", Exit::Failed),
        (503, "stripe_unavailable", Exit::StripeUnavailable),
        (500, "", Exit::Failed),
    ];
    for (status, code, exit) in table {
        let body = json!({"error": {"type": "t", "code": code, "message": "No."}});
        assert_eq!(refusal::failure(status, &body, None).exit(), exit, "{status} {code}");
    }
}

#[test]
fn a_refusal_keeps_what_helps_and_nothing_that_acts() {
    let error = json!({"type": "invalid_request_error", "code": "blocked_by_policy", "param": "amount",
        "message": "denied by refunds.max\u{1b}[2J; at most 100.00 USD is allowed now.", "request_id": "req_1"});
    let failure = refusal::failure(403, &json!({"error": error}), Some("req_header"));
    insta::assert_snapshot!(anstream::adapter::strip_str(&failure.to_string()), @r"
    error[BUR-ACT-005]: denied by refunds.max[2J; at most 100.00 USD is allowed now
      param: amount
      answer: 403 blocked_by_policy · request req_1
      help: bursar explain BUR-ACT-005
    ");
}

#[test]
fn an_answer_that_is_no_envelope_still_ends_well() {
    for body in [json!(null), json!("x"), json!({"error": "text"}), json!({"error": {"message": 3}})] {
        assert_eq!(refusal::failure(500, &body, None).code(), Code::RequestRefused);
    }
}

#[test]
fn an_id_stays_one_part_of_a_path() {
    assert_eq!(part("apreq_01ABC"), "apreq_01ABC");
    assert_eq!(part("../people?x=#"), "%2E%2E%2Fpeople%3Fx%3D%23");
}
