//! What every answer carries and every request must pass: our own host name, security headers, a request id.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::state::AppState;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'";

const FIXED: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("x-robots-tag", "noindex"),
];

/// Wraps every request.
pub async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(ToString::to_string);
    let host = host.map(str::to_owned).or(authority);
    let mut response = match host {
        Some(host) if state.hosts.allows(&host) => next.run(request).await,
        Some(_) => Problem::new(StatusCode::MISDIRECTED_REQUEST, "host_unknown", "this server has another name").into_response(),
        None => Problem::new(StatusCode::BAD_REQUEST, "host_missing", "a request names its host").into_response(),
    };
    let id = bursar_domain::id::encode(state.engine.entropy().id());
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&format!("req_{id}")) {
        headers.insert(HeaderName::from_static("request-id"), value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
