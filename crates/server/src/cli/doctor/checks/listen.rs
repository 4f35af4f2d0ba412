//! The address can be bound, or a running installation of ours holds it; it is not open to the world unprotected.

use std::net::TcpListener;

use super::Finding;
use crate::cli::session::Session;
use crate::config::Config;

pub fn check(config: &Config, session: &Session) -> Vec<Finding> {
    let server = &config.settings.server;
    let address = server.listen.0;
    let mut found = vec![match TcpListener::bind(address) {
        Ok(_) => Finding::well("server.listen", format!("{address} is free")),
        Err(_) if session.installation().is_ok() => {
            Finding::well("server.listen", format!("{address} is held, as by a running installation"))
        }
        Err(error) => Finding::sick(
            "server.listen",
            format!("{address}: {error}"),
            "choose another: [server] listen = \"…\"",
        ),
    }];
    let protected = server.public_url.as_ref().is_some_and(|url| url.as_str().starts_with("https://"));
    if !address.ip().is_loopback() && !protected {
        let fix = "put TLS in front and say so: [server] public_url = \"https://…\"";
        found.push(Finding::doubtful(
            "server.exposed",
            format!("{address} is open beyond this machine, in clear"),
            fix,
        ));
    }
    found
}
