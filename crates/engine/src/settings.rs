//! What an engine is started with: already read, checked and free of file names and environment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bursar_connectors::mail::SmtpMail;
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_policy::PolicyFile;
use bursar_stripe::id::AccountId;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde_json::Value;

use crate::alerts::AlertSettings;
use crate::clock::ClockTrust;
use crate::home_money::HomeMoney;

#[derive(Clone)]
pub struct Settings {
    /// Where the data lies, and the name of this process in leases and in the audit, unique to this start.
    pub store: bursar_store::Options,
    pub connections: Vec<Connection>,
    pub policies: Vec<PolicyFile>,
    pub playbooks: BTreeMap<String, PlaybookSettings>,
    pub home: HomeMoney,
    /// Who is asked in assist mode.
    pub assist_role: Role,
    pub approval_expiry: Duration,
    /// Where letters go out; none means that letters wait.
    pub mail: Option<Arc<SmtpMail>>,
    /// How old the mirror may be for a decision, business time.
    pub mirror_age_max: Duration,
    pub workers: usize,
    /// Days of budgets begin at its midnight, and cards tell times in it.
    pub zone: TimeZone,
    pub separation: Separation,
    pub clock: ClockTrust,
    /// A node that said nothing for so long is taken for dead, and others take up its work.
    pub node_silence: Duration,
    /// Who is told when something is wrong with the installation itself; nobody when it is missing.
    pub alerts: Option<AlertSettings>,
}

/// Whether people may decide on what they asked for themselves, as the configuration says. It can take that away; only
/// `bursar init --single-operator` gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Separation {
    /// Nothing is said: as the installation has it.
    #[default]
    AsInstalled,
    /// Nobody may.
    Kept,
    /// They may, where the installation was set up so; else nothing starts.
    Waived,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("store", &self.store).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub struct PlaybookSettings {
    pub body: Value,
}

/// One Stripe account in one mode, as configured under `[stripe.<name>]`.
#[derive(Clone, Debug)]
pub struct Connection {
    pub name: String,
    pub api_base: String,
    pub key: SecretString,
    pub webhook_secrets: Vec<SecretString>,
    pub connect_webhook_secrets: Vec<SecretString>,
    /// Connected accounts whose events are expected.
    pub connected: Vec<AccountId>,
    pub poll: bool,
    pub poll_interval: Duration,
    /// How far back the very first poll looks; Stripe keeps events for 30 days.
    pub first_poll_back: Duration,
    /// Whether events are expected by webhook too, so that what only polling finds is a gap.
    pub webhook: bool,
    /// Every playbook's mode on this lane until somebody sets another.
    pub mode: Mode,
    /// Requests a second that Bursar allows itself.
    pub requests_per_second: u32,
}
