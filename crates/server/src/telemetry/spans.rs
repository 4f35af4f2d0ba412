//! Spans to a collector over OTLP, HTTP and protobuf. They wait in a queue with an end and go out in batches from a thread
//! of their own: when the collector is slow or away, spans are lost and nothing else happens.

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::sender::Sender;
use crate::config::value::HttpUrl;

/// Spans that wait; what comes on top is dropped.
const WAITING_MAX: usize = 2_048;
const BATCH_MAX: usize = 512;
const SEND_EVERY: Duration = Duration::from_secs(5);
/// One batch and its repeats.
const SEND_TIME: Duration = Duration::from_secs(5);
/// What is left is sent for this long when the process ends.
const END_TIME: Duration = Duration::from_secs(3);

/// Where the OTLP endpoint takes spans.
const PATH: &str = "/v1/traces";

/// The way of spans to their collector. Dropped, it sends what waits and ends.
pub struct Spans {
    provider: SdkTracerProvider,
}

impl Spans {
    pub fn to(endpoint: &HttpUrl) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender::new(SEND_TIME)?)
            .with_endpoint(traces_url(endpoint))
            .with_timeout(SEND_TIME)
            .build()
            .context("the exporter of spans cannot be built")?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(SEND_EVERY)
            .build();
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let provider =
            SdkTracerProvider::builder().with_span_processor(batches).with_resource(resource()).build();
        Ok(Self { provider })
    }

    /// Takes our own spans and nothing else: no log lines, no spans of libraries, no names of threads and files.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("bursar"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("bursar")))
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(END_TIME) {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

/// The endpoint is that of the collector, or already that of its spans.
fn traces_url(endpoint: &HttpUrl) -> String {
    let base = endpoint.as_str();
    if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") }
}

/// Who sends. `OTEL_RESOURCE_ATTRIBUTES` may add to it.
fn resource() -> Resource {
    Resource::builder()
        .with_service_name("bursar")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_may_name_the_collector_or_its_path_for_spans() {
        for (endpoint, expected) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("https://otlp.example.com/otlp/", "https://otlp.example.com/otlp/v1/traces"),
            ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        ] {
            assert_eq!(traces_url(&endpoint.parse().unwrap()), expected);
        }
    }
}
