//! What operators were told, and a test of whether it gets through.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::body::Body;
use super::list as page_of;
use super::operations::OPERATIONS;
use super::query::Query;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

pub async fn list(State(state): State<AppState>, _: Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.only(&["limit"])?;
    Ok(page_of("/api/v1/alerts", state.engine.alerts(query.limit()?).await?))
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Sends a test by every way and waits for what comes of it.
pub async fn test(
    State(state): State<AppState>,
    caller: Caller,
    _: Body<Nothing>,
) -> Result<Json<Value>, Problem> {
    caller.require(OPERATIONS)?;
    let tried = state.engine.test_alerts().await?;
    let delivered = tried.iter().all(|tried| tried.delivered);
    Ok(Json(json!({"object": "alert_test", "delivered": delivered, "ways": tried})))
}
