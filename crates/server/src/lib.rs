//! The `bursar` program: HTTP, console, command line, configuration. A library so that `fuzz/` reaches it as well as the binary.

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

/// The whole command line.
pub fn main() -> ExitCode {
    // One provider for every TLS connection of the process. A second installation is the only way to fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::main()
}

/// What the targets in `fuzz/` throw at.
#[cfg(feature = "fuzzing")]
pub mod fuzzing {
    pub use crate::config::{CliOptions, Environment, load, show};
    pub use crate::http::auth::{hash_of, new_token};
    pub use crate::http::{AppState, router};
    pub use crate::service::default_playbook_settings;
}
