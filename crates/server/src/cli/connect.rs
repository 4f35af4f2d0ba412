//! `bursar connect`: what the installation talks to.

mod keep;

use std::path::PathBuf;

use bursar_engine::Granted;
use bursar_engine::connect::{self, Examined, Registered};
use serde_json::json;

use super::code::Code;
use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use super::table::{Column, Table};
use super::{Outcome, ask, runtime};
use crate::config::value::HttpUrl;
use crate::config::{Config, KeptIn, Secret, Stripe};
use crate::service;
use keep::Kept;

const EXAMPLES: &str = "\
Examples:
  bursar connect stripe             asks for a key where none is configured
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
        help = "A file that holds the key; else the configured one, else BURSAR_STRIPE_API_KEY or STRIPE_API_KEY, else it asks"
    )]
    pub key_file: Option<PathBuf>,
    #[arg(
        long,
        value_name = "URL",
        help = "Register an endpoint here for exactly the event types in use; else below server.public_url"
    )]
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
    let key = find_key(&args, &config, session)?;
    let known = config.settings.stripe.get(&args.name).cloned().unwrap_or_default();
    let stripe = Stripe { api_key: Some(key.secret.clone()), ..known };
    let connection =
        service::connection(&args.name, &stripe).map_err(|error| refused(&format!("{error:#}")))?;
    let connection = connection.ok_or_else(|| refused("there is no key"))?;
    runtime::block_on(async {
        let examined = connect::examine(&connection).await.map_err(|error| unanswered(&error))?;
        allow_live(&args, &examined, session)?;
        let registered = match endpoint(&args, &config)? {
            Some(url) => Some(
                connect::register_webhook(&connection, &url, false)
                    .await
                    .map_err(|error| unanswered(&error))?,
            ),
            None => None,
        };
        let kept = keep::keep(&args.name, &config, &key, registered.as_ref())?;
        report(session, &args, &examined, registered.as_ref(), &kept)?;
        if key.is_new && config.file.is_none() {
            session.output.note("nothing was kept: there is no configuration yet; first: bursar init");
        }
        Ok(exit_of(&examined))
    })
}

/// Where Stripe is to send events: as asked for, else below the public URL where no endpoint is known yet. Its secret is
/// told once, so without a place to keep it nothing is registered.
fn endpoint(args: &StripeArgs, config: &Config) -> Result<Option<String>, Failure> {
    let stripe = config.settings.stripe.get(&args.name);
    let has_secret = stripe.is_some_and(|stripe| !stripe.webhook_secrets.is_empty());
    let public_url = config.settings.server.public_url.as_ref().filter(|_| !has_secret);
    let below = public_url.map(|url| format!("{}/ingest/stripe", url.as_str()));
    let url = args.webhook_url.as_ref().map(|url| url.as_str().to_owned()).or(below);
    if url.is_some() && config.file.is_none() {
        return Err(Failure::new(
            Code::NotConfirmed,
            "no endpoint was registered: there is no configuration to keep its secret in",
        )
        .help("bursar init"));
    }
    Ok(url)
}

/// Where the key came from says whether it has to be kept.
struct Key {
    secret: Secret,
    is_new: bool,
}

fn find_key(args: &StripeArgs, config: &Config, session: &Session) -> Result<Key, Failure> {
    let named = |text: String, kept_in: KeptIn| Secret::new(text.trim().to_owned().into(), kept_in);
    if let Some(path) = &args.key_file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| refused(&format!("{}: {error}", path.display())))?;
        return Ok(Key { secret: named(text, KeptIn::File(path.display().to_string())), is_new: true });
    }
    if let Some(secret) = config.settings.stripe.get(&args.name).and_then(|stripe| stripe.api_key.clone()) {
        return Ok(Key { secret, is_new: false });
    }
    for variable in ["BURSAR_STRIPE_API_KEY", "STRIPE_API_KEY"] {
        if let Some(text) = session.environment.get(variable) {
            session.output.note(format_args!("using the key in {variable}"));
            return Ok(Key {
                secret: named(text.to_owned(), KeptIn::Variable(variable.to_owned())),
                is_new: true,
            });
        }
    }
    if ask::somebody_is_there() && !session.output.is_json() {
        let typed = ask::unseen("Stripe key (not shown): ")?;
        if !typed.is_empty() {
            return Ok(Key { secret: Secret::new(typed.into(), KeptIn::Clear), is_new: true });
        }
    }
    Err(refused("no key was given").help("put it into a file that only you can read, then: --key-file FILE"))
}

