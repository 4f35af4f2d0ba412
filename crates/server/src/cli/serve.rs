//! `bursar serve`: flags that go over the configuration, then the engine until a signal.

use super::Outcome;
use super::code::Code;
use super::exit::Exit;
use super::failure::Failure;
use super::runtime;
use super::session::Session;
use crate::config::value::{HttpUrl, ListenAddress};
use crate::service::{self, Service, Start};
use crate::telemetry;

const EXAMPLES: &str = "\
Examples:
  bursar serve
  bursar serve --config /etc/bursar/bursar.toml --listen 0.0.0.0:7171";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// Console, API and webhooks; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<ListenAddress>,
    /// How people and Stripe reach this from outside
    #[arg(long, value_name = "URL")]
    public_url: Option<HttpUrl>,
    /// The clock was ahead before and is right now: do not compare it with what was recorded. Audited
    #[arg(long)]
    accept_clock: bool,
}

pub fn run(args: ServeArgs, session: &Session) -> Outcome {
    let flags = [
        args.listen.map(|address| ("server.listen", address.to_string(), "--listen")),
        args.public_url.map(|url| ("server.public_url", url.to_string(), "--public-url")),
    ];
    let config = session.config(flags.into_iter().flatten().collect())?;
    session.output.warnings(&config.warnings);
    let telemetry = telemetry::start(&config.settings.telemetry);
    runtime::block_on_threads(async {
        let listener =
            service::listen(config.settings.server.listen.0).await.map_err(|error| cannot_listen(&error))?;
        let mut settings = service::engine_settings(&config).map_err(|error| cannot_start(&error))?;
        if args.accept_clock {
            settings.clock = bursar_engine::ClockTrust::Accepted;
        }
        let start = Start {
            settings,
            clocks: bursar_engine::Clocks::system(),
            public_url: config.settings.server.public_url.as_ref().map(|url| url.as_str().to_owned()),
            demo: None,
            metrics: telemetry.metrics(),
        };
        let service = Service::start(start, listener).await.map_err(|error| cannot_start(&error))?;
        announce(&service, session)?;
        service::until_told().await;
        session.output.note("stopping");
        service.stop().await;
        Ok(Exit::Done)
    })
}

fn announce(service: &Service, session: &Session) -> Result<(), Failure> {
    let url = format!("http://{}", service.address);
    if session.output.is_json() {
        return session.output.line(serde_json::json!({"console_url": url, "api_url": url,
            "ingest_url": format!("{url}/ingest/stripe"), "ingest_connect_url": format!("{url}/ingest/stripe/connect")}));
    }
    session.output.note(format_args!("bursar {} serves {url}  (Ctrl-C ends it)", env!("CARGO_PKG_VERSION")));
    Ok(())
}

pub fn cannot_listen(error: &anyhow::Error) -> Failure {
    Failure::new(Code::CannotListen, format!("{error:#}"))
        .help("choose another address: --listen 127.0.0.1:0")
}

/// Nothing was changed: the store, the policies or the account said no before anything began.
pub fn cannot_start(error: &anyhow::Error) -> Failure {
    let newer = error.chain().any(|cause| cause.to_string().contains("in use by another"));
    let failure = Failure::new(Code::CannotStart, format!("{error:#}"));
    if newer {
        failure.help("one process owns a data directory; stop the other, or name another with --data-dir")
    } else {
        failure
    }
}
