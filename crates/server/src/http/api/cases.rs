//! Cases.

use axum::Json;
use axum::extract::State;
use bursar_domain::case::CaseState;
use bursar_domain::id::CaseId;
use bursar_store::cases::Filter;
use serde_json::Value;

use super::path::Path;
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
    if filter.state.as_deref().is_some_and(|state| !CaseState::WORDS.contains(&state)) {
        return Err(Problem::bad_request(
            "state",
            format!("state is one of {}", CaseState::WORDS.join(", ")),
        ));
    }
    let page = state.engine.cases(filter, after.as_ref(), query.limit()?).await.map_err(Problem::in_query)?;
    Ok(page_of("/api/v1/cases", page))
}

pub async fn show(
    State(state): State<AppState>,
    _: Caller,
    Path(case): Path,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    Ok(Json(state.engine.case(&id(&case, "case")?).await?))
}
