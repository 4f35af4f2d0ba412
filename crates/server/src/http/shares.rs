//! Shares of the work. Webhooks, the API, the console and decisions of people each have room of their own: a flood of one
//! sort does not keep out another, and people can vote and stop things whatever else comes in. Probes need no room. A body
//! is read before room is taken, so that slow senders hold none.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::api::body::BYTES_MAX;
use super::headers::closing;
use super::problem::Problem;

/// Deliveries that are verified, parsed or wait for their commit. More than the line of events holds for one lane, so that
/// one lane alone does not fill it.
const WEBHOOKS: usize = 2_048;
const API: usize = 16;
const CONSOLE: usize = 16;
const DECISIONS: usize = 8;
/// How long people and scripts wait for their turn before they are asked to come again. Stripe does not wait at all.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Shares {
    pub(super) webhooks: Arc<Semaphore>,
    pub(super) api: Arc<Semaphore>,
    pub(super) console: Arc<Semaphore>,
    pub(super) decisions: Arc<Semaphore>,
}

impl Default for Shares {
    fn default() -> Self {
        let of = |room| Arc::new(Semaphore::new(room));
        Self { webhooks: of(WEBHOOKS), api: of(API), console: of(CONSOLE), decisions: of(DECISIONS) }
    }
}

pub async fn of_webhooks(State(shares): State<Shares>, request: Request, next: Next) -> Response {
    let Ok(_room) = shares.webhooks.try_acquire_owned() else {
        metrics::counter!("bursar_webhook_not_kept_total").increment(1);
        let after = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
        return (StatusCode::SERVICE_UNAVAILABLE, after, "not kept; please send it again").into_response();
    };
    next.run(request).await
}

pub async fn of_api(State(shares): State<Shares>, request: Request, next: Next) -> Response {
    take_turn(&shares.decisions, &shares.api, request, next).await
}

pub async fn of_console(State(shares): State<Shares>, request: Request, next: Next) -> Response {
    take_turn(&shares.decisions, &shares.console, request, next).await
}

async fn take_turn(
    decisions: &Arc<Semaphore>,
    others: &Arc<Semaphore>,
    request: Request,
    next: Next,
) -> Response {
    let share = if decides(request.method(), request.uri().path()) { decisions } else { others };
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, BYTES_MAX).await else {
        let message = "the body is too large, or broke off; nothing was done";
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
        return closing(problem.into_response());
    };
    match turn(share).await {
        Some(_room) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        None => busy().into_response(),
    }
}

async fn turn(share: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    tokio::time::timeout(PATIENCE, Arc::clone(share).acquire_owned()).await.ok()?.ok()
}

fn busy() -> Problem {
    metrics::counter!("bursar_requests_refused_total").increment(1);
    Problem {
        retry_after_s: Some(1),
        ..Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "too many requests of this sort at once: nothing was done, please come again",
        )
    }
}

/// What people decide by: votes, and stopping things.
fn decides(method: &Method, path: &str) -> bool {
    let votes = path.ends_with("/approve") || path.ends_with("/reject");
    (method == Method::POST && votes) || (method != Method::GET && path.contains("/kill_switches"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_told_from_everything_else() {
        for (method, path, expected) in [
            (Method::POST, "/approvals/apreq_1/approve", true),
            (Method::POST, "/approvals/apreq_1/reject", true),
            (Method::POST, "/kill_switches", true),
            (Method::DELETE, "/kill_switches/all", true),
            (Method::GET, "/approvals/apreq_1/approve", false),
            (Method::GET, "/approvals", false),
            (Method::POST, "/refund_requests", false),
        ] {
            assert_eq!(decides(&method, path), expected, "{method} {path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_comes_or_is_given_up_after_a_while() {
        let share = Arc::new(Semaphore::new(1));
        let first = turn(&share).await;
        assert!(first.is_some());
        let (second, ()) = tokio::join!(turn(&share), async {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(first);
        });
        assert!(second.is_some());
        assert!(turn(&share).await.is_none());
    }
}
