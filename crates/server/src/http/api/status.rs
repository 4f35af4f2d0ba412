//! How the installation stands, for people and for `bursar status`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::query::Query;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::troubles::troubles;

pub async fn show(State(state): State<AppState>, _: Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    let health = state.engine.health().await?;
    let troubles = troubles(&health);
    let mut document = json!(health);
    document["object"] = "status".into();
    document["status"] = if troubles.is_empty() { "ok" } else { "degraded" }.into();
    document["troubles"] = json!(troubles);
    document["version"] = env!("CARGO_PKG_VERSION").into();
    document["demo"] = state.demo.is_some().into();
    Ok(Json(document))
}
