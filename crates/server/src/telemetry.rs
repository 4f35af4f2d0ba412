//! Logs to standard error, structured where nobody looks at them live; metrics for whoever scrapes. No secret ever reaches
//! either: secrets do not print.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is like `info,bursar_engine=debug`; what does not parse falls back to warnings.
pub fn start_logs(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process, as in tests, is no error.
    let _ = if std::io::stderr().is_terminal() { builder.compact().try_init() } else { builder.json().try_init() };
}

/// Starts counting; nothing when somebody counts already.
pub fn start_metrics() -> Option<PrometheusHandle> {
    let handle = PrometheusBuilder::new().install_recorder().ok()?;
    metrics::gauge!("bursar_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Some(handle)
}
