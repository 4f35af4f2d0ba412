//! The API for scripts and for the command line: bearer tokens, lists in Stripe's shape, strict parameters, Stripe's error
//! envelope.

mod alerts;
mod approvals;
pub(super) mod body;
mod cases;
mod history;
mod mailbox;
mod once;
mod operations;
mod path;
mod portal_sessions;
pub(super) mod proposals;
mod query;
mod records;
mod refund_requests;
mod restore;
mod status;
mod stream;
#[cfg(test)]
mod tests;

use axum::Json;
use axum::Router;
use axum::routing::{delete, get, post};
use bursar_engine::Page;
use serde_json::{Value, json};

use super::problem::Problem;
use super::state::AppState;

/// Everything under `/api/v1`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/alerts", get(alerts::list))
        .route("/alerts/test", post(alerts::test))
        .route("/approvals", get(approvals::list))
        .route("/approvals/{id}", get(approvals::show))
        .route("/approvals/{id}/approve", post(approvals::approve))
        .route("/approvals/{id}/reject", post(approvals::reject))
        .route("/audit", get(records::audit))
        .route("/audit/verify", get(records::verify_audit))
        .route("/cases", get(cases::list))
        .route("/cases/{id}", get(cases::show))
        .route("/dead_letters", get(operations::dead_letters))
        .route("/dead_letters/{id}/retry", post(operations::retry_dead_letter))
        .route("/events", get(records::events))
        .route("/events/backfill", post(operations::backfill))
        .route("/events/{id}", get(records::event))
        .route("/gaps", get(records::gaps))
        .route("/history", get(history::show).post(history::ask))
        .route("/kill_switches", post(operations::kill))
        .route("/kill_switches/{scope}", delete(operations::revive))
        .route("/mailbox", get(mailbox::list))
        .route("/modes", get(operations::modes).post(operations::set_mode))
        .route("/permissions", get(operations::permissions))
        .route("/portal_sessions", post(portal_sessions::create))
        .route("/portal_sessions/{id}/take", post(portal_sessions::take))
        .route("/proposals/{id}/look_again", post(proposals::look_again))
        .route("/proposals/{id}/settle", post(proposals::settle))
        .route("/quarantine", get(records::quarantine))
        .route("/quarantine/{id}", get(operations::quarantined))
        .route("/quarantine/{id}/retry", post(operations::retry_quarantined))
        .route("/refund_requests", post(refund_requests::create))
        .route("/restore", get(restore::show))
        .route("/restore/lift", post(restore::lift))
        .route("/status", get(status::show))
        .route("/stream", get(stream::listen))
        .route("/tasks/{id}/done", post(operations::finish_task))
        .method_not_allowed_fallback(super::problem::wrong_method)
        .fallback(super::problem::no_such_page)
        .layer(axum::middleware::from_fn(query::clear))
}

/// A page in Stripe's shape.
fn list(url: &str, page: Page) -> Json<Value> {
    let Page { items, has_more } = page;
    Json(json!({"object": "list", "url": url, "has_more": has_more, "data": Value::Array(items)}))
}

/// An id from a path; one that is not well-formed is not there.
fn id<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found(what))
}
