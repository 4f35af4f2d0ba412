//! The demo's mailbox: letters that really went over SMTP.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::query::Query;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

pub async fn list(State(state): State<AppState>, _: Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.only(&["limit"])?;
    let limit = usize::try_from(query.limit()?).unwrap_or(10);
    let demo = state.demo.as_ref().ok_or_else(|| Problem::not_found("mailbox: only a demo has one"))?;
    let mut letters = demo.mailbox.letters();
    letters.reverse();
    let has_more = letters.len() > limit;
    letters.truncate(limit);
    let data: Vec<Value> = letters
        .iter()
        .map(|letter| {
            let mut document = json!(letter.as_ref());
            document["object"] = "letter".into();
            document
        })
        .collect();
    Ok(Json(json!({"object": "list", "url": "/api/v1/mailbox", "has_more": has_more, "data": data})))
}
