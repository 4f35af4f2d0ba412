//! Asking for a link to the customer portal. The address is in this one answer and nowhere else.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bursar_domain::id::ProposalId;
use bursar_domain::proposal::ProposalState;
use bursar_engine::PortalRequest;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::id;
use super::path::Path;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalBody {
    customer: String,
    #[serde(default)]
    reason: String,
    lane: Option<String>,
}

pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    body: Body<PortalBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let PortalBody { customer, reason, lane } = body.value;
    let request = PortalRequest { customer, reason, lane };
    let opened = state.engine.open_portal(caller.actor, caller.roles, request).await?;
    if opened.state == ProposalState::Denied {
        let ids: Vec<&str> = opened.verdict.policies.iter().map(|policy| policy.id.as_str()).collect();
        let by = if ids.is_empty() { "no policy permits it".to_owned() } else { ids.join(", ") };
        return Err(Problem {
            details: Some(json!({"policies": ids})),
            ..Problem::new(
                StatusCode::FORBIDDEN,
                "blocked_by_policy",
                format!("denied: {by}. Nothing was sent to Stripe."),
            )
        });
    }
    let document = json!({
        "object": "portal_session_request",
        "id": opened.proposal.as_str(),
        "status": if opened.approval.is_some() { "pending_approval" } else { "approved" },
        "case": opened.case.as_str(),
        "approval": opened.approval.as_ref().map(bursar_domain::id::ApprovalId::as_str),
        "url": opened.url.as_ref().map(ExposeSecret::expose_secret),
    });
    Ok((StatusCode::CREATED, Json(document)))
}

/// The address of a session that was approved later: once, within minutes, and to the one who asked for it only.
pub async fn take(
    State(state): State<AppState>,
    caller: Caller,
    Path(proposal): Path,
) -> Result<Json<Value>, Problem> {
    caller.require(&bursar_domain::role::Role::ALL)?;
    let proposal: ProposalId = id(&proposal, "portal session request")?;
    let url = state.engine.take_portal_url(&proposal, &caller.actor);
    let url = url.ok_or_else(|| {
        Problem::not_found("link: it was handed over, has ended, is not approved, or is somebody else's")
    })?;
    Ok(Json(json!({"object": "portal_session_request", "id": proposal.as_str(), "url": url.expose_secret()})))
}
