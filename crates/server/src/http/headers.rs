//! What every answer carries and every request must pass: our own host name, security headers, a request id.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::state::{AppState, Hosts};

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
    let mut response = match misdirected(&request, &state.hosts) {
        None => next.run(request).await,
        Some(problem) => problem.into_response(),
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

/// A request that is not for us. Its host may stand in the header, in the request line, or in both.
fn misdirected(request: &Request, hosts: &Hosts) -> Option<Problem> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let (header, second) = (headers.next(), headers.next());
    let named = header.map(|host| host.to_str().unwrap_or_default());
    let target = request.uri().authority().map(axum::http::uri::Authority::as_str);
    if second.is_some() || (named.is_none() && target.is_none()) {
        let message = "a request names its host, once";
        return Some(Problem::new(StatusCode::BAD_REQUEST, "host_missing", message));
    }
    let ours = named.into_iter().chain(target).all(|host| hosts.allows(host));
    (!ours).then(|| {
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "host_unknown", "this server has another name")
    })
}

/// An answer after which the connection is of no use: its request was not read to the end, or cannot be trusted.
pub fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
