//! Webhooks from Stripe: raw bytes in, one constant answer out. Signature first, then the event on disk, then 2xx.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bursar_engine::{Endpoint, Error, IngestAnswer};
use http_body_util::BodyExt as _;

use super::headers::closing;
use super::state::AppState;

/// Stripe's events are far smaller.
const BODY_MAX: usize = 1024 * 1024;

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/ingest/stripe", post(|state, request| take(state, Endpoint::Account, request)))
        .route("/ingest/stripe/connect", post(|state, request| take(state, Endpoint::Connect, request)))
}

async fn take(State(state): State<AppState>, endpoint: Endpoint, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // Whoever compresses has not read what is signed; and nothing is ever unpacked here.
    if parts.headers.contains_key(header::CONTENT_ENCODING) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the body as it was signed").into_response();
    }
    let length =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_MAX as u64) {
        return closing((StatusCode::PAYLOAD_TOO_LARGE, "the body is too large").into_response());
    }
    let bytes = match collect(body).await {
        Err(answer) => return closing(answer.into_response()),
        Ok(bytes) => bytes,
    };
    // Two signature headers are one too many to choose from.
    let mut signatures = parts.headers.get_all("stripe-signature").iter();
    let signature = match (signatures.next(), signatures.next()) {
        (Some(only), None) => only.to_str().ok(),
        _ => None,
    };
    if bytes.is_empty() {
        return not_believed();
    }
    match state.engine.ingest(endpoint, signature, &bytes).await {
        Ok(IngestAnswer::Accepted | IngestAnswer::Duplicate | IngestAnswer::Quarantined(_)) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], r#"{"received":true}"#)
                .into_response()
        }
        Ok(IngestAnswer::NotSigned(_)) => not_believed(),
        Err(error) => not_kept(&error),
    }
}

/// The same words whatever is wrong: who tries out signatures learns nothing.
fn not_believed() -> Response {
    (StatusCode::BAD_REQUEST, "the signature does not verify").into_response()
}

/// Nothing was kept: Stripe comes again.
fn not_kept(error: &Error) -> Response {
    metrics::counter!("bursar_webhook_not_kept_total").increment(1);
    let after = match error {
        Error::Unavailable { after, .. } => after.as_secs().max(1),
        _ => 1,
    };
    let mut response = (StatusCode::SERVICE_UNAVAILABLE, "not kept; please send it again").into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after));
    if matches!(error, Error::Stopping) {
        return closing(response);
    }
    if matches!(error, Error::Unavailable { .. }) {
        // Foreseen, counted, and far too many to write a line about each.
        tracing::debug!(%error, "a webhook is sent away");
    } else {
        tracing::error!(%error, "a webhook could not be kept");
    }
    response
}

async fn collect(mut body: Body) -> Result<Vec<u8>, (StatusCode, &'static str)> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| (StatusCode::BAD_REQUEST, "the body broke off"))?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > BODY_MAX {
                return Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}
