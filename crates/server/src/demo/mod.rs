//! The demo: a believable company inside a fake Stripe, the engine beside it, one process. Everything goes the real way:
//! signed webhooks over HTTP, letters over SMTP, approvals by people. It persists and resumes.

mod company;
mod state;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bursar_connectors::mail::listener::{Limits, MailListener};
use bursar_connectors::mail::mailbox::{Capacity, Mailbox};
use bursar_connectors::mail::{MailSettings, SmtpMail};
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_engine::{Clocks, Connection, Engine, HomeMoney, Rate, Settings};
use bursar_fake_stripe::{FakeStripe, Options, Size};
use bursar_stripe::currency::Currency;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http::state::Demo;
use crate::service::{self, Service, Start};
use crate::setup;
use state::Saved;

/// How a demo is wanted; what is not given is as it was, else the default.
#[derive(Clone, Debug)]
pub struct Wish {
    pub data_dir: std::path::PathBuf,
    pub seed: u64,
    pub speed: Option<u32>,
    pub listen: Option<std::net::SocketAddr>,
    pub stripe_listen: Option<std::net::SocketAddr>,
    pub size: Size,
}

/// A demo that runs.
pub struct Running {
    pub service: Service,
    /// What `bursar demo --json` prints.
    pub announcement: Value,
    pub customers: usize,
    stripe_served: JoinHandle<()>,
    mail_served: JoinHandle<()>,
    clock: JoinHandle<()>,
    stop: tokio::sync::watch::Sender<bool>,
}

/// How far back the first look at Stripe goes: enough for an inbox with work in it.
const FIRST_POLL_BACK: Duration = Duration::from_secs(3 * 86_400);
const POLL_EVERY: Duration = Duration::from_secs(5);

/// Starts everything and answers once it answers.
pub async fn start(
    wish: Wish,
    metrics: Option<metrics_exporter_prometheus::PrometheusHandle>,
) -> anyhow::Result<Running> {
    let data_dir = &wish.data_dir;
    setup::make_data_dir(data_dir).with_context(|| format!("making {}", data_dir.display()))?;
    let mut saved = Saved::load_or_make(&wish.data_dir, wish.seed)?;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let stripe = open_stripe(&wish, &saved).await?;
    let stripe_listener = state::bind(wish.stripe_listen, saved.stripe_port, 7173).await?;
    let listener = state::bind(wish.listen, saved.port, 7171).await?;
    let (address, stripe_address) = (listener.local_addr()?, stripe_listener.local_addr()?);
    (saved.port, saved.stripe_port) = (Some(address.port()), Some(stripe_address.port()));
    let speed = saved.keep_speed(wish.speed);
    saved.save(&wish.data_dir)?;
    let stripe_served = serve_stripe(stripe.clone(), stripe_listener, stopping.clone());
    let (mailbox, mail_listener) = open_mailbox(&wish, &stripe).await?;
    let mail_address = mail_listener.local_addr()?;
    let mail_served = serve_mail(mail_listener, stopping.clone());
    let business = stripe.clock();
    let clocks = Clocks::simulated(move || BusinessTime::from_unix_s(business.now_s()));
    let demo = Arc::new(Demo { mailbox, people: company::people(), speed });
    let start = Start {
        settings: settings(&wish, &saved, &stripe, stripe_address, mail_address)?,
        clocks,
        public_url: None,
        demo: Some(demo),
        metrics,
    };
    let service = Service::start(start, listener).await?;
    let tokens = company::settle(&service.engine, &mut saved).await?;
    saved.save(&wish.data_dir)?;
    let base = format!("http://{address}");
    register_webhooks(&stripe, &base, &saved)?;
    if !saved.has_requests {
        saved.has_requests = company::ask_for_refunds(&service.engine, &stripe).await?;
        saved.save(&wish.data_dir)?;
    }
    let announcement =
        announcement(&base, &format!("http://{stripe_address}"), &stripe, &saved, &wish, &tokens);
    std::fs::write(wish.data_dir.join("demo.json"), announcement.to_string())?;
    let clock = tokio::spawn(keep_time(stripe, speed));
    let customers = wish.size.customers();
    Ok(Running { service, announcement, customers, stripe_served, mail_served, clock, stop })
}

impl Running {
    pub fn engine(&self) -> &Engine {
        &self.service.engine
    }

    pub async fn stop(self) {
        self.clock.abort();
        self.service.stop().await;
        self.stop.send_replace(true);
        for task in [self.stripe_served, self.mail_served] {
            if tokio::time::timeout(Duration::from_secs(2), task).await.is_err() {
                tracing::debug!("a part of the demo took its time to end");
            }
        }
    }
}

