//! The checks, in the order in which their answers matter: a configuration that cannot be read leaves the rest unasked.

mod audit;
mod data;
mod installation;
mod listen;
mod outside;
mod policies;
mod secrets;
mod stripe;

use super::finding::Finding;
use crate::cli::session::Session;
use crate::config::{self, Config};

/// Every check of a readable configuration. Each is quick and changes nothing.
const CHECKS: &[fn(&Config, &Session) -> Vec<Finding>] = &[
    data::check,
    secrets::check,
    policies::check,
    stripe::check,
    outside::check,
    installation::check,
    listen::check,
    audit::check,
];

pub fn all(session: &Session) -> Vec<Finding> {
    let config = match config::load(&session.options(), &session.environment) {
        Ok(config) => config,
        Err(errors) => {
            let plain = |text: String| anstream::adapter::strip_str(&text).to_string();
            let headline = |text: String| text.lines().next().unwrap_or_default().to_owned();
            let problems = errors.0.iter().map(|error| headline(plain(error.to_string())));
            return problems
                .map(|problem| Finding::sick("config.read", problem, "bursar config check"))
                .collect();
        }
    };
    let file = config.file.as_ref().map(|file| file.display().to_string());
    let mut findings =
        vec![Finding::well("config.read", file.unwrap_or_else(|| "no file, all defaults".to_owned()))];
    findings.extend(CHECKS.iter().flat_map(|check| check(&config, session)));
    findings
}
