//! What people and machines learn of a running Bursar: logs on standard error, structured where nobody looks at them live;
//! numbers for whoever scrapes; spans for a collector where one is named. No secret ever reaches any of them: secrets do
//! not print. Whatever happens here, the engine neither waits nor fails.

#[cfg(test)]
mod deployed;
mod numbers;
mod sender;
mod spans;

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::PrometheusHandle;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::Telemetry;
use numbers::Numbers;
use spans::Spans;

/// Telemetry of a process. Dropped, it sends what is left, for a bounded time.
pub struct Guard {
    numbers: Option<Numbers>,
    /// Held for its end.
    _spans: Option<Spans>,
}

impl Guard {
    /// What `/metrics` renders; nothing when somebody else in this process counts already.
    pub fn metrics(&self) -> Option<PrometheusHandle> {
        self.numbers.as_ref().map(Numbers::handle)
    }
}

/// Starts logging, counting and, where an endpoint is named, sending spans. A second start in one process, as in tests,
/// is no error and changes nothing.
pub fn start(settings: &Telemetry) -> Guard {
    let (spans, refused) = match settings.otlp_endpoint.as_ref().map(Spans::to) {
        Some(Ok(spans)) => (Some(spans), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let layers = Registry::default().with(logs(&settings.log)).with(spans.as_ref().map(Spans::layer));
    let _ = layers.try_init();
    if let Some(why) = refused {
        tracing::error!(why = format!("{why:#}"), "spans are sent nowhere");
    }
    Guard { numbers: Numbers::start(), _spans: spans }
}

/// `filter` is like `info,bursar_engine=debug`; what does not parse falls back to warnings.
fn logs<S>(filter: &str) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    // A line that cannot be written, on a disk that is full, is lost. To complain of it there is tried by a macro that
    // panics when it cannot, in the middle of whatever was to be logged.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    if std::io::stderr().is_terminal() {
        lines.compact().with_filter(filter).boxed()
    } else {
        lines.json().with_current_span(false).with_filter(filter).boxed()
    }
}
