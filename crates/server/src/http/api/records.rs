//! What was received and recorded: events, quarantine, gaps, audit.

use axum::Json;
use axum::extract::State;
use bursar_store::events::Filter;
use bursar_stripe::id::EventId;
use serde_json::{Value, json};

use super::list as page_of;
use super::path::Path;
use super::query::{Query, not_a_cursor};
use crate::http::auth::{CHECKS_AUDIT, Caller};
use crate::http::problem::Problem;
use crate::http::state::AppState;

pub async fn events(State(state): State<AppState>, _: Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.only(&["type", "object", "limit", "starting_after"])?;
    let text = |name| query.get(name).map(str::to_owned);
    let filter = Filter { kind: text("type"), object_id: text("object"), before: None, limit: 0 };
    let after = query.get("starting_after").map(EventId::parse).transpose().map_err(|_| not_a_cursor())?;
    let page = state.engine.events(filter, after.as_ref().map(EventId::as_str), query.limit()?).await;
    Ok(page_of("/api/v1/events", page.map_err(Problem::in_query)?))
}

pub async fn event(
    State(state): State<AppState>,
    _: Caller,
    Path(id): Path,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    Ok(Json(state.engine.event(&id).await?))
}

pub async fn quarantine(
    State(state): State<AppState>,
    _: Caller,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&["limit"])?;
    Ok(page_of("/api/v1/quarantine", state.engine.quarantined(query.limit()?).await?))
}

pub async fn gaps(State(state): State<AppState>, _: Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.only(&["limit"])?;
    Ok(page_of("/api/v1/gaps", state.engine.gaps(query.limit()?).await?))
}

pub async fn audit(State(state): State<AppState>, _: Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.only(&["limit", "before_seq"])?;
    let before = query
        .get("before_seq")
        .map(|text| text.parse().map_err(|_| Problem::bad_request("before_seq", "before_seq is a number")))
        .transpose()?;
    Ok(page_of("/api/v1/audit", state.engine.audit_entries(query.limit()?, before).await?))
}

pub async fn verify_audit(
    State(state): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    caller.require(CHECKS_AUDIT)?;
    Ok(Json(json!(state.engine.verify_audit().await?)))
}
