//! `bursar connect`: what the installation talks to.

mod keep;

use std::path::PathBuf;

use bursar_engine::connect::{self, Became, Examined, Registered};
use bursar_engine::{Connection, Endpoint, Error, Granted, Registers};
use secrecy::ExposeSecret as _;
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
        help = "Register an endpoint here for exactly the event types in use, and with connected accounts one more at URL/connect; else below server.public_url"
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
    judge(&key.secret, args.live)?;
    let known = config.settings.stripe.get(&args.name).cloned().unwrap_or_default();
    let stripe = Stripe { api_key: Some(key.secret.clone()), ..known };
    let connection =
        service::connection(&args.name, &stripe).map_err(|error| refused(&format!("{error:#}")))?;
    let connection = connection.ok_or_else(|| refused("there is no key"))?;
    runtime::block_on(async {
        let wanted = endpoints(&args, &config, &stripe)?;
        let registers = if wanted.is_empty() { Registers::Nothing } else { Registers::Endpoints };
        let examined = connect::examine(&connection, registers).await.map_err(|error| unanswered(&error))?;
        allow_live(&args, &examined, session)?;
        let (registered, failed) = register(&connection, &examined, wanted).await;
        // A secret is told once: whatever went wrong afterwards, it is kept.
        let kept = keep::keep(&args.name, &config, &key, &registered)?;
        report(session, &args, &examined, &registered, &kept)?;
        if let Some(error) = failed {
            return Err(not_registered(&error, &registered));
        }
        if key.is_new && config.file.is_none() {
            session.output.note("nothing was kept: there is no configuration yet; first: bursar init");
        }
        Ok(exit_of(&examined))
    })
}

/// Where Stripe is to send events: as asked for, else below the public URL where no endpoint is known yet; those of
/// connected accounts to an endpoint of their own. Secrets are told once, so without a place to keep them nothing is
/// registered.
fn endpoints(
    args: &StripeArgs,
    config: &Config,
    stripe: &Stripe,
) -> Result<Vec<(Endpoint, String)>, Failure> {
    let asked = args.webhook_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let public_url = config.settings.server.public_url.as_ref();
    let below = public_url.map(|url| format!("{}/ingest/stripe", url.as_str().trim_end_matches('/')));
    let unknown = |secrets: &[Secret]| asked.is_some() || secrets.is_empty();
    let mut wanted = Vec::new();
    if let Some(url) = asked.clone().or(below) {
        if unknown(&stripe.webhook_secrets) {
            wanted.push((Endpoint::Account, url.clone()));
        }
        if !stripe.connected_accounts.is_empty() && unknown(&stripe.connect_webhook_secrets) {
            wanted.push((Endpoint::Connect, format!("{url}/connect")));
        }
    }
    if !wanted.is_empty() && config.file.is_none() {
        return Err(Failure::new(
            Code::NotConfirmed,
            "no endpoint was registered: there is no configuration to keep its secret in",
        )
        .help("bursar init"));
    }
    Ok(wanted)
}

/// One after the other; the first that fails ends it. A key that may not is not tried: the table says so.
async fn register(
    connection: &Connection,
    examined: &Examined,
    wanted: Vec<(Endpoint, String)>,
) -> (Vec<Registered>, Option<Error>) {
    let mut registered = Vec::new();
    let refused = |permission: &bursar_engine::Permission| {
        permission.resource == "webhook_endpoints" && permission.granted == Granted::No
    };
    if examined.permissions.iter().any(refused) {
        return (registered, None);
    }
    for (endpoint, url) in wanted {
        match connect::register_webhook(connection, &url, endpoint).await {
            Ok(one) => registered.push(one),
            Err(error) => return (registered, Some(error)),
        }
    }
    (registered, None)
}

/// Where the key came from says whether it has to be kept.
struct Key {
    secret: Secret,
    is_new: bool,
}

fn find_key(args: &StripeArgs, config: &Config, session: &Session) -> Result<Key, Failure> {
    let named = |text: String, kept_in: KeptIn| Secret::new(text.trim().to_owned().into(), kept_in);
    if let Some(path) = &args.key_file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::new(
                Code::ConfigSecretUnreadable,
                format!("the key cannot be read: {}: {error}", path.display()),
            )
            .note("effect", "nothing was sent, nothing was kept")
            .exits(Exit::Usage)
        })?;
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