/// A live key moves real money: it needs the flag, and the name of the account typed where somebody is there to type.
fn allow_live(args: &StripeArgs, examined: &Examined, session: &Session) -> Result<(), Failure> {
    if !examined.lane.livemode {
        return Ok(());
    }
    let name = examined.name.clone().unwrap_or_else(|| examined.lane.account.as_str().to_owned());
    if !args.live {
        return Err(Failure::new(
            Code::NotConfirmed,
            format!("this is a live key of \u{201c}{name}\u{201d}; nothing was kept"),
        )
        .help("if you mean it: bursar connect stripe --live"));
    }
    if ask::somebody_is_there() && !session.output.is_json() {
        let typed = ask::line(&format!("Type the name of the account ({name}) to connect it: "))?;
        if typed != name {
            return Err(Failure::new(Code::NotConfirmed, "that is another name; nothing was kept"));
        }
    }
    Ok(())
}

fn report(
    session: &Session,
    args: &StripeArgs,
    examined: &Examined,
    registered: Option<&Registered>,
    kept: &Kept,
) -> Result<(), Failure> {
    let output = &session.output;
    if output.is_json() {
        output.document(&json!({"object": "connection", "name": args.name, "lane": examined.lane.to_string(),
            "account_name": examined.name, "livemode": examined.lane.livemode, "permissions": examined.permissions,
            "webhook_endpoint": registered.map(|registered| &registered.id), "kept": kept.files, "to_add": kept.by_hand}))?;
        return Ok(());
    }
    output.line(format_args!(
        "account  {}  {}  {}",
        examined.lane.account.as_str(),
        examined.name.as_deref().unwrap_or_default(),
        examined.lane.mode_word()
    ))?;
    let mut table = Table::new(
        [Column::Text("resource"), Column::Text("needed"), Column::Text("granted"), Column::Text("for")],
        "nothing is needed",
    );
    for permission in &examined.permissions {
        let granted = match permission.granted {
            Granted::Yes => "yes",
            Granted::No => "NO",
            Granted::Unknown => "only a write tells",
        };
        table
            .row([permission.resource, permission.access, granted, permission.needed_for].map(str::to_owned));
    }
    output.table(&table)?;
    if let Some(registered) = registered {
        output.line(format_args!("webhook  {}  {} event types", registered.id, registered.events.len()))?;
    }
    for path in &kept.files {
        output.line(format_args!("kept     {path}"))?;
    }
    if !kept.by_hand.is_empty() {
        output.note(format_args!(
            "Put into [stripe.{}] yourself:\n  {}",
            args.name,
            kept.by_hand.join("\n  ")
        ));
    }
    output.note("Next:\n  bursar doctor\n  bursar serve");
    Ok(())
}

/// A permission that is missing is worth a failing exit code: what needs it will not work.
fn exit_of(examined: &Examined) -> Exit {
    let lacks = examined.permissions.iter().any(|permission| permission.granted == Granted::No);
    if lacks { Exit::DoctorFoundProblems } else { Exit::Done }
}

fn refused(why: &str) -> Failure {
    Failure::new(Code::NoToken, format!("no key could be connected: {why}"))
}

fn unanswered(error: &bursar_engine::Error) -> Failure {
    Failure::new(Code::StripeUnavailable, format!("{error}"))
        .note("effect", "nothing was kept, nothing was changed at Stripe")
        .help("look at the key and at [stripe] api_base")
}

fn cannot_write(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::CannotWrite, format!("{} cannot be written: {error}", path.display()))
}
