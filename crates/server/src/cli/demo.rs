//! `bursar demo`: what it takes on the command line.

use std::collections::HashMap;
use std::path::Path;

use super::Outcome;
use super::code::Code;
use super::exit::Exit;
use super::failure::Failure;
use super::installation::Installation;
use super::runtime;
use super::serve::cannot_start;
use super::session::Session;
use crate::config::value::ListenAddress;
use crate::config::{Telemetry, paths};
use crate::demo::{self, Running, Wish};
use crate::{service, telemetry};
use bursar_engine::FeedItem;
use bursar_fake_stripe::Size;
use clap::ValueEnum;

const EXAMPLES: &str = "\
Examples:
  bursar demo
  bursar demo --headless --json --data-dir ./demo --listen 127.0.0.1:0
  bursar demo --speed 0             time stands: bursar sim clock advance 1d";

/// What is not given is as it was when this demo last ran, else the default.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Open no browser and draw no live feed
    #[arg(long)]
    pub headless: bool,
    /// What the company is made from; the same seed makes the same company
    #[arg(long)]
    pub seed: Option<u64>,
    /// Seconds of business time in a second [default: 60]; 0 stops it
    #[arg(long)]
    pub speed: Option<u32>,
    /// Console and API [default: 127.0.0.1:7171]; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<ListenAddress>,
    /// Kept for the governed proxy, which this version has not
    #[arg(long, value_name = "ADDRESS")]
    pub proxy_listen: Option<ListenAddress>,
    /// The fake Stripe [default: 127.0.0.1:7173]
    #[arg(long, value_name = "ADDRESS")]
    pub stripe_listen: Option<ListenAddress>,
    /// How large a company is made up; tests want a small one
    #[arg(long, hide = true, default_value = "medium")]
    pub size: CompanySize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CompanySize {
    Small,
    Medium,
    Large,
}

impl From<CompanySize> for Size {
    fn from(size: CompanySize) -> Self {
        match size {
            CompanySize::Small => Self::Small,
            CompanySize::Medium => Self::Medium,
            CompanySize::Large => Self::Large,
        }
    }
}

impl DemoArgs {
    pub const SEED: u64 = 42;
}

pub fn run(args: &DemoArgs, session: &Session) -> Outcome {
    let data_dir = session.globals.data_dir.clone().or_else(|| paths::demo_data_dir(&session.environment));
    let data_dir = data_dir.ok_or_else(|| {
        Failure::new(Code::ConfigNoDataDir, "there is no home directory to keep the demo in")
            .help("name a directory: --data-dir ./demo")
    })?;
    if let Some(failure) = already_runs(&data_dir) {
        return Err(failure);
    }
    let wish = Wish {
        data_dir,
        seed: args.seed.unwrap_or(DemoArgs::SEED),
        speed: args.speed,
        listen: args.listen.map(|address| address.0),
        stripe_listen: args.stripe_listen.map(|address| address.0),
        size: args.size.into(),
    };
    let log = session.environment.get("BURSAR_LOG").unwrap_or("error").to_owned();
    let telemetry = telemetry::start(&Telemetry { log, ..Telemetry::default() });
    runtime::block_on_threads(async {
        let began = tokio::time::Instant::now();
        let running = demo::start(wish, telemetry.metrics()).await.map_err(|error| cannot_start(&error))?;
        announce(&running, began.elapsed(), session)?;
        let feed = live_feed(&running, session, args.headless);
        tokio::select! {
            () = service::until_told() => {}
            () = feed => {}
        }
        session.output.note("stopping; the next start resumes where this ended");
        running.stop().await;
        Ok(Exit::Done)
    })
}

/// Known by the lock on its data, which is asked before its ports are: those are taken too, and that tells nobody why.
fn already_runs(data_dir: &Path) -> Option<Failure> {
    if !bursar_store::open::is_owned(data_dir) {
        return None;
    }
    let place = data_dir.display();
    let what = match Installation::at(data_dir) {
        Some(running) => format!("this demo already runs: {}", running.api_url()),
        None => format!("this demo is just starting or stopping in {place}"),
    };
    let failure = Failure::new(Code::CannotStart, what).note("data", place.to_string());
    Some(failure.help("open it; or run another beside it: bursar demo --data-dir ./other --listen 127.0.0.1:0 --stripe-listen 127.0.0.1:0"))
}

fn announce(running: &Running, took: std::time::Duration, session: &Session) -> Result<(), Failure> {
    let told = &running.announcement;
    if session.output.is_json() {
        return session.output.line(told);
    }
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    session.output.line(format_args!(
        "bursar {}  demo: nothing here is real, nothing leaves this machine\n\n  \
         Company     \"Northwind SaaS\", {} customers, ready in {}.{} s\n  \
         Console     {}\n  \
         Stripe API  {}  (a fake one)\n  \
         Data        {}\n  \
         Sign in as  Olivia (operator), Carl (controller), Sam (support), Priya (platform): no password\n\n  \
         Try next    open the console, press ? for keys, approve a refund as Carl\n              \
         bursar approvals list\n",
        env!("CARGO_PKG_VERSION"),
        running.customers,
        took.as_secs(),
        took.subsec_millis() / 100,
        text("console_url"),
        text("stripe_url"),
        text("data_dir"),
    ))?;
    Ok(())
}

/// What happens, a line each, until the feed ends; without a reader, nothing for ever.
async fn live_feed(running: &Running, session: &Session, headless: bool) {
    if headless || session.output.is_json() || session.globals.quiet {
        return std::future::pending().await;
    }
    open_browser(running.announcement["console_url"].as_str().unwrap_or_default(), session);
    let mut feed = running.engine().listen();
    let mut told = HashMap::new();
    loop {
        match feed.recv().await {
            // A case that is looked at again and found as it was is no news.
            Ok(item)
                if item.kind != "event"
                    && (item.case.is_none() || told.get(&item.case) != Some(&item.text)) =>
            {
                let kind = label(&item);
                let at =
                    bursar_engine::cards::rfc3339(bursar_domain::time::BusinessTime::from_micros(item.at));
                if session.output.line(format_args!("  {}  {:<9}  {}", &at[11..16], kind, item.text)).is_err()
                {
                    return std::future::pending().await;
                }
                told.insert(item.case, item.text);
            }
            Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// What policy decided by itself is no approval: nobody was asked.
fn label(item: &FeedItem) -> &'static str {
    match item.kind {
        "approval" if item.approval.is_none() => "policy",
        kind => kind,
    }
}

/// Only where a person sits at a screen of this machine.
fn open_browser(url: &str, session: &Session) {
    let set = |name| session.environment.get(name).is_some();
    let has_screen = set("DISPLAY") || set("WAYLAND_DISPLAY") || cfg!(target_os = "macos");
    let elsewhere =
        ["SSH_TTY", "CI", "CLAUDECODE", "CODEX_SANDBOX", "CURSOR_AGENT", "GEMINI_CLI"].into_iter().any(set);
    if !has_screen || elsewhere {
        return;
    }
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = std::process::Stdio::null;
    let opened =
        std::process::Command::new(program).arg(url).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
    if let Err(error) = opened {
        tracing::debug!(%error, "no browser was opened");
    }
}
