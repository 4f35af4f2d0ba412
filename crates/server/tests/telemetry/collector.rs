//! A collector that takes spans over OTLP and HTTP as others do, and keeps every byte.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

#[derive(Debug, Default)]
struct Received {
    bodies: Vec<Bytes>,
    authorization: Vec<String>,
}

pub struct Collector {
    pub url: String,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Received>>::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&received));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received }
    }

    pub fn bodies(&self) -> Vec<Bytes> {
        self.received.lock().unwrap().bodies.clone()
    }

    /// What senders signed in with.
    pub fn authorization(&self) -> Vec<String> {
        self.received.lock().unwrap().authorization.clone()
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let bodies = self.bodies();
        bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).expect("protobuf")).collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let of_resource = self.requests().into_iter().flat_map(|request| request.resource_spans);
        of_resource.flat_map(|spans| spans.scope_spans).flat_map(|spans| spans.spans).collect()
    }

    /// Attributes of whoever sent the first batch.
    pub fn resource(&self) -> Vec<KeyValue> {
        let first = self.requests().into_iter().next().expect("a batch");
        first.resource_spans.into_iter().next().unwrap().resource.unwrap().attributes
    }
}

async fn take(
    State(received): State<Arc<Mutex<Received>>>,
    headers: HeaderMap,
    body: Bytes,
) -> [(header::HeaderName, &'static str); 1] {
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    let mut received = received.lock().unwrap();
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        received.authorization.push(value.to_str().unwrap().to_owned());
    }
    received.bodies.push(body);
    // An empty message: everything was taken.
    [(header::CONTENT_TYPE, "application/x-protobuf")]
}

/// An attribute as text, whatever its type; nothing when it is not there.
pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    Some(match value {
        any_value::Value::StringValue(text) => text,
        any_value::Value::IntValue(number) => number.to_string(),
        any_value::Value::BoolValue(yes) => yes.to_string(),
        other => panic!("{key} is {other:?}"),
    })
}
