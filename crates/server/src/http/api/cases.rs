//! Cases.

use axum::Json;
use axum::extract::{Path, State};
use bursar_domain::id::CaseId;
use bursar_store::cases::Filter;
use serde_json::Value;

use super::query::Query;
use super::{id, list as page_of};
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

pub async fn list(State(state): State<AppState>, _: Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.only(&["object", "customer", "playbook", "state", "limit", "starting_after"])?;
    let text = |name| query.get(name).map(str::to_owned);
    let filter = Filter {
        object: text("object"),
        customer: text("customer"),
        playbook: text("playbook"),
        state: text("state"),
        before: None,
        limit: 0,
    };
    let after: Option<CaseId> = query.cursor()?;
    Ok(page_of("/api/v1/cases", state.engine.cases(filter, after.as_ref(), query.limit()?).await?))
}

pub async fn show(
    State(state): State<AppState>,
    _: Caller,
    Path(case): Path<String>,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    Ok(Json(state.engine.case(&id(&case, "case")?).await?))
}