async fn open_stripe(wish: &Wish, saved: &Saved) -> anyhow::Result<FakeStripe> {
    let options = Options {
        data_dir: Some(wish.data_dir.join("stripe")),
        seed: saved.seed,
        start_s: saved.start_s,
        ..Options::default()
    };
    let size = wish.size;
    tokio::task::spawn_blocking(move || {
        let stripe = FakeStripe::open(options)?;
        stripe.populate(size)?;
        Ok(stripe)
    })
    .await?
}

fn serve_stripe(
    stripe: FakeStripe,
    listener: TcpListener,
    mut stopping: tokio::sync::watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let until = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        if let Err(error) = stripe.serve(listener, until).await {
            tracing::error!(%error, "the fake Stripe stopped");
        }
    })
}

async fn open_mailbox(wish: &Wish, stripe: &FakeStripe) -> anyhow::Result<(Arc<Mailbox>, MailListener)> {
    let path = wish.data_dir.join("mailbox.jsonl");
    let mailbox = tokio::task::spawn_blocking(move || Mailbox::open(&path, Capacity::default())).await??;
    let mailbox = Arc::new(mailbox);
    let clock = stripe.clock();
    let clock = Arc::new(move || BusinessTime::from_unix_s(clock.now_s()));
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = MailListener::bind(any, Arc::clone(&mailbox), clock, Limits::default()).await?;
    Ok((mailbox, listener))
}

fn serve_mail(listener: MailListener, mut stopping: tokio::sync::watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        listener
            .serve(async move {
                let _ = stopping.wait_for(|stop| *stop).await;
            })
            .await;
    })
}

fn settings(
    wish: &Wish,
    saved: &Saved,
    stripe: &FakeStripe,
    stripe_address: std::net::SocketAddr,
    mail_address: std::net::SocketAddr,
) -> anyhow::Result<Settings> {
    let secret = SecretString::from(saved.webhook_secret.clone());
    let connection = Connection {
        name: "demo".to_owned(),
        api_base: format!("http://{stripe_address}"),
        key: SecretString::from(stripe.secret_key()),
        webhook_secrets: vec![secret.clone()],
        connect_webhook_secrets: vec![secret],
        connected: Vec::new(),
        poll: true,
        poll_interval: POLL_EVERY,
        first_poll_back: FIRST_POLL_BACK,
        webhook: true,
        mode: Mode::Automate,
        requests_per_second: 200,
    };
    let rate = |text| Rate::parse(text, "2026-11-20", "demo rates");
    let rates = [
        (Currency::EUR, rate("1.0850")?),
        (Currency::GBP, rate("1.2700")?),
        (Currency::JPY, rate("0.0066")?),
    ];
    let mail =
        SmtpMail::new(MailSettings::loopback(mail_address, "Northwind Billing <billing@northwind.example>"))?;
    Ok(Settings {
        store: bursar_store::Options::sqlite(&wish.data_dir, service::node_name()),
        connections: vec![connection],
        policies: bursar_policy::default_set(),
        playbooks: company::playbook_settings()?,
        home: HomeMoney { currency: Currency::USD, rates: rates.into() },
        assist_role: Role::Operator,
        approval_expiry: Duration::from_secs(86_400),
        mail: Some(Arc::new(mail)),
        mirror_age_max: Duration::from_secs(600),
        workers: 8,
        zone: jiff::tz::TimeZone::UTC,
        separation: bursar_engine::Separation::AsInstalled,
        clock: bursar_engine::ClockTrust::Compared,
        node_silence: service::NODE_SILENCE,
        alerts: None,
    })
}

fn register_webhooks(stripe: &FakeStripe, base: &str, saved: &Saved) -> anyhow::Result<()> {
    stripe.add_webhook(&format!("{base}/ingest/stripe"), &saved.webhook_secret, &["*"])?;
    stripe.add_connect_webhook(&format!("{base}/ingest/stripe/connect"), &saved.webhook_secret, &["*"])?;
    Ok(())
}

fn announcement(
    base: &str,
    stripe_url: &str,
    stripe: &FakeStripe,
    saved: &Saved,
    wish: &Wish,
    tokens: &Value,
) -> Value {
    json!({
        "console_url": base,
        "api_url": base,
        "ingest_url": format!("{base}/ingest/stripe"),
        "ingest_connect_url": format!("{base}/ingest/stripe/connect"),
        "webhook_secret": saved.webhook_secret,
        "stripe_url": stripe_url,
        "stripe_key": stripe.secret_key(),
        "proxy_url": null,
        "mcp_url": null,
        "mailbox_url": format!("{base}/mailbox"),
        "data_dir": wish.data_dir.display().to_string(),
        "tokens": tokens,
    })
}

/// Moves business time at its speed, in small steps. Speed 0 leaves it to whoever moves it.
async fn keep_time(stripe: FakeStripe, speed: u32) {
    if speed == 0 {
        return;
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let moving = stripe.clone();
        match tokio::task::spawn_blocking(move || moving.advance(speed)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "time could not be moved"),
            Err(error) => tracing::error!(%error, "time could not be moved"),
        }
    }
}
