//! The `bursar` binary: HTTP, console, command line, configuration.

mod alerts;
mod cli;
mod config;
mod demo;
mod held;
mod http;
mod service;
mod setup;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    // One provider for every TLS connection of the process. A second installation is the only way to fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::main()
}
