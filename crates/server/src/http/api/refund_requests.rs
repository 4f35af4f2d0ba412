//! Asking for a refund. The answer says what the gate decided; a request that is denied is an error with the policies
//! that said so, and is filed all the same.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bursar_domain::proposal::ProposalState;
use bursar_engine::RefundRequest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::once::once;
use crate::http::auth::Caller;
use crate::http::denial;
use crate::http::problem::Problem;
use crate::http::state::AppState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundBody {
    charge: String,
    /// Minor units; what is left of the charge when not given.
    amount: Option<i64>,
    /// What the asker takes the charge's currency to be; another one is refused.
    currency: Option<String>,
    /// One of Stripe's reasons, or words.
    reason: String,
    lane: Option<String>,
}

pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<RefundBody>,
) -> Result<Response, Problem> {
    let Body { value, bytes } = body;
    let (engine, actor, roles) = (state.engine.clone(), caller.actor.clone(), caller.roles.clone());
    let answer = move |key| async move {
        let request = RefundRequest {
            charge: value.charge,
            amount: value.amount,
            currency: value.currency,
            reason: value.reason,
            lane: value.lane,
        };
        let submitted = match key {
            Some(key) => engine.request_refund_once(actor, roles, key, request).await?,
            None => engine.request_refund(actor, roles, request).await?,
        };
        if submitted.state == ProposalState::Denied {
            // It was filed: the same request again is told the same.
            let problem = denied(&submitted);
            return Ok((problem.status, problem.document()));
        }
        let status = if submitted.repeated { StatusCode::OK } else { StatusCode::CREATED };
        Ok::<(StatusCode, Value), Problem>((status, submitted.to_json()))
    };
    once(&state, &caller, &headers, ("refund_requests", &bytes), answer).await
}

/// What said no, and what policy would have said yes to where that is known.
fn denied(submitted: &bursar_engine::Submitted) -> Problem {
    let verdict = &submitted.verdict;
    let message = format!("{}. Nothing was sent to Stripe.", denial::why(verdict));
    let mut problem = Problem::new(StatusCode::FORBIDDEN, "blocked_by_policy", message);
    if submitted.is_over_refund() && !denial::by_kill_switch(verdict) {
        problem.status = StatusCode::UNPROCESSABLE_ENTITY;
        problem.code = "amount_too_large";
        problem.param = Some("amount");
    }
    let ids: Vec<&str> = verdict.policies.iter().map(|policy| policy.id.as_str()).collect();
    problem.details = Some(json!({"refund_request": submitted.to_json(), "policies": ids}));
    problem
}
