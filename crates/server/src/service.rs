//! A running installation: engine settings from the configuration, the listener, the tasks, and an orderly end. The demo
//! runs the same thing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bursar_connectors::mail::{Deadlines, Login, MailSettings, Security, SmtpMail};
use bursar_domain::role::Role;
use bursar_engine::{
    ClockTrust, Clocks, Connection, Engine, HomeMoney, PlaybookSettings, Rate, Separation, Settings,
};
use bursar_policy::PolicyFile;
use bursar_stripe::id::AccountId;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

use crate::alerts;
use crate::config::mail::{Protection, Smtp};
use crate::config::value::IngestSource;
use crate::config::{Config, Stripe};
use crate::http::limits::{Limits, UNACCEPTED_MAX};
use crate::http::shares::Shares;
use crate::http::state::{Demo, Hosts};
use crate::http::{self, AppState};

/// Events are expected back this far at the very first poll.
const FIRST_POLL_BACK: Duration = Duration::from_secs(30 * 86_400);
/// Most of the time of a piece of work is waiting, for the commit that it shares with others or for Stripe.
const WORKERS: usize = 64;
/// Others take up a dead node's work within ten seconds.
pub const NODE_SILENCE: Duration = Duration::from_secs(8);
/// The embedded settings of the playbooks, as `bursar init` writes them.
const PLAYBOOK_SETTINGS: &[(&str, &str)] =
    &[("recovery", include_str!("../../../policies/playbooks/recovery.toml"))];

/// Everything the engine is started with.
pub fn engine_settings(config: &Config) -> anyhow::Result<Settings> {
    let policies = policies_dir(config)?;
    let mut connections = Vec::new();
    for (name, stripe) in &config.settings.stripe {
        connections.extend(connection(name, stripe)?);
    }
    Ok(Settings {
        store: config.store_options(node_name())?,
        connections,
        policies: policy_files(policies.as_deref())?,
        playbooks: playbook_settings(policies.as_deref())?,
        home: home_money(config),
        assist_role: Role::Operator,
        approval_expiry: config.settings.approvals.default_expiry.0,
        mail: mail(config)?.map(Arc::new),
        mirror_age_max: Duration::from_secs(600),
        workers: WORKERS,
        zone: config.settings.money.timezone.0.clone(),
        separation: if config.settings.approvals.single_operator {
            Separation::Waived
        } else {
            Separation::Kept
        },
        clock: ClockTrust::Compared,
        node_silence: NODE_SILENCE,
        alerts: alerts::settings(config)?,
    })
}

/// Unique to this start, so that leases and audit counts of two starts never meet.
pub fn node_name() -> String {
    let entropy = bursar_engine::Entropy::default();
    format!("node_{}", &bursar_domain::id::encode(entropy.id())[..12])
}

/// One account as the engine wants it; nothing where no key is configured.
pub fn connection(name: &str, stripe: &Stripe) -> anyhow::Result<Option<Connection>> {
    let Some(key) = &stripe.api_key else {
        tracing::warn!(connection = name, "no API key: nothing is read from this account");
        return Ok(None);
    };
    let mut connected = Vec::new();
    for account in &stripe.connected_accounts {
        let id = AccountId::parse(account)
            .map_err(|_| anyhow::anyhow!("[stripe.{name}]: `{account}` is no account id"))?;
        connected.push(id);
    }
    let expose =
        |secrets: &[crate::config::Secret]| secrets.iter().map(|secret| secret.expose().clone()).collect();
    Ok(Some(Connection {
        name: name.to_owned(),
        api_base: stripe.api_base.as_str().to_owned(),
        key: key.expose().clone(),
        webhook_secrets: expose(&stripe.webhook_secrets),
        connect_webhook_secrets: expose(&stripe.connect_webhook_secrets),
        connected,
        poll: stripe.ingest.contains(&IngestSource::Poll),
        poll_interval: stripe.poll_interval.0,
        first_poll_back: FIRST_POLL_BACK,
        webhook: stripe.ingest.contains(&IngestSource::Webhook),
        mode: stripe.mode,
        requests_per_second: stripe.requests_per_second,
    }))
}

fn home_money(config: &Config) -> HomeMoney {
    let rates = config.settings.money.rates.iter().map(|rate| {
        let known = Rate {
            value: rate.value.units,
            decimals: rate.value.scale,
            date: rate.date.0.to_string(),
            source: rate.source.clone(),
        };
        (rate.currency.0, known)
    });
    HomeMoney { currency: config.settings.money.home_currency.0, rates: rates.collect() }
}

/// `[policies] dir`, else `policies` beside the configuration file, else the defaults in the binary.
fn policies_dir(config: &Config) -> anyhow::Result<Option<PathBuf>> {
    if let Some(dir) = &config.settings.policies.dir {
        // Rules that somebody wrote are never quietly replaced by others.
        anyhow::ensure!(dir.is_dir(), "[policies] dir: {} is no folder", dir.display());
        return Ok(Some(dir.clone()));
    }
    let beside = config.file.as_deref().and_then(Path::parent).map(|folder| folder.join("policies"));
    Ok(beside.filter(|dir| dir.is_dir()))
}

