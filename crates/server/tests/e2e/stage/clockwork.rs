//! The engine in this process, beside a simulated Stripe, on a machine clock that the test moves: a minute of waiting takes
//! no minute.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bursar_connectors::mail::{MailSettings, SmtpMail};
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_engine::{Clocks, Connection, Engine, HomeMoney, PlaybookSettings, Settings};
use bursar_fake_stripe::{FakeStripe, Options, Size};
use bursar_stripe::currency::Currency;
use serde_json::Value;

/// How far the clock is moved at a time.
const STEP_S: i64 = 5;
const STEPS_MAX: i64 = 60;
/// How long a look takes to come round: the workers notice a timer within a fifth of a second.
const LOOKS_PER_STEP: usize = 15;
const LOOK: Duration = Duration::from_millis(20);
const RECOVERY: &str = include_str!("../../../../../policies/playbooks/recovery.toml");

pub struct Clockwork {
    pub engine: Engine,
    pub stripe: FakeStripe,
    machine: Arc<AtomicI64>,
}

impl Clockwork {
    /// `mail_port` is where a mail server is, or is not.
    pub async fn start(folder: &Path, mail_port: Option<u16>) -> Self {
        let stripe = FakeStripe::open(Options::default()).unwrap();
        stripe.populate(Size::Small).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = stripe.clone();
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        let (business, machine) = (stripe.clock(), Arc::new(AtomicI64::new(stripe.now_s() * 1_000_000)));
        let reading = Arc::clone(&machine);
        let clocks = Clocks::given(
            move || BusinessTime::from_unix_s(business.now_s()),
            move || MachineTime::from_micros(reading.load(Ordering::SeqCst)),
        );
        let settings = settings(folder, &stripe, address, mail_port);
        let engine = Engine::open(settings, clocks).await.unwrap();
        engine.start().await.unwrap();
        Self { engine, stripe, machine }
    }

    /// Moves the machine's clock, a few seconds at a time, until `find` finds something; answers that, and how many
    /// seconds it took.
    pub async fn until<T>(&self, what: &str, find: impl AsyncFn() -> Option<T>) -> (T, i64) {
        for step in 0..STEPS_MAX {
            // Work that is due is done before time goes on.
            for _ in 0..LOOKS_PER_STEP {
                if let Some(found) = find().await {
                    return (found, step * STEP_S);
                }
                tokio::time::sleep(LOOK).await;
            }
            self.machine.fetch_add(STEP_S * 1_000_000, Ordering::SeqCst);
        }
        panic!("{} s of machine time were not enough for {what}", STEPS_MAX * STEP_S);
    }

    /// A whole case by its id.
    pub async fn case(&self, id: &Value) -> Value {
        self.engine.case(&id.as_str().unwrap().parse().unwrap()).await.unwrap()
    }
}

fn settings(
    folder: &Path,
    stripe: &FakeStripe,
    address: std::net::SocketAddr,
    mail_port: Option<u16>,
) -> Settings {
    let connection = Connection {
        name: "main".to_owned(),
        api_base: format!("http://{address}"),
        key: stripe.secret_key().into(),
        webhook_secrets: Vec::new(),
        connect_webhook_secrets: Vec::new(),
        connected: Vec::new(),
        poll: true,
        poll_interval: Duration::from_millis(200),
        first_poll_back: Duration::from_mins(1),
        webhook: false,
        mode: Mode::Automate,
        requests_per_second: 1_000,
    };
    let mail = mail_port.map(|port| {
        let server = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let settings = MailSettings::loopback(server, "Northwind Billing <billing@northwind.example>");
        Arc::new(SmtpMail::new(settings).unwrap())
    });
    let recovery = PlaybookSettings { body: toml::from_str(RECOVERY).unwrap() };
    Settings {
        store: bursar_store::Options::sqlite(folder, "node_clockwork"),
        connections: vec![connection],
        policies: bursar_policy::default_set(),
        playbooks: BTreeMap::from([("recovery".to_owned(), recovery)]),
        home: HomeMoney { currency: Currency::USD, rates: BTreeMap::new() },
        assist_role: Role::Operator,
        approval_expiry: Duration::from_hours(24),
        mail,
        mirror_age_max: Duration::from_mins(10),
        workers: 2,
        zone: jiff::tz::TimeZone::UTC,
        separation: bursar_engine::Separation::AsInstalled,
        clock: bursar_engine::ClockTrust::Compared,
        node_silence: Duration::from_secs(8),
        alerts: None,
    }
}
