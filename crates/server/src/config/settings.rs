//! Every setting there is, with its type and default. Keys that do not stand here are errors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bursar_domain::mode::Mode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::alerts::Alerts;
use super::mail::Mail;
use super::secret::Secret;
use super::value::{
    CurrencyCode, Day, Decimal, HttpUrl, IngestSource, ListenAddress, Span, StorageUrl, Zone,
};

/// The settings of an installation of Bursar.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub server: Server,
    pub storage: Storage,
    /// One section for each Stripe account: `[stripe.main]`.
    #[serde(default)]
    pub stripe: BTreeMap<String, Stripe>,
    #[serde(default)]
    pub money: Money,
    #[serde(default)]
    pub approvals: Approvals,
    #[serde(default)]
    pub mail: Mail,
    #[serde(default)]
    pub alerts: Alerts,
    #[serde(default)]
    pub policies: Policies,
    #[serde(default)]
    pub telemetry: Telemetry,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Console, API and webhooks. Port 0 lets the system choose.
    pub listen: ListenAddress,
    /// How people and Stripe reach this installation from outside; links in mails are made of it.
    pub public_url: Option<HttpUrl>,
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: ListenAddress::loopback(7171), public_url: None }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// `sqlite://` and the path of a file, or `postgres://user@host/database` for any number of nodes. Without it,
    /// `bursar.db` in the data directory.
    pub url: StorageUrl,
    /// Of the `PostgreSQL` user.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The key that seals contents, 64 hexadecimal digits: what all nodes of an installation share. Without it,
    /// `master.key` in the data directory.
    #[serde(default)]
    pub master_key: Option<Secret>,
    /// The file that remembers, outside the database, where the audit chain had come to: by it a restored copy is noticed.
    /// Without it, `anchor.json` in the data directory.
    #[serde(default)]
    pub anchor: Option<PathBuf>,
}

/// One Stripe account.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stripe {
    /// A restricted key is enough: `bursar connect stripe` says which permissions it needs.
    pub api_key: Option<Secret>,
    /// Of the endpoint for the account's own events. Two while a secret is rotated.
    pub webhook_secrets: Vec<Secret>,
    /// Of the endpoint for events of connected accounts.
    pub connect_webhook_secrets: Vec<Secret>,
    /// Any base URL that speaks Stripe's API.
    pub api_base: HttpUrl,
    /// How far playbooks may go on this account until `bursar mode` says otherwise.
    #[schemars(schema_with = "mode")]
    pub mode: Mode,
    pub ingest: Vec<IngestSource>,
    /// How often Stripe is asked for events.
    pub poll_interval: Span,
    /// Connected accounts whose events are expected: `acct_…`.
    pub connected_accounts: Vec<String>,
    /// Requests that Bursar allows itself in a second; Stripe allows 25 in test mode, 100 in live mode.
    pub requests_per_second: u32,
}

impl Stripe {
    pub const API_BASE: &str = "https://api.stripe.com";
}

impl Default for Stripe {
    fn default() -> Self {
        Self {
            api_key: None,
            webhook_secrets: Vec::new(),
            connect_webhook_secrets: Vec::new(),
            api_base: Self::API_BASE.parse().expect("Stripe's own address is a URL"),
            mode: Mode::Observe,
            ingest: vec![IngestSource::Poll],
            poll_interval: Span::seconds(10),
            connected_accounts: Vec::new(),
            requests_per_second: 20,
        }
    }
}

fn mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": Mode::ALL.map(Mode::as_str)})
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Money {
    /// Limits in policies are amounts of it.
    pub home_currency: CurrencyCode,
    /// Business days, ends of months and quiet hours are of this zone.
    pub timezone: Zone,
    /// What one unit of a currency is worth in the home currency. Without a rate, policies ask.
    pub rates: Vec<Rate>,
}

impl Default for Money {
    fn default() -> Self {
        Self {
            home_currency: CurrencyCode(bursar_stripe::Currency::parse("usd").expect("usd is in the table")),
            timezone: Zone(jiff::tz::TimeZone::UTC),
            rates: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub currency: CurrencyCode,
    /// Home currency for one unit, in quotes: `"1.0850"`.
    #[serde(rename = "rate")]
    pub value: Decimal,
    /// The day the rate is of.
    pub date: Day,
    /// Who published it; shown on cards.
    pub source: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Approvals {
    /// How long a question stays open where its policy says nothing.
    pub default_expiry: Span,
    /// One person may approve what they asked for themselves. Shown on every card.
    pub single_operator: bool,
}

impl Default for Approvals {
    fn default() -> Self {
        Self { default_expiry: Span::seconds(24 * 3600), single_operator: false }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// Folder of the policy files, seen from the configuration file. Without it, the built-in default set.
    pub dir: Option<PathBuf>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// The collector that spans are sent to, over OTLP, HTTP and protobuf. Without it, nowhere.
    pub otlp_endpoint: Option<HttpUrl>,
    /// What is logged: `info`, or by part of the program `bursar=debug,warn`.
    pub log: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { otlp_endpoint: None, log: "info".to_owned() }
    }
}
