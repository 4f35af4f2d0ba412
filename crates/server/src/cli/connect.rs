//! `bursar connect`: what the installation talks to.

use std::io::Write as _;
use std::path::PathBuf;

use bursar_engine::connect::{self, Examined, Registered};
use bursar_engine::Granted;
use secrecy::{ExposeSecret as _, SecretString};
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
    let key = find_key(&args, &config, session)?;
    let known = config.settings.stripe.get(&args.name).cloned().unwrap_or_default();
    let stripe = Stripe { api_key: Some(key.secret.clone()), ..known };
    let connection = service::connection(&args.name, &stripe).map_err(|error| refused(&format!("{error:#}")))?;
    let connection = connection.ok_or_else(|| refused("there is no key"))?;
    runtime::block_on(async {
        let examined = connect::examine(&connection).await.map_err(|error| unanswered(&error))?;
        allow_live(&args, &examined, session)?;
        let registered = match &args.webhook_url {
            Some(url) => Some(
                connect::register_webhook(&connection, url.as_str(), false).await.map_err(|error| unanswered(&error))?,
            ),
            None => None,
        };
        let kept = keep(&args, &config, &key, registered.as_ref())?;
        report(session, &args, &examined, registered.as_ref(), &kept)
    })
}

/// Where the key came from says whether it has to be kept.
struct Key {
    secret: Secret,
    is_new: bool,
}

fn find_key(args: &StripeArgs, config: &Config, session: &Session) -> Result<Key, Failure> {
    let named = |text: String, kept_in: KeptIn| Secret::new(text.trim().to_owned().into(), kept_in);
    if let Some(path) = &args.key_file {
        let text = std::fs::read_to_string(path).map_err(|error| refused(&format!("{}: {error}", path.display())))?;
        return Ok(Key { secret: named(text, KeptIn::File(path.display().to_string())), is_new: true });
    }
    if let Some(secret) = config.settings.stripe.get(&args.name).and_then(|stripe| stripe.api_key.clone()) {
        return Ok(Key { secret, is_new: false });
    }
    for variable in ["BURSAR_STRIPE_API_KEY", "STRIPE_API_KEY"] {
        if let Some(text) = session.environment.get(variable) {
            session.output.note(format_args!("using the key in {variable}"));
            return Ok(Key { secret: named(text.to_owned(), KeptIn::Variable(variable.to_owned())), is_new: true });
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
        return Err(Failure::new(Code::NotConfirmed, format!("this is a live key of \u{201c}{name}\u{201d}; nothing was kept"))
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

/// Secrets go into files of their own below `credentials/`, and a section into the configuration where there is none.
fn keep(
    args: &StripeArgs,
    config: &Config,
    key: &Key,
    registered: Option<&Registered>,
) -> Result<Vec<String>, Failure> {
    let mut kept = Vec::new();
    let Some(file) = &config.file else { return Ok(kept) };
    let folder = file.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let mut lines = vec![format!("\n[stripe.{}]", args.name)];
    if key.is_new {
        let path = write_secret(&folder, &format!("stripe-{}.key", args.name), key.secret.expose())?;
        lines.push(format!("api_key = {{ file = \"{path}\" }}"));
        kept.push(path);
    }
    if let Some(registered) = registered {
        let path = write_secret(&folder, &format!("stripe-{}-webhook.secret", args.name), &registered.secret)?;
        lines.push(format!("webhook_secrets = [{{ file = \"{path}\" }}]"));
        lines.push("ingest = [\"poll\", \"webhook\"]".to_owned());
        kept.push(path);
    }
    if kept.is_empty() || config.settings.stripe.contains_key(&args.name) {
        return Ok(kept);
    }
    let mut open = std::fs::OpenOptions::new().append(true).open(file).map_err(|error| cannot_write(file, &error))?;
    open.write_all((lines.join("\n") + "\n").as_bytes()).map_err(|error| cannot_write(file, &error))?;
    kept.push(file.display().to_string());
    Ok(kept)
}

fn write_secret(folder: &std::path::Path, name: &str, secret: &SecretString) -> Result<String, Failure> {
    let credentials = folder.join("credentials");
    std::fs::create_dir_all(&credentials).map_err(|error| cannot_write(&credentials, &error))?;
    let path = credentials.join(name);
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut file = open.open(&path).map_err(|error| cannot_write(&path, &error))?;
    file.write_all(secret.expose_secret().as_bytes()).map_err(|error| cannot_write(&path, &error))?;
    Ok(format!("credentials/{name}"))
}

fn report(
    session: &Session,
    args: &StripeArgs,
    examined: &Examined,
    registered: Option<&Registered>,
    kept: &[String],
) -> Outcome {
    let output = &session.output;
    if output.is_json() {
        output.document(&json!({"object": "connection", "name": args.name, "lane": examined.lane.to_string(),
            "account_name": examined.name, "livemode": examined.lane.livemode, "permissions": examined.permissions,
            "webhook_endpoint": registered.map(|registered| &registered.id), "kept": kept}))?;
        return Ok(exit_of(examined));
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
        table.row([permission.resource, permission.access, granted, permission.needed_for].map(str::to_owned));
    }
    output.table(&table)?;
    if let Some(registered) = registered {
        output.line(format_args!("webhook  {}  {} event types", registered.id, registered.events.len()))?;
    }
    for path in kept {
        output.line(format_args!("kept     {path}"))?;
    }
    output.note("Next:\n  bursar doctor\n  bursar serve");
    Ok(exit_of(examined))
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
