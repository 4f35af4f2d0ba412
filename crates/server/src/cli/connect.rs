//! `bursar connect`: what the installation talks to.

use std::path::PathBuf;

use super::Outcome;
use super::code::Code;
use super::failure::Failure;
use super::session::Session;
use crate::config::value::HttpUrl;

const EXAMPLES: &str = "\
Examples:
  bursar connect stripe             asks for a key
  bursar connect stripe --key-file /run/credentials/bursar/stripe
  bursar connect stripe --webhook-url https://b.example.com/ingest/stripe";

#[derive(Debug, clap::Subcommand)]
pub enum ConnectCommand {
    /// Check a key: its account and mode, permissions needed against granted; register a webhook endpoint
    Stripe(StripeArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct StripeArgs {
    /// The section of the configuration: [stripe.main]
    #[arg(long, default_value = "main")]
    pub name: String,
    #[arg(
        long,
        value_name = "FILE",
        help = "A file that holds the key; else the configured one, else BURSAR_STRIPE_API_KEY"
    )]
    pub key_file: Option<PathBuf>,
    /// Register an endpoint here for exactly the event types in use
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<HttpUrl>,
    /// Allow a key of live mode
    #[arg(long)]
    pub live: bool,
}

pub fn run(command: ConnectCommand, session: &Session) -> Outcome {
    let ConnectCommand::Stripe(args) = command;
    // The configuration is judged first: a key cannot be connected to a broken one.
    let config = session.config(Vec::new())?;
    session.output.warnings(&config.warnings);
    Err(Failure::new(
        Code::NotInThisVersion,
        format!("connecting [stripe.{}] is not built in this version", args.name),
    )
    .help(
        "write the key into the configuration: [stripe.main] api_key = { file = \"…\" }, then: bursar serve",
    ))
}
