//! For machines that watch machines: alive, ready, and numbers.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::state::AppState;

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(numbers))
}

/// Ready when the store answers and we are not stopping.
async fn ready(State(state): State<AppState>) -> Response {
    if state.engine.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response();
    }
    match state.engine.case_counts().await {
        Ok(_) => "ready".into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer").into_response()
        }
    }
}

async fn numbers(State(state): State<AppState>) -> Response {
    let Some(metrics) = &state.metrics else { return StatusCode::NOT_FOUND.into_response() };
    if let Ok(health) = state.engine.health().await {
        gauges(&health);
    }
    metrics.render().into_response()
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point; counts stay far below 2^52")]
fn gauges(health: &bursar_engine::Health) {
    let set = |name: &'static str, value: i64| metrics::gauge!(name).set(value as f64);
    let age = |name: &'static str, value: Option<u64>| {
        set(name, value.and_then(|value| i64::try_from(value).ok()).unwrap_or(0));
    };
    set("bursar_jobs_due", health.queue.due);
    set("bursar_jobs_leased", health.queue.leased);
    set("bursar_jobs_later", health.queue.later);
    set("bursar_jobs_held", health.queue.held);
    set("bursar_dead_letters", health.queue.dead);
    age("bursar_queue_oldest_due_seconds", health.oldest_due_age_s);
    age("bursar_ingest_last_event_age_seconds", health.last_event_age_s);
    set("bursar_approvals_pending", health.approvals_pending);
    age("bursar_approval_oldest_age_seconds", health.oldest_approval_age_s);
    set("bursar_audit_unsealed", health.audit_unsealed);
    age("bursar_audit_oldest_unsealed_seconds", health.audit_unsealed_age_s);
    set("bursar_executions_waiting", health.executions_waiting);
    set("bursar_executions_in_doubt", health.executions_in_doubt);
    set("bursar_clock_wrong", i64::from(health.clock.is_some()));
    set("bursar_events_kept", health.events);
    set("bursar_events_quarantined", health.quarantined);
    let many = |name: &'static str, number: usize| set(name, i64::try_from(number).unwrap_or(i64::MAX));
    let unreadable = health.lanes.iter().filter(|lane| lane.last_error.is_some()).count();
    many("bursar_lanes_unreadable", unreadable);
    many("bursar_connections_missing", health.unconnected.len());
    many("bursar_keys_refused", health.keys_refused.len());
    many("bursar_nodes", health.nodes.len());
    many("bursar_kill_switches", health.kill_switches.len());
    many("bursar_alerts_open", health.alerts.open.len());
    many("bursar_alert_ways_failing", health.alerts.failing.len());
}
