//! A fake Stripe by itself, until Ctrl-C: what a development machine points its `api_base` at.

use std::time::Duration;

use bursar_fake_stripe::{Disorder, FakeStripe, Options, Size};
use clap::ValueEnum;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::{Outcome, runtime};
use crate::config::value::{HttpUrl, ListenAddress};

#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Where it answers; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7173")]
    listen: ListenAddress,
    /// What it is made from; the same seed makes the same Stripe
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Seconds of business time in a second; 0 stops it
    #[arg(long, default_value_t = 1)]
    speed: u32,
    /// The company in it at the first start
    #[arg(long, default_value = "none")]
    company: Company,
    /// Send every event here, signed with --webhook-secret
    #[arg(long, value_name = "URL", requires = "webhook_secret")]
    webhook_url: Option<HttpUrl>,
    /// whsec_…
    #[arg(long, value_name = "SECRET", requires = "webhook_url")]
    webhook_secret: Option<String>,
    /// Webhooks sent a second time, of a hundred
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    duplicate_percent: u8,
    /// Webhooks sent after later ones, of a hundred
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    reorder_percent: u8,
    /// Calls an account may make in a second; more are answered 429
    #[arg(long, value_name = "CALLS", value_parser = clap::value_parser!(u32).range(1..))]
    rate_per_second: Option<u32>,
    /// Live mode: its keys and objects say so; nothing becomes real
    #[arg(long)]
    live: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Company {
    None,
    Small,
    Medium,
    Large,
}

impl Company {
    fn size(self) -> Option<Size> {
        match self {
            Company::None => None,
            Company::Small => Some(Size::Small),
            Company::Medium => Some(Size::Medium),
            Company::Large => Some(Size::Large),
        }
    }
}

pub fn run(args: &ServeArgs, session: &Session) -> Outcome {
    runtime::block_on_threads(async {
        let stripe = open(args, session)?;
        let listener = TcpListener::bind(args.listen.0).await.map_err(|error| {
            Failure::new(Code::CannotListen, format!("cannot listen on {}: {error}", args.listen))
                .help("choose another: --listen 127.0.0.1:0")
        })?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        announce(&stripe, &format!("http://{address}"), session)?;
        let clock = tokio::spawn(keep_time(stripe.clone(), args.speed));
        let served = stripe.serve(listener, until_told()).await;
        clock.abort();
        served.map_err(|error| failed(&error))?;
        Ok(Exit::Done)
    })
}

/// With a data directory it remembers; without one it begins anew each time.
fn open(args: &ServeArgs, session: &Session) -> Result<FakeStripe, Failure> {
    let data_dir = session.globals.data_dir.clone();
    let stripe = FakeStripe::open(Options {
        data_dir,
        seed: args.seed,
        // At the first start it is now there too: whoever polls it compares the times.
        start_s: bursar_engine::Clocks::system().machine().unix_s(),
        livemode: args.live,
        rate_per_second: args.rate_per_second,
        disorder: Disorder {
            duplicate_percent: args.duplicate_percent,
            reorder_percent: args.reorder_percent,
        },
        ..Options::default()
    });
    let stripe = stripe.map_err(|error| cannot_open(&error))?;
    if let Some(size) = args.company.size() {
        stripe.populate(size).map_err(|error| failed(&error))?;
    }
    if let (Some(url), Some(secret)) = (&args.webhook_url, &args.webhook_secret) {
        stripe.add_webhook(url.as_str(), secret, &["*"]).map_err(|error| failed(&error))?;
    }
    Ok(stripe)
}

fn announce(stripe: &FakeStripe, url: &str, session: &Session) -> Result<(), Failure> {
    let output = &session.output;
    let (key, account) = (stripe.secret_key(), stripe.account_id());
    if output.is_json() {
        return output.line(json!({"stripe_url": url, "stripe_key": key, "account": account}));
    }
    output.line(format_args!("fake Stripe  {url}\nkey          {key}\naccount      {account}"))?;
    output.note("Ctrl-C ends it. Make something happen: bursar sim trigger invoice.payment_failed");
    Ok(())
}

/// Business time goes on at `speed`, in steps of a second of the machine's.
async fn keep_time(stripe: FakeStripe, speed: u32) {
    if speed == 0 {
        return;
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick.tick().await;
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

async fn until_told() {
    // Without signals there is no end but a kill, which the journal outlives.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn cannot_open(error: &bursar_fake_stripe::Error) -> Failure {
    let failure = Failure::new(Code::CannotWrite, format!("the fake Stripe cannot start: {error}"));
    match error {
        bursar_fake_stripe::Error::OtherMode { kept: "live" } => failure.help("go on with it: --live"),
        bursar_fake_stripe::Error::OtherMode { .. } => failure.help("go on with it: leave out --live"),
        _ => failure,
    }
}

fn failed(error: &dyn std::error::Error) -> Failure {
    Failure::new(Code::CannotWrite, format!("the fake Stripe stopped: {error}"))
}
