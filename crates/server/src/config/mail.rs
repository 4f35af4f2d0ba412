//! How mail leaves, as settings: a URL or its parts, checked to say one thing.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::Secret;

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Without it no mail is sent.
    pub smtp: Option<Smtp>,
    /// `Northwind Billing <billing@northwind.example>`.
    pub from: Option<String>,
    pub reply_to: Option<String>,
}

/// Reads and writes the same keys as `Keys`, and is complete once read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: Protection,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "none: loopback only. starttls: port 587. tls: encrypted from the first byte, port 465."
)]
pub enum Protection {
    None,
    Starttls,
    Tls,
}

impl Protection {
    fn port(self) -> u16 {
        match self {
            Protection::None => 25,
            Protection::Starttls => 587,
            Protection::Tls => 465,
        }
    }
}

/// The mail server: `url`, or `host` with `port` and `tls`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    /// `smtp://host:587` (upgraded by STARTTLS, plain on loopback) or `smtps://host:465`.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    tls: Option<Protection>,
    user: Option<String>,
    password: Option<Secret>,
}

#[derive(Debug)]
struct Contradiction(&'static str);

impl fmt::Display for Contradiction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl TryFrom<Keys> for Smtp {
    type Error = Contradiction;

    fn try_from(keys: Keys) -> Result<Self, Contradiction> {
        let (host, port, tls) = match (keys.url, keys.host) {
            (Some(_), Some(_)) => return Err(Contradiction("expected `url` or `host`, not both")),
            (None, None) => return Err(Contradiction("expected `url` or `host`")),
            (Some(url), None) => {
                let (host, port, tls) = split(&url)?;
                (host, keys.port.or(port), keys.tls.unwrap_or(tls))
            }
            (None, Some(host)) => {
                let tls = keys.tls.unwrap_or_else(|| plain_on_loopback(&host));
                (host, keys.port, tls)
            }
        };
        if keys.user.is_some() != keys.password.is_some() {
            return Err(Contradiction("expected `user` and `password` together"));
        }
        if tls == Protection::None && !is_loopback(&host) {
            return Err(Contradiction("mail without TLS is sent to this machine only"));
        }
        Ok(Self { port: port.unwrap_or(tls.port()), host, tls, user: keys.user, password: keys.password })
    }
}

impl From<Smtp> for Keys {
    fn from(smtp: Smtp) -> Self {
        Self {
            url: None,
            host: Some(smtp.host),
            port: Some(smtp.port),
            tls: Some(smtp.tls),
            user: smtp.user,
            password: smtp.password,
        }
    }
}

impl JsonSchema for Smtp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Smtp".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Keys::json_schema(generator)
    }
}

fn split(url: &str) -> Result<(String, Option<u16>, Protection), Contradiction> {
    let refused = || {
        Contradiction(
            "expected smtp://host:port or smtps://host:port, with user and password as keys of their own",
        )
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(refused)?;
    let rest = rest.trim_end_matches('/');
    if rest.contains(['@', '/', '?', '#']) {
        return Err(refused());
    }
    // An IPv6 address stands in brackets, which its colons need.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().map_err(|_| refused())?)),
        _ => (rest, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    match scheme {
        _ if host.is_empty() => Err(refused()),
        "smtp" => Ok((host.clone(), port, plain_on_loopback(&host))),
        "smtps" => Ok((host, port, Protection::Tls)),
        _ => Err(refused()),
    }
}

fn plain_on_loopback(host: &str) -> Protection {
    if is_loopback(host) { Protection::None } else { Protection::Starttls }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(keys: Value) -> Result<(String, u16, Protection), String> {
        let smtp: Result<Smtp, _> = serde_json::from_value(keys);
        smtp.map(|smtp| (smtp.host, smtp.port, smtp.tls)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_or_its_parts() {
        let told = |host: &str, port, tls| Ok((host.to_owned(), port, tls));
        assert_eq!(read(json!({"url": "smtp://mx.example"})), told("mx.example", 587, Protection::Starttls));
        assert_eq!(read(json!({"url": "smtps://mx.example"})), told("mx.example", 465, Protection::Tls));
        assert_eq!(read(json!({"url": "smtp://127.0.0.1:2525"})), told("127.0.0.1", 2525, Protection::None));
        assert_eq!(read(json!({"url": "smtp://[::1]:2525"})), told("::1", 2525, Protection::None));
        assert_eq!(read(json!({"host": "localhost"})), told("localhost", 25, Protection::None));
        assert_eq!(
            read(json!({"host": "mx.example", "tls": "tls"})),
            told("mx.example", 465, Protection::Tls)
        );
    }

    #[test]
    fn what_says_two_things_is_refused_and_shows_no_password() {
        for bad in [
            json!({}),
            json!({"url": "smtp://a", "host": "a"}),
            json!({"url": "http://a"}),
            json!({"url": "smtp://u:hunter2@a"}),
            json!({"host": "mx.example", "tls": "none"}),
            json!({"host": "mx.example", "user": "u"}),
        ] {
            let error = read(bad.clone()).expect_err("is refused");
            assert!(!error.contains("hunter2"), "{bad}");
        }
    }
}
