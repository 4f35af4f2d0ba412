//! What this installation is told: a flag wins over an environment variable, which wins over the file, which wins over
//! the default, and every value knows which of them it came from.
//!
//! Promises: unknown keys are errors that name the nearest known one; secrets never appear in an error, in `Debug`, or
//! in what is shown; nothing else in this crate reads the environment.

pub mod alerts;
mod check;
mod environment;
mod fetch;
mod file;
pub mod mail;
mod mask;
mod node;
mod origin;
pub mod paths;
mod read;
mod rules;
pub mod schema;
mod secret;
mod settings;
pub mod show;
pub mod value;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use value::StorageUrl;

use crate::cli::code::Code;
use crate::cli::failure::Failure;

pub use check::nearest;
pub use environment::Environment;
pub use origin::Origin;
pub use read::{anchor_file, data_dir, is_elsewhere, load, names_installation, new_data_dir};
pub use secret::{KeptIn, Secret};
pub use settings::{Settings, Stripe, Telemetry};

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct CliOptions {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// Settings given as flags: path, value, and the flag as it is typed.
    pub flags: Vec<(&'static str, String, &'static str)>,
}

/// The configuration in force.
#[derive(Debug)]
pub struct Config {
    pub settings: Settings,
    /// Absolute. Holds the database unless `storage.url` says otherwise, and what a running installation says of itself.
    pub data_dir: PathBuf,
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
    /// Worth saying, no reason to stop.
    pub warnings: Vec<Failure>,
    /// By path; what is missing has its default.
    pub origins: BTreeMap<String, Origin>,
}

impl Config {
    /// Where the data lies, as the store wants it.
    pub fn store_options(&self, node: String) -> Result<bursar_store::Options, Failure> {
        let storage = &self.settings.storage;
        let expose = |secret: &Secret| secret.expose().expose_secret().to_owned();
        let postgres = match &storage.url {
            StorageUrl::Sqlite(_) => None,
            StorageUrl::Postgres(url) => Some(bursar_store::PostgresUrl {
                url: url.clone(),
                password: storage.password.as_ref().map(expose),
            }),
        };
        let master_key = match &storage.master_key {
            None => None,
            Some(secret) => Some(bursar_store::MasterKey::parse(&expose(secret)).ok_or_else(|| {
                Failure::new(
                    Code::ConfigWrongValue,
                    "`storage.master_key` is no key of 64 hexadecimal digits",
                )
                .help("copy `master.key` of the node that was started first")
            })?),
        };
        Ok(bursar_store::Options {
            postgres,
            master_key,
            anchor: storage.anchor.clone(),
            ..bursar_store::Options::sqlite(&self.data_dir, node)
        })
    }
}

/// Everything that is wrong with the configuration, by path.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<Failure>);

impl From<Failure> for ConfigErrors {
    fn from(failure: Failure) -> Self {
        Self(vec![failure])
    }
}

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, failure) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(out, "{gap}{failure}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests;
