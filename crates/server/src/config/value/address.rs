//! Addresses we listen on and call.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use super::text_value;

/// An address and a port; port 0 lets the system choose. A port alone listens on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

text_value!(ListenAddress, "examples": ["127.0.0.1:7171"]);

impl ListenAddress {
    pub const fn loopback(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let loopback = text.strip_prefix("localhost").unwrap_or(text);
        let port = loopback.strip_prefix(':').unwrap_or(loopback);
        if let Ok(port) = port.parse() {
            return Ok(Self::loopback(port));
        }
        text.parse()
            .map(Self)
            .map_err(|_| "expected an address and a port, such as 127.0.0.1:7171".to_owned())
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// `http://…` or `https://…` without user, query or fragment, and without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(String);

text_value!(HttpUrl, "format": "uri");

impl HttpUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HttpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The text is not repeated: a user and password may stand in it.
        let refused =
            || "expected http:// or https:// and a host, without user, query or fragment".to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(refused)?;
        let host = rest.split('/').next().unwrap_or_default();
        let known = matches!(scheme, "http" | "https");
        let plain = !rest.contains(['?', '#', '@', ' ']) && !rest.chars().any(char::is_control);
        if !known || host.is_empty() || host.starts_with(':') || !plain {
            return Err(refused());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
