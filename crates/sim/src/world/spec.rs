//! How a world is wanted, and the settings of its engines.

use std::collections::BTreeMap;
use std::time::Duration;

use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_engine::{ClockTrust, Connection, HomeMoney, PlaybookSettings, Separation, Settings};
use bursar_fake_stripe::FakeStripe;
use bursar_fake_stripe::gate::Gate;
use bursar_policy::PolicyFile;
use bursar_store::Database;
use bursar_store::planted::Bug;
use bursar_stripe::currency::Currency;
use bursar_stripe::id::AccountId;
use secrecy::SecretString;
use serde_json::json;

/// What webhooks are signed with.
pub(super) const SECRET: &str = "whsec_of_the_world";
/// The connected account, where there is one.
pub(super) const SELLER: &str = "acct_1SellerOfTheWorld0";

/// Where a trial is made, from which seed, and with which bug planted, where one is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Where {
    pub(super) database: Database,
    pub(super) seed: u64,
    pub(super) bug: Option<Bug>,
}

impl Where {
    pub(super) fn spec(self) -> Spec {
        Spec { bug: self.bug, ..Spec::new(self.database, self.seed) }
    }
}

/// How a world is wanted.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own, and named where it is set")]
pub(super) struct Spec {
    pub(super) database: Database,
    pub(super) seed: u64,
    pub(super) bug: Option<Bug>,
    pub(super) nodes: usize,
    pub(super) polls: bool,
    /// A connected account beside the platform's.
    pub(super) connected: bool,
    /// Paying an invoice needs nobody.
    pub(super) pays_alone: bool,
    /// Customers are written to: what waits for the mail server that never comes does so for a day.
    pub(super) writes_letters: bool,
    /// Playbooks only say what they would do.
    pub(super) observes: bool,
    /// A person vouches for the clock.
    pub(super) clock_accepted: bool,
    /// Workers of an engine.
    pub(super) workers: usize,
    /// More policies than the usual ones.
    pub(super) policies: Vec<PolicyFile>,
}

impl Spec {
    pub(super) fn new(database: Database, seed: u64) -> Self {
        let text = include_str!("two.cedar");
        let policies = vec![PolicyFile::new("test/two.cedar", text)];
        Self {
            database,
            seed,
            bug: None,
            nodes: 1,
            polls: false,
            connected: false,
            pays_alone: false,
            writes_letters: true,
            observes: false,
            clock_accepted: false,
            workers: 4,
            policies,
        }
    }
}

const PAYS_ALONE: &str =
    "@id(\"test.pays\") permit (principal, action == Bursar::Action::\"invoice.pay\", resource);";

pub(super) fn settings(
    spec: &Spec,
    stripe: &FakeStripe,
    gate: &Gate,
    store: bursar_store::Options,
) -> Settings {
    let connected = spec.connected.then(|| AccountId::parse(SELLER).ok()).flatten();
    let connection = Connection {
        name: "main".to_owned(),
        api_base: gate.url(),
        key: SecretString::from(stripe.secret_key()),
        webhook_secrets: vec![SecretString::from(SECRET)],
        connect_webhook_secrets: vec![SecretString::from(SECRET)],
        connected: connected.into_iter().collect(),
        poll: spec.polls,
        poll_interval: Duration::from_millis(20),
        first_poll_back: Duration::from_hours(30 * 24),
        webhook: true,
        mode: if spec.observes { Mode::Observe } else { Mode::Automate },
        requests_per_second: 10_000,
    };
    let recovery = json!({"company": "Northwind SaaS", "support_address": "billing@northwind.example",
        "first_retry_after_h": 24, "retry_every_h": 72, "retries_max": 4, "letters_max": 3,
        "high_value": {"usd": "1000.00"}});
    let mut policies = bursar_policy::default_set();
    policies.extend(spec.policies.iter().cloned());
    if !spec.writes_letters {
        policies.retain(|file| !file.path.ends_with("messages.cedar"));
    }
    if spec.pays_alone {
        policies.retain(|file| !file.path.ends_with("payments.cedar"));
        policies.push(PolicyFile::new("test/payments.cedar", PAYS_ALONE));
    }
    Settings {
        store,
        node_silence: Duration::from_millis(800),
        connections: vec![connection],
        policies,
        playbooks: BTreeMap::from([("recovery".to_owned(), PlaybookSettings { body: recovery })]),
        home: HomeMoney { currency: Currency::USD, rates: BTreeMap::new() },
        assist_role: Role::Operator,
        approval_expiry: Duration::from_hours(24),
        mail: None,
        mirror_age_max: Duration::from_mins(10),
        workers: spec.workers,
        zone: jiff::tz::TimeZone::UTC,
        separation: Separation::AsInstalled,
        alerts: None,
        clock: if spec.clock_accepted { ClockTrust::Accepted } else { ClockTrust::Compared },
    }
}
