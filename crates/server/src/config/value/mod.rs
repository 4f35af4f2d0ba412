//! The kinds of values a setting may have, each checked when it is read and written back as people wrote it.

mod address;
mod decimal;
mod span;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use bursar_stripe::Currency;
use serde::Deserialize;

use super::paths::DATABASE_NAME;

pub use address::{HttpUrl, ListenAddress};
pub use decimal::Decimal;
pub use span::Span;

/// Serialises through `Display`, reads through `FromStr`, and is text in the schema with this pattern or format.
macro_rules! text_value {
    ($name:ident, $($keyword:literal: $schema:expr),+) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", $($keyword: $schema),+})
            }
        }
    };
}
use text_value;

/// Where the data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageUrl {
    /// A file, which one process owns at a time.
    Sqlite(PathBuf),
    /// A database that any number of nodes share; the address holds no password.
    Postgres(String),
}

text_value!(StorageUrl, "examples": ["sqlite:///var/lib/bursar/bursar.db", "postgres://bursar@db.internal/bursar"]);

impl FromStr for StorageUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("sqlite", path)) if !path.contains(['?', '#']) => {
                let path = PathBuf::from(path);
                match path.file_name() {
                    Some(name) if name == DATABASE_NAME => Ok(StorageUrl::Sqlite(path)),
                    _ => Err(format!(
                        "the database is called {DATABASE_NAME}: sqlite:// and its folder/{DATABASE_NAME}"
                    )),
                }
            }
            Some(("postgres" | "postgresql", _)) => postgres(text),
            _ => Err("expected sqlite:///path/to/bursar.db or postgres://user@host/database".into()),
        }
    }
}

/// The address is shown in many places, so that no password may stand in it.
fn postgres(text: &str) -> Result<StorageUrl, String> {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (_, database) = place.split_once('/').unwrap_or((place, ""));
    // A password may hold a `/`, so that it is not only looked for before the first.
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') || options.split('&').any(|option| option.starts_with("password")) {
        return Err("holds a password: put it alone into storage.password = { file = \"…\" }".to_owned());
    }
    if database.is_empty() {
        return Err("names no database: postgres://user@host/database".to_owned());
    }
    Ok(StorageUrl::Postgres(text.to_owned()))
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageUrl::Sqlite(path) => write!(out, "sqlite://{}", path.display()),
            StorageUrl::Postgres(url) => out.write_str(url),
        }
    }
}

/// A currency, in capitals or small letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CurrencyCode(pub Currency);

text_value!(CurrencyCode, "pattern": "^[A-Za-z]{3}$");

impl FromStr for CurrencyCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Currency::parse(&text.to_ascii_lowercase());
        known.map(Self).map_err(|_| "expected a currency that Stripe takes, such as usd".to_owned())
    }
}

impl fmt::Display for CurrencyCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str())
    }
}

/// A zone of the time zone database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(pub jiff::tz::TimeZone);

text_value!(Zone, "examples": ["Europe/Berlin"]);

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let zone = jiff::tz::TimeZone::get(text);
        zone.map(Self).map_err(|_| "expected the name of a time zone, such as Europe/Berlin".to_owned())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// A day, as `2026-11-20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub jiff::civil::Date);

text_value!(Day, "format": "date");

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| "expected a day, such as 2026-11-20".to_owned())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Where new facts about Stripe come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(description = "poll: ask Stripe for events; needs no inbound port. webhook: Stripe calls us.")]
pub enum IngestSource {
    Poll,
    Webhook,
}

#[cfg(test)]
mod tests;
