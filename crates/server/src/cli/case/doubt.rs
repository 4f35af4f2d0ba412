//! What is in doubt: another look, and a controller's word on what became of it.

use serde_json::{Value, json};

use crate::cli::client::{self, Client};
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inert::inert;
use crate::cli::installation::Identity;
use crate::cli::session::Session;
use crate::cli::{Outcome, ask, fields, idempotency, runtime};

#[derive(Debug, clap::Args)]
pub struct LookAgainArgs {
    /// The proposal in doubt, as `case show` names it
    #[arg(value_name = "PROPOSAL")]
    id: String,
    #[command(flatten)]
    identity: Identity,
}

#[derive(Debug, clap::Args)]
pub struct SettleArgs {
    /// The proposal in doubt, as `case show` names it
    #[arg(value_name = "PROPOSAL")]
    id: String,
    /// It happened
    #[arg(long, required_unless_present = "did_not_happen", conflicts_with = "did_not_happen")]
    happened: bool,
    /// It did not happen
    #[arg(long)]
    did_not_happen: bool,
    /// What came of it at Stripe, such as re_…
    #[arg(long, value_name = "ID", conflicts_with = "did_not_happen")]
    object: Option<String>,
    /// What you looked at; kept with your name
    #[arg(long)]
    reason: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    identity: Identity,
}

pub fn look_again(args: &LookAgainArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let said = format!("looking again for {}", args.id);
        post(&client, session, &args.id, ("look_again", &json!({})), &said).await
    })
}

pub fn settle(args: &SettleArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity.clone().usually_controller())?;
    let word = if args.happened { "happened" } else { "did not happen" };
    if !args.yes {
        let unsettled = |why: &str| {
            Failure::new(Code::NotConfirmed, format!("{} was not settled{why}", args.id)).exits(Exit::Failed)
        };
        if !ask::somebody_is_there() {
            return Err(
                unsettled(": nobody is at the terminal to say yes").help("say that you mean it: --yes")
            );
        }
        if !ask::yes(&inert(&format!("Record in your name that {} {word}?", args.id)))? {
            return Err(unsettled(""));
        }
    }
    runtime::block_on(async {
        let said = format!("recorded that {} {word}; nothing was sent", args.id);
        post(&client, session, &args.id, ("settle", &body(args)), &said).await
    })
}

fn body(args: &SettleArgs) -> Value {
    let mut body = json!({"happened": args.happened, "reason": args.reason});
    if let Some(object) = &args.object {
        body["object"] = json!(object);
    }
    body
}

async fn post(
    client: &Client,
    session: &Session,
    id: &str,
    (verb, body): (&str, &Value),
    said: &str,
) -> Outcome {
    let path = format!("/proposals/{}/{verb}", client::part(id));
    let answer = client.post(&path, body, &idempotency::fresh_key()?).await?;
    let output = &session.output;
    if output.is_json() {
        output.document(&answer)?;
    } else {
        output.line(inert(said))?;
        output.note(format_args!("it now stands as {}", fields::text(&answer, &["/state"])));
    }
    Ok(Exit::Done)
}
