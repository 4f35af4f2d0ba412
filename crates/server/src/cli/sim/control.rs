//! Pulls the strings of a running fake Stripe over HTTP.

use clap::ValueEnum;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::cli::client::{self, part, unreachable_at};
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inert::inert;
use crate::cli::session::Session;
use crate::cli::{Outcome, fields, runtime};
use crate::config::value::{HttpUrl, Span};

/// Which fake Stripe.
#[derive(Debug, clap::Args)]
pub struct Target {
    #[arg(long, value_name = "URL", help = "Its address; else BURSAR_SIM_URL, else that of the demo")]
    url: Option<HttpUrl>,
}

#[derive(Debug, clap::Args)]
pub struct TriggerArgs {
    #[arg(value_name = "TYPE", help = "Such as invoice.payment_failed")]
    kind: String,
    /// A value to use, such as amount=64000 or currency=eur
    #[arg(long = "override", value_name = "KEY=VALUE", value_parser = pair)]
    overrides: Vec<(String, Value)>,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Subcommand)]
pub enum ClockCommand {
    /// What time it is there
    Show {
        #[command(flatten)]
        target: Target,
    },
    /// Move it on; what becomes due happens in its order
    Advance {
        /// Such as 90s, 15m, 24h or 3d
        span: Span,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum FaultCommand {
    /// Arm one
    Add(FaultArgs),
    /// Those that are armed
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Disarm one
    Remove {
        id: String,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, clap::Args)]
pub struct FaultArgs {
    /// The calls it is about, such as "POST /v1/refunds"
    #[arg(long)]
    route: String,
    #[arg(long)]
    kind: FaultKind,
    /// The first such call that goes wrong, counted from 1
    #[arg(long, default_value_t = 1)]
    nth: u32,
    /// The answer, for kind status
    #[arg(long, required_if_eq("kind", "status"))]
    status: Option<u16>,
    /// Whether it happens all the same, for kind status; else only with a 500, as at Stripe
    #[arg(long, value_name = "true|false", requires = "status")]
    effect: Option<bool>,
    /// How many calls in a row go wrong
    #[arg(long)]
    times: Option<u32>,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum FaultKind {
    /// No answer, and nothing happened
    TimeoutBefore,
    /// No answer, but it happened
    TimeoutAfter,
    /// An error answer
    Status,
    /// The connection stays open for ever
    Hang,
    /// The connection breaks
    Drop,
}

impl FaultKind {
    fn word(self) -> &'static str {
        match self {
            FaultKind::TimeoutBefore => "timeout_before",
            FaultKind::TimeoutAfter => "timeout_after",
            FaultKind::Status => "status",
            FaultKind::Hang => "hang",
            FaultKind::Drop => "drop",
        }
    }
}

pub fn trigger(args: &TriggerArgs, session: &Session) -> Outcome {
    let overrides: Map<String, Value> = args.overrides.iter().cloned().collect();
    let wish = json!({"type": args.kind, "overrides": overrides});
    pull(&args.target, Method::POST, "/trigger", Some(&wish), session, |answer| {
        let objects = answer.get("objects").and_then(Value::as_array).into_iter().flatten();
        let ids: Vec<String> = objects.map(|object| fields::text(object, &["/id", ""])).collect();
        format!(
            "{} {}  {}",
            fields::text(answer, &["/event/type"]),
            fields::text(answer, &["/event/id"]),
            ids.join(" ")
        )
    })
}

pub fn clock(command: &ClockCommand, session: &Session) -> Outcome {
    let now = |answer: &Value| {
        let at =
            answer.get("now").and_then(Value::as_i64).and_then(|now| jiff::Timestamp::from_second(now).ok());
        at.map_or_else(|| answer.to_string(), |at| at.to_string())
    };
    match command {
        ClockCommand::Show { target } => pull(target, Method::GET, "/clock", None, session, now),
        ClockCommand::Advance { span, target } => {
            let wish = json!({"advance_s": span.as_seconds()});
            pull(target, Method::POST, "/clock", Some(&wish), session, now)
        }
    }
}

pub fn fault(command: FaultCommand, session: &Session) -> Outcome {
    match command {
        FaultCommand::Add(args) => {
            let mut wish = json!({"route": args.route, "nth": args.nth, "kind": args.kind.word()});
            for (key, value) in [("status", args.status.map(u32::from)), ("times", args.times)] {
                if let Some(value) = value {
                    wish[key] = json!(value);
                }
            }
            if let Some(effect) = args.effect {
                wish["effect"] = json!(effect);
            }
            pull(&args.target, Method::POST, "/faults", Some(&wish), session, |answer| {
                fields::text(answer, &["/id"])
            })
        }
        FaultCommand::List { target } => pull(&target, Method::GET, "/faults", None, session, |answer| {
            fields::list(answer).iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
        }),
        FaultCommand::Remove { id, target } => {
            let path = format!("/faults/{}", part(&id));
            pull(&target, Method::DELETE, &path, None, session, |_| format!("removed {id}"))
        }
    }
}

/// One call to `/_sim`; `line` is what people read of its answer.
fn pull(
    target: &Target,
    method: Method,
    path: &str,
    wish: Option<&Value>,
    session: &Session,
    line: impl Fn(&Value) -> String,
) -> Outcome {
    let root = root(target, session)?;
    let http = client::http(&root)?;
    runtime::block_on(async {
        let mut request = http.request(method, format!("{root}/_sim{path}"));
        if let Some(wish) = wish {
            request = request.json(wish);
        }
        let gone = |error: &reqwest::Error| {
            unreachable_at(&root, error)
                .help("is the fake Stripe there? Name it with --url, or start one: bursar sim serve")
        };
        let response = request.send().await.map_err(|error| gone(&error))?;
        let status = response.status();
        let answer: Value = response.json().await.unwrap_or_default();
        if !status.is_success() {
            return Err(refused(status.as_u16(), &answer));
        }
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            match line(&answer) {
                nothing if nothing.is_empty() => output.note("nothing is armed"),
                text => output.line(shown(&text))?,
            }
        }
        Ok(Exit::Done)
    })
}

fn shown(text: &str) -> String {
    text.lines().map(inert).collect::<Vec<_>>().join("\n")
}

fn root(target: &Target, session: &Session) -> Result<String, Failure> {
    let named = target.url.as_ref().map(ToString::to_string);
    let named = named.or_else(|| session.environment.get("BURSAR_SIM_URL").map(str::to_owned));
    let found = match named {
        Some(url) => Some(url),
        None => session.installation().ok().and_then(|demo| demo.stripe_url().map(str::to_owned)),
    };
    let missing = || {
        Failure::new(Code::SimulatorUnreachable, "no fake Stripe is known here")
            .help("name it: --url http://127.0.0.1:7173, or start a demo: bursar demo")
    };
    found.map(|url| url.trim_end_matches('/').to_owned()).ok_or_else(missing)
}

fn refused(status: u16, answer: &Value) -> Failure {
    let message = fields::text(answer, &["/error/message"]);
    let message =
        if message.is_empty() { format!("the fake Stripe answered {status}") } else { inert(&message) };
    let (code, exit) = match status {
        404 => (Code::NotFound, Exit::NotFound),
        400..=499 => (Code::RequestRefused, Exit::Usage),
        _ => (Code::RequestRefused, Exit::Failed),
    };
    Failure::new(code, message.trim_end_matches('.')).exits(exit)
}

/// `amount=64000`: numbers, flags and nothing as JSON has them, anything else as text.
fn pair(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write it as key=value")?;
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_keep_their_kind() {
        assert_eq!(pair("amount=64000"), Ok(("amount".into(), json!(64000))));
        assert_eq!(pair("currency=eur"), Ok(("currency".into(), json!("eur"))));
        assert_eq!(pair("a=b=c"), Ok(("a".into(), json!("b=c"))));
        assert!(pair("amount").is_err());
    }
}
