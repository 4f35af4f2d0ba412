//! One span a request, named by its route: no path, no query, nobody's id. A caller's `traceparent` becomes its parent, and
//! the answer says under which trace the request can be found.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Wraps every request.
pub async fn follow(request: Request, next: Next) -> Response {
    let span = span_of(&request);
    let trace = join(&span, request.headers());
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    if let Some(value) = traceparent(&trace) {
        response.headers_mut().insert(TRACEPARENT, value);
    }
    response
}

/// Named as OpenTelemetry's conventions for HTTP have it.
fn span_of(request: &Request) -> Span {
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    tracing::info_span!(
        "request",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        trace_id = Empty,
    )
}

/// Anybody may send any word as a method; names of spans come from a closed list.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

/// Puts the span below the caller's, where there is one. The context is the span's, and the caller's when spans are sent
/// nowhere: then it is handed back as it came.
fn join(span: &Span, headers: &HeaderMap) -> SpanContext {
    let caller = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    let theirs = caller.span().span_context().clone();
    if theirs.is_valid() {
        // Fails where spans are sent nowhere.
        let _ = span.set_parent(caller);
    }
    let ours = span.context().span().span_context().clone();
    let trace = if ours.is_valid() { ours } else { theirs };
    if trace.is_valid() {
        span.record("trace_id", tracing::field::display(trace.trace_id()));
    }
    trace
}

/// The header of W3C's Trace Context, version 00.
fn traceparent(trace: &SpanContext) -> Option<HeaderValue> {
    let text = format!("00-{}-{}-{:02x}", trace.trace_id(), trace.span_id(), trace.trace_flags().to_u8());
    trace.is_valid().then(|| HeaderValue::from_str(&text).ok()).flatten()
}
