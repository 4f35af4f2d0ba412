//! Objects from before Bursar came: asked for, and how far they are read.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::body::Body;
use super::operations::OPERATIONS;
use super::query::Query;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskBody {
    since_s: i64,
}

/// It goes on by itself: the answer says how far it is.
pub async fn ask(
    State(state): State<AppState>,
    caller: Caller,
    body: Body<AskBody>,
) -> Result<Json<Value>, Problem> {
    caller.require(OPERATIONS)?;
    Ok(Json(json!(state.engine.ask_history(body.value.since_s).await?)))
}

pub async fn show(State(state): State<AppState>, _: Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    Ok(Json(json!(state.engine.history().await?)))
}
