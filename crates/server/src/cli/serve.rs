//! `bursar serve`: flags that go over the configuration, then the engine until a signal.

use super::Outcome;
use super::code::Code;
use super::exit::Exit;
use super::failure::Failure;
use super::runtime;
use super::session::Session;
use crate::config::Config;
use crate::config::value::{HttpUrl, ListenAddress};
use crate::service::{self, Service, Start};
use crate::{setup, telemetry};

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
    setup::make_data_dir(&config.data_dir).map_err(|error| {
        Failure::new(Code::CannotWrite, format!("{} cannot be made: {error}", config.data_dir.display()))
            .help("choose a folder that this user may write: --data-dir")
    })?;
    runtime::block_on_threads(async {
        let listener =
            service::listen(config.settings.server.listen.0).map_err(|error| cannot_listen(&error))?;
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
        for missing in missing(&service, &config).await.map_err(|error| cannot_start(&error))? {
            session.output.note(missing);
        }
        tokio::select! {
            () = service::until_told() => {}
            // It ends as if killed: whatever it would still write, it would write into tables it does not know.
            why = service.engine.outdated() => return Err(outdated(&why)),
        }
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

/// What an installation that was never set up lacks, each with the command that mends it.
async fn missing(service: &Service, config: &Config) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    if service.engine.people().await?.is_empty() {
        found.push(
            "! nobody can sign in or decide: there are no people yet. Stop this, then: bursar init"
                .to_owned(),
        );
    }
    if config.settings.stripe.values().all(|stripe| stripe.api_key.is_none()) {
        let also = if config.file.is_none() { "bursar init, then " } else { "" };
        found.push(format!(
            "! nothing arrives and nothing is done: no Stripe account has a key. Stop this, then: {also}bursar connect stripe"
        ));
    }
    Ok(found)
}

pub fn cannot_listen(error: &anyhow::Error) -> Failure {
    Failure::new(Code::CannotListen, format!("{error:#}"))
        .help("choose another address: --listen 127.0.0.1:0")
}

fn outdated(why: &str) -> Failure {
    Failure::new(Code::Outdated, why)
        .note("effect", "this node ended; what it had in hand is taken up by the others")
        .help("start the newer version here: bursar version")
}

/// Nothing was changed: the store, the policies or the account said no before anything began.
pub fn cannot_start(error: &anyhow::Error) -> Failure {
    let why = causes(error);
    match store_error(error) {
        Some(bursar_store::Error::Newer { .. }) => newer(why),
        Some(bursar_store::Error::OthersRun { .. }) => others_run(why),
        Some(bursar_store::Error::Busy(_)) => Failure::new(Code::CannotStart, why)
            .help("start it again; what was half made was taken back, and nothing else was changed"),
        Some(bursar_store::Error::InUse(_)) => Failure::new(Code::CannotStart, why)
            .help("one process owns a data directory; stop the other, or name another with --data-dir"),
        _ => Failure::new(Code::CannotStart, why).help(
            "bursar doctor says what is wrong with the configuration, the data directory and the policies",
        ),
    }
}

fn store_error(error: &anyhow::Error) -> Option<&bursar_store::Error> {
    error.chain().find_map(|cause| match cause.downcast_ref::<bursar_engine::Error>() {
        Some(bursar_engine::Error::Store(store)) => Some(store),
        _ => cause.downcast_ref(),
    })
}

/// This version is older than the tables.
pub fn newer(why: String) -> Failure {
    Failure::new(Code::Outdated, why)
        .note("effect", "nothing was changed, and this version did not start")
        .help("start the newer version; to go back, stop every node and restore the backup from before the upgrade")
}

/// This version is newer than the tables, and may not bring them up to date now.
pub fn others_run(why: String) -> Failure {
    Failure::new(Code::NodesRun, why)
        .note("effect", "nothing was changed; the other nodes work on")
        .help("stop every node, make a backup, then start this version")
}

/// The chain in one line. A cause that the words before it hold already is not said twice.
fn causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told {
        told if told.is_empty() => cause,
        told if told.contains(&cause) => told,
        told if cause.contains(&told) => cause,
        told => format!("{told}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let full = bursar_store::Error::Full("/d/bursar.lock: Permission denied (os error 13)".to_owned());
        let twice = anyhow::Error::new(full).context("/d/bursar.lock: Permission denied (os error 13)");
        assert_eq!(causes(&twice).matches("Permission denied").count(), 1, "{}", causes(&twice));
        let two = anyhow::anyhow!("no such key").context("reading bursar.toml");
        assert_eq!(causes(&two), "reading bursar.toml: no such key");
    }

    #[test]
    fn who_cannot_start_is_told_what_to_try() {
        use bursar_store::Error;
        for (error, code, help) in [
            (Error::InUse("/d".to_owned()), "BUR-SYS-006", "stop the other"),
            (Error::Newer { found: 9, known: 6 }, "BUR-DB-004", "restore the backup"),
            (
                Error::OthersRun { number: 9, name: "x", nodes: "node_1".to_owned() },
                "BUR-DB-005",
                "stop every node",
            ),
            (Error::Busy("migration 9 (x) was not made".to_owned()), "BUR-SYS-006", "start it again"),
            (Error::Full("/d/bursar.db".to_owned()), "BUR-SYS-006", "bursar doctor"),
        ] {
            let direct = cannot_start(&anyhow::Error::new(error.clone())).to_string();
            let wrapped = anyhow::Error::new(bursar_engine::Error::from(error)).context("opening");
            for told in [direct, cannot_start(&wrapped).to_string()] {
                assert!(told.contains(code) && told.contains(help), "{told}");
            }
        }
    }
}
