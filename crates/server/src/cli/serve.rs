//! `bursar serve`: flags that go over the configuration, then the engine until a signal.

use super::Outcome;
use super::code::Code;
use super::failure::Failure;
use super::session::Session;
use crate::config::value::{HttpUrl, ListenAddress};

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
}

pub fn run(args: ServeArgs, session: &Session) -> Outcome {
    let flags = [
        args.listen.map(|address| ("server.listen", address.to_string(), "--listen")),
        args.public_url.map(|url| ("server.public_url", url.to_string(), "--public-url")),
    ];
    let config = session.config(flags.into_iter().flatten().collect())?;
    session.output.warnings(&config.warnings);
    Err(Failure::new(Code::NotInThisVersion, "serving is not built in this version"))
}
