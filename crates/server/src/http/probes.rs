//! For machines that watch machines: alive, ready, and numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Mutex;

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
    let answers = state.probed.ready.ask(|| async {
        let counted = state.engine.case_counts().await;
        counted.inspect_err(|error| tracing::error!(%error, "not ready")).is_ok()
    });
    if answers.await {
        "ready".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer").into_response()
    }
}

async fn numbers(State(state): State<AppState>) -> Response {
    let Some(metrics) = &state.metrics else { return StatusCode::NOT_FOUND.into_response() };
    let text = state.probed.numbers.ask(|| async {
        if let Ok(health) = state.engine.health().await {
            gauges(&health);
        }
        axum::body::Bytes::from(metrics.render())
    });
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text.await).into_response()
}

/// What probes ask. Anybody may ask, and many at once cost no more than one after the other.
#[derive(Debug, Default)]
pub struct Probed {
    ready: Together<bool>,
    numbers: Together<axum::body::Bytes>,
}

/// A question whose answer serves everybody who asked before it was put.
#[derive(Debug, Default)]
struct Together<T> {
    asked: AtomicU64,
    /// The newest answer, and the how-manieth question it answers.
    answered: Mutex<Option<(u64, T)>>,
}

impl<T: Clone> Together<T> {
    async fn ask<F: Future<Output = T>>(&self, question: impl FnOnce() -> F) -> T {
        let before = self.asked.load(Ordering::SeqCst);
        let mut answered = self.answered.lock().await;
        if let Some((number, answer)) = &*answered
            && *number > before
        {
            return answer.clone();
        }
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = question().await;
        *answered = Some((number, answer.clone()));
        answer
    }
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
    set("bursar_restored_copy", i64::from(health.restored.is_some()));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn who_asks_together_is_answered_together_and_never_with_the_past() {
        let (together, put) = (Together::default(), Arc::new(AtomicU64::new(0)));
        let ask = || {
            let put = Arc::clone(&put);
            together.ask(move || async move {
                let number = put.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::task::yield_now().await;
                number
            })
        };
        let answers = join_all((0..100).map(|_| ask())).await;
        assert_eq!(answers.iter().filter(|answer| **answer == 1).count(), 1, "the first put it");
        assert_eq!(put.load(Ordering::SeqCst), 2, "and one more was put for all who came meanwhile");
        assert_eq!(ask().await, 3, "whoever comes later is told what is, not what was");
    }
}