fn policy_files(dir: Option<&Path>) -> anyhow::Result<Vec<PolicyFile>> {
    let Some(dir) = dir else { return Ok(bursar_policy::default_set()) };
    let mut files = Vec::new();
    for path in files_with(dir, "cedar")? {
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.push(PolicyFile::new(format!("policies/{name}"), text));
    }
    anyhow::ensure!(!files.is_empty(), "{} holds no .cedar file: everything would be denied", dir.display());
    Ok(files)
}

/// As they lie in the binary.
pub fn default_playbook_settings() -> anyhow::Result<BTreeMap<String, PlaybookSettings>> {
    playbook_settings(None)
}

fn playbook_settings(dir: Option<&Path>) -> anyhow::Result<BTreeMap<String, PlaybookSettings>> {
    let mut found = BTreeMap::new();
    for (name, text) in PLAYBOOK_SETTINGS {
        found.insert((*name).to_owned(), read_settings(name, text)?);
    }
    let folder = dir.map(|dir| dir.join("playbooks")).filter(|folder| folder.is_dir());
    for path in folder.map_or(Ok(Vec::new()), |folder| files_with(&folder, "toml"))? {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        found.insert(name.clone(), read_settings(&name, &text).with_context(|| path.display().to_string())?);
    }
    Ok(found)
}

fn read_settings(name: &str, text: &str) -> anyhow::Result<PlaybookSettings> {
    let body: Value = toml::from_str(text)?;
    if let Some(playbook) = bursar_engine::playbook(name) {
        (playbook.check_settings)(&body)?;
    }
    Ok(PlaybookSettings { body })
}

fn files_with(dir: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    Ok(paths)
}

/// The mail server, where one is configured.
pub fn mail(config: &Config) -> anyhow::Result<Option<SmtpMail>> {
    let mail = &config.settings.mail;
    let Some(smtp) = &mail.smtp else { return Ok(None) };
    let from =
        mail.from.clone().context("[mail] smtp is set, and from is not: in whose name are letters sent?")?;
    let settings = MailSettings {
        host: smtp.host.clone(),
        port: smtp.port,
        security: match smtp.tls {
            Protection::None => Security::Plaintext,
            Protection::Starttls => Security::StartTls,
            Protection::Tls => Security::Tls,
        },
        login: login(smtp),
        from,
        reply_to: mail.reply_to.clone(),
        authority_pem: None,
        deadlines: Deadlines::default(),
    };
    Ok(Some(SmtpMail::new(settings)?))
}

fn login(smtp: &Smtp) -> Option<Login> {
    let (user, password) = (smtp.user.clone()?, smtp.password.as_ref()?);
    Some(Login { user, password: password.expose().clone() })
}

/// A running installation.
pub struct Service {
    pub engine: Engine,
    pub address: SocketAddr,
    stop: tokio::sync::watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    run_file: PathBuf,
}

/// What a service is started with.
pub struct Start {
    pub settings: Settings,
    pub clocks: Clocks,
    pub public_url: Option<String>,
    pub demo: Option<Arc<Demo>>,
    pub metrics: Option<metrics_exporter_prometheus::PrometheusHandle>,
}

impl Service {
    /// Opens, listens, starts. Whoever asks is answered before Stripe has been.
    pub async fn start(start: Start, listener: TcpListener) -> anyhow::Result<Service> {
        let data_dir = start.settings.store.data_dir.clone();
        let engine = Engine::open(start.settings, start.clocks).await?;
        let address = listener.local_addr()?;
        let state = AppState {
            engine: engine.clone(),
            demo: start.demo,
            hosts: Arc::new(hosts(start.public_url.as_deref())),
            metrics: start.metrics,
            secure_cookies: start.public_url.as_deref().is_some_and(|url| url.starts_with("https://")),
            in_flight: Arc::default(),
            shares: Shares::default(),
            probed: Arc::default(),
        };
        let (stop, mut stopping) = tokio::sync::watch::channel(false);
        let until = async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        let limits = Limits::of_this_process();
        let served = tokio::spawn(http::serve::serve(listener, http::router(state), limits, until));
        engine.start().await?;
        let run_file = data_dir.join("run.json");
        let run = json!({"api_url": format!("http://{address}"), "pid": std::process::id()});
        std::fs::write(&run_file, run.to_string())
            .with_context(|| format!("writing {}", run_file.display()))?;
        Ok(Service { engine, address, stop, served, run_file })
    }

    /// Stops accepting, lets requests finish, stops the engine.
    pub async fn stop(self) {
        let _ = std::fs::remove_file(&self.run_file);
        self.stop.send_replace(true);
        self.engine.stop().await;
        let _ = self.served.await;
    }
}

fn hosts(public_url: Option<&str>) -> Hosts {
    let name = public_url.and_then(|url| url.split("://").nth(1)).map(|rest| {
        let authority = rest.split('/').next().unwrap_or_default();
        authority.split(':').next().unwrap_or_default().to_owned()
    });
    Hosts { names: name.into_iter().filter(|name| !name.is_empty()).collect() }
}

/// Until Ctrl-C or SIGTERM. A second signal ends the process at once: the store outlives that too.
pub async fn until_told() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard");
            let _ = tokio::signal::ctrl_c().await;
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(130);
    });
}

/// Listens, or says on what it could not. Within a runtime.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen_on(address).with_context(|| format!("cannot listen on {address}"))
}

fn listen_on(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port that was ours a moment ago is ours again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(UNACCEPTED_MAX)
}
