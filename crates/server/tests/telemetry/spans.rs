//! Spans at a collector: requests, jobs and calls to Stripe, under the trace of whoever called, nobody's id in them.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use reqwest::Method;
use serde_json::json;

use crate::collector::{Collector, attribute};
use crate::installation::{Installation, until};

const CALLERS_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLERS_SPAN: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn requests_jobs_and_calls_to_stripe_reach_the_collector() {
    let collector = Collector::start().await;
    let mut installation = Installation::serve(Some(&collector.url), "warn").await;
    let made = installation.stripe.trigger("invoice.payment_failed", json!({})).unwrap();
    let invoice = made["event"]["data"]["object"]["id"].as_str().unwrap();
    let path = format!("/cases?object={invoice}");
    until("a case", async || {
        let cases = installation.api("operator", Method::GET, &path, None).await;
        cases["data"].get(0).cloned()
    })
    .await;
    let told = ask_as_a_caller_with_a_trace(&installation, &path).await;
    installation.end().await;

    let resource = collector.resource();
    assert_eq!(attribute(&resource, "service.name").as_deref(), Some("bursar"));
    assert_eq!(attribute(&resource, "service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert!(
        collector.authorization().iter().all(|value| value.starts_with("Bearer ")),
        "headers of the environment"
    );
    let spans = collector.spans();
    let request = spans
        .iter()
        .find(|span| hex::encode(&span.parent_span_id) == CALLERS_SPAN)
        .expect("a parent is a parent");
    assert_eq!(
        (request.name.as_str(), hex::encode(&request.trace_id)),
        ("GET /api/v1/cases", CALLERS_TRACE.to_owned())
    );
    assert_eq!(
        told,
        format!("00-{CALLERS_TRACE}-{}-01", hex::encode(&request.span_id)),
        "the answer names the span"
    );
    assert_eq!(request.kind(), SpanKind::Server);
    let of_request = |key: &str| attribute(&request.attributes, key);
    assert_eq!(of_request("http.request.method").as_deref(), Some("GET"));
    assert_eq!(of_request("http.route").as_deref(), Some("/api/v1/cases"));
    assert_eq!(of_request("http.response.status_code").as_deref(), Some("200"));
    the(&spans, "POST /ingest/stripe");

    let job = the(&spans, "job decide");
    assert_eq!(attribute(&job.attributes, "kind").as_deref(), Some("decide"));
    assert_eq!(
        attribute(&job.attributes, "lane"),
        Some(format!("{}/test", installation.stripe.account_id()))
    );
    assert_eq!(attribute(&job.attributes, "attempts").as_deref(), Some("1"));
    let call =
        spans.iter().find(|span| span.name == "GET /v1/invoices/{id}").expect("the case's invoice was read");
    assert_eq!(call.kind(), SpanKind::Client);
    assert_eq!(attribute(&call.attributes, "http.response.status_code").as_deref(), Some("200"));
    let decide = spans.iter().find(|span| span.span_id == call.parent_span_id).expect("a read has a job");
    assert_eq!((decide.name.as_str(), &decide.trace_id), ("job decide", &call.trace_id));
    no_ids_or_queries(&spans);
}

/// Answers the `traceparent` that came back.
async fn ask_as_a_caller_with_a_trace(installation: &Installation, path: &str) -> String {
    let request = installation.request(Method::GET, &format!("/api/v1{path}"));
    let request = request.bearer_auth(installation.token("operator"));
    let answer =
        request.header("traceparent", format!("00-{CALLERS_TRACE}-{CALLERS_SPAN}-01")).send().await.unwrap();
    answer.headers()["traceparent"].to_str().unwrap().to_owned()
}

#[track_caller]
fn the<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let names = || spans.iter().map(|span| span.name.as_str()).collect::<std::collections::BTreeSet<_>>();
    let span = spans
        .iter()
        .find(|span| span.name == name)
        .unwrap_or_else(|| panic!("{name} is not in {:?}", names()));
    assert_ne!(span.status.as_ref().map(Status::code), Some(StatusCode::Error), "{span:?}");
    span
}

/// Names of spans and values of attributes come from lists of our own; the lane is the one id among them.
fn no_ids_or_queries(spans: &[Span]) {
    for span in spans {
        assert!(span.events.is_empty(), "log lines stay in the log: {span:?}");
        let values = span.attributes.iter().filter(|attribute| attribute.key != "lane");
        let values = values.filter_map(|value| attribute(&span.attributes, &value.key)).collect::<Vec<_>>();
        for text in values.iter().chain([&span.name]) {
            for id in ["cus_", "in_1", "ch_", "pi_", "sub_", "evt_", "case_", "prop_", "?", "@"] {
                assert!(!text.contains(id), "{text} in {span:?}");
            }
        }
    }
}