/// What the key says of itself, before anything is sent: a key of live mode that nobody meant to use stays here.
fn judge(secret: &Secret, live: bool) -> Result<(), Failure> {
    let key = secret.expose().expose_secret();
    let kind =
        ["sk_test_", "rk_test_", "sk_live_", "rk_live_"].into_iter().find(|kind| key.starts_with(kind));
    let wrong = match kind {
        Some(kind) if kind.ends_with("live_") && !live => {
            return Err(Failure::new(
                Code::NotConfirmed,
                format!("{} is a key of live mode; nothing was sent, nothing was kept", secret.masked()),
            )
            .help("if you mean it: bursar connect stripe --live"));
        }
        Some(_) => return Ok(()),
        None if key.starts_with("pk_") => "a publishable key may read nothing",
        None if key.starts_with("whsec_") => "this is the secret of a webhook endpoint",
        None => "this does not look like a key of Stripe's",
    };
    Err(refused(wrong)
        .note("effect", "nothing was sent, nothing was kept")
        .help("a secret or restricted key begins with sk_test_, rk_test_, sk_live_ or rk_live_")
        .exits(Exit::Usage))
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
    registered: &[Registered],
    kept: &Kept,
) -> Result<(), Failure> {
    let output = &session.output;
    if output.is_json() {
        output.document(&json!({"object": "connection", "name": args.name, "lane": examined.lane.to_string(),
            "account_name": examined.name, "livemode": examined.lane.livemode, "permissions": examined.permissions,
            "webhook_endpoints": registered.iter().map(|one| json!({"id": one.id, "became": one.became.as_str(),
                "of_connected_accounts": one.endpoint == Endpoint::Connect})).collect::<Vec<_>>(),
            "kept": kept.files, "to_add": kept.by_hand}))?;
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
            Granted::Unknown => "not told",
        };
        table
            .row([permission.resource, permission.access, granted, permission.needed_for].map(str::to_owned));
    }
    output.table(&table)?;
    output.note("Asked by reading one object of each, and for writing by calls that change nothing:");
    for permission in examined.permissions.iter().filter(|permission| permission.access == "write") {
        output.note(format_args!("  {}", permission.probed));
    }
    for one in registered {
        let whose = if one.endpoint == Endpoint::Connect { " of connected accounts" } else { "" };
        let count = one.events.len();
        output.line(format_args!(
            "webhook  {}  {}  {count} event types{whose}",
            one.id,
            one.became.as_str()
        ))?;
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
    if let bursar_engine::Error::StripeRefused { status: status @ (401 | 403), .. } = error {
        let what = if *status == 401 {
            "Stripe does not know this key"
        } else {
            "Stripe does not let this key do that"
        };
        return Failure::new(Code::StripeRefusesKey, format!("{what} ({status})"))
            .note("effect", "nothing was kept, nothing was changed at Stripe")
            .help("copy it again from the Dashboard: Developers, API keys");
    }
    Failure::new(Code::StripeUnavailable, format!("{error}"))
        .note("effect", "nothing was kept, nothing was changed at Stripe")
        .help("look at the key and at [stripe] api_base")
}

fn not_registered(error: &Error, registered: &[Registered]) -> Failure {
    let made = registered.iter().filter(|one| one.became != Became::Kept).map(|one| one.id.as_str());
    let made = made.collect::<Vec<_>>().join(", ");
    let effect = if made.is_empty() {
        "no endpoint was changed at Stripe".to_owned()
    } else {
        format!("{made} stands at Stripe")
    };
    Failure::new(Code::StripeUnavailable, format!("an endpoint was not registered: {error}"))
        .note("effect", effect)
        .help("the same command again registers what is missing and nothing twice")
}

fn cannot_write(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::CannotWrite, format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(settings: &str, url: Option<&str>) -> Vec<(Endpoint, String)> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bursar.toml");
        std::fs::write(&file, settings).unwrap();
        std::fs::write(folder.path().join("s"), "whsec_known").unwrap();
        let options = crate::config::CliOptions { config: Some(file), ..Default::default() };
        let config =
            crate::config::load(&options, &crate::config::Environment::from([("HOME", "/h")])).unwrap();
        let webhook_url = url.map(|url| url.parse().unwrap());
        let args = StripeArgs { name: "main".to_owned(), key_file: None, webhook_url, live: false };
        endpoints(&args, &config, &config.settings.stripe["main"]).unwrap()
    }

    #[test]
    fn connected_accounts_get_an_endpoint_of_their_own() {
        let own = (Endpoint::Account, "https://b.example.com/ingest/stripe".to_owned());
        let connected = (Endpoint::Connect, "https://b.example.com/ingest/stripe/connect".to_owned());
        let server = "[server]\npublic_url = \"https://b.example.com\"\n[stripe.main]\n";
        let sellers = "connected_accounts = [\"acct_1\"]\n";
        let known = "webhook_secrets = [{ file = \"s\" }]\n";
        assert_eq!(wanted(server, None), std::slice::from_ref(&own));
        assert_eq!(wanted(&format!("{server}{sellers}"), None), [own.clone(), connected.clone()]);
        assert_eq!(
            wanted(&format!("{server}{sellers}{known}"), None),
            std::slice::from_ref(&connected),
            "only what is missing"
        );
        assert_eq!(wanted("[stripe.main]\n", None), []);
        let asked = Some("https://b.example.com/ingest/stripe");
        assert_eq!(wanted(&format!("[stripe.main]\n{sellers}{known}"), asked), [own, connected]);
    }

    fn judged(key: &str, live: bool) -> Option<Exit> {
        judge(&Secret::new(key.to_owned().into(), KeptIn::Clear), live).err().map(|failure| failure.exit())
    }

    #[test]
    fn a_key_is_judged_by_what_it_says_of_itself_before_it_is_sent() {
        assert_eq!(judged("sk_test_1", false), None);
        assert_eq!(judged("rk_live_1", true), None);
        for (key, live) in
            [("sk_live_1", false), ("rk_live_1", false), ("pk_test_1", true), ("whsec_1", true), ("x", true)]
        {
            assert_eq!(judged(key, live), Some(Exit::Usage), "{key}");
        }
    }
}
