//! `bursar refund request`: asks for a refund. Policy decides whether it happens, waits for a person, or is denied.

use std::fmt::Write;

use bursar_domain::proposal::ProposalState;
use serde_json::{Value, json};

use super::amount::AmountArg;
use super::code::Code;
use super::exit::Exit;
use super::failure::Failure;
use super::inert::inert;
use super::installation::Identity;
use super::session::Session;
use super::{Outcome, ask, fields, idempotency, runtime};

const EXAMPLES: &str = "\
Examples:
  bursar refund request ch_… --amount 64.00usd --reason \"double payment\"
  bursar refund request ch_… --amount 64.00usd --reason duplicate --yes";

#[derive(Debug, clap::Subcommand)]
pub enum RefundCommand {
    /// Ask for a refund of a charge; exit 0 done or under way, 8 waits for approval, 5 denied
    Request(RequestArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RequestArgs {
    /// The charge, ch_… or py_…
    charge: String,
    /// How much, such as 64.00usd; all that is left when nobody is asked for it
    #[arg(long)]
    amount: Option<AmountArg>,
    /// Why; shown on the card as what you say
    #[arg(long, value_parser = ask::reason)]
    reason: String,
    /// Do not ask; needs --amount too when nobody is at the terminal
    #[arg(long, short)]
    yes: bool,
    /// Show what would be asked for and stop
    #[arg(long)]
    dry_run: bool,
    /// The same key with the same words asks once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(command: RefundCommand, session: &Session) -> Outcome {
    let RefundCommand::Request(args) = command;
    let output = &session.output;
    let summary = summary(&args);
    if !(output.is_json() && args.yes) {
        output.say(&summary);
    }
    confirm(&args, ask::somebody_is_there())?;
    if args.dry_run {
        output.note("dry run: nothing was asked for");
        return Ok(Exit::Done);
    }
    if !args.yes && !ask::yes("Ask for it?")? {
        return Err(Failure::new(Code::NotConfirmed, "no refund was asked for").exits(Exit::Failed));
    }
    let key = match &args.idempotency_key {
        Some(key) => key.clone(),
        None => idempotency::fresh_key()?,
    };
    output.note(format_args!("idempotency key {key}"));
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let answer = client.post("/refund_requests", &body(&args), &key).await?;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.line(outcome(&answer))?;
        }
        exit(&answer)
    })
}

/// A program says yes and names the amount: "all that is left" may be more than it thinks.
fn confirm(args: &RequestArgs, somebody_is_there: bool) -> Result<(), Failure> {
    if somebody_is_there || args.dry_run || (args.yes && args.amount.is_some()) {
        return Ok(());
    }
    Err(Failure::new(Code::NotConfirmed, "no refund was asked for: nobody is at the terminal to say yes")
        .help("say how much and that you mean it: --amount 64.00usd --yes"))
}

fn summary(args: &RequestArgs) -> String {
    let amount =
        args.amount.map_or_else(|| "all that is left".to_owned(), |amount| fields::grouped(amount.0));
    format!("Refund {amount} of {}\n  you say: “{}”", inert(&args.charge), inert(&args.reason))
}

/// The currency goes along so that an amount in another one than the charge's is refused, not reinterpreted.
fn body(args: &RequestArgs) -> Value {
    let mut body = json!({"charge": args.charge, "reason": args.reason});
    if let Some(AmountArg(money)) = args.amount {
        body["amount"] = json!(money.amount);
        body["currency"] = json!(money.currency.as_str());
    }
    body
}

fn outcome(answer: &Value) -> String {
    let status = fields::text(answer, &["/status", "/state"]);
    let id = fields::text(answer, &["/id", "/proposal"]);
    let approval = approval(answer);
    let mut line = inert(&format!("{id} {status}"));
    if answer.get("repeated") == Some(&Value::Bool(true)) {
        line.push_str(
            "\nthe same refund was asked for already and is still open: this is that request, not another",
        );
    }
    if !approval.is_empty() {
        let _ = write!(line, "\na person decides: bursar approvals show {}", inert(&approval));
    }
    line
}

fn approval(answer: &Value) -> String {
    fields::text(answer, &["/approval", "/approval/id", "/approval_request/id"])
}

/// What became of the request, for a script.
fn exit(answer: &Value) -> Outcome {
    let status = fields::text(answer, &["/status", "/state"]);
    match ProposalState::parse(&status) {
        Some(ProposalState::Denied) => {
            let why = inert(&fields::text(answer, &["/message", "/why"]));
            let failure =
                Failure::new(Code::DeniedByPolicy, "policy denies this refund; nothing was sent to Stripe");
            Err(if why.is_empty() { failure } else { failure.note("why", why) })
        }
        Some(ProposalState::Asking) => Ok(Exit::PendingApproval),
        Some(ProposalState::Rejected | ProposalState::Expired | ProposalState::Void) => Ok(Exit::Rejected),
        Some(
            ProposalState::Refused
            | ProposalState::NoEffect
            | ProposalState::InDoubt
            | ProposalState::Reversed,
        ) => Ok(Exit::Failed),
        None if !approval(answer).is_empty() => Ok(Exit::PendingApproval),
        Some(ProposalState::Approved | ProposalState::Done | ProposalState::Observed) | None => {
            Ok(Exit::Done)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(amount: Option<&str>, yes: bool) -> RequestArgs {
        use clap::Parser;
        let mut words = vec!["bursar", "refund", "request", "ch_1", "--reason", "double\npayment"];
        words.extend(amount.iter().flat_map(|amount| ["--amount", amount]));
        words.extend(yes.then_some("--yes"));
        let cli = crate::cli::Cli::try_parse_from(words).unwrap();
        let crate::cli::Command::Refund(RefundCommand::Request(args)) = cli.command else {
            panic!("another command")
        };
        args
    }

    #[test]
    fn a_program_says_how_much_and_yes() {
        assert!(confirm(&args(Some("64.00usd"), true), false).is_ok());
        assert!(confirm(&args(None, true), false).is_err());
        assert!(confirm(&args(Some("64.00usd"), false), false).is_err());
        assert!(confirm(&args(None, false), true).is_ok());
    }

    #[test]
    fn the_summary_says_what_is_asked_for() {
        assert_eq!(
            summary(&args(Some("64.00usd"), false)),
            "Refund 64.00 USD of ch_1\n  you say: “double payment”"
        );
        assert!(summary(&args(None, false)).contains("all that is left"));
        assert_eq!(body(&args(Some("64usd"), false))["amount"], 6400);
    }

    #[test]
    fn a_request_that_met_an_earlier_one_says_so() {
        let answer =
            json!({"id": "prop_1", "status": "pending_approval", "approval": "apreq_1", "repeated": false});
        assert!(!outcome(&answer).contains("already"));
        let again =
            json!({"id": "prop_1", "status": "pending_approval", "approval": "apreq_1", "repeated": true});
        assert!(outcome(&again).contains("this is that request, not another"), "{}", outcome(&again));
    }

    #[test]
    fn what_became_of_it_is_an_exit_code() {
        let of = |status: &str| exit(&json!({ "status": status })).unwrap_or_else(|failure| failure.exit());
        assert_eq!(of("asking"), Exit::PendingApproval);
        assert_eq!(of("approved"), Exit::Done);
        assert_eq!(of("denied"), Exit::DeniedByPolicy);
        assert_eq!(of("expired"), Exit::Rejected);
        assert_eq!(of("in_doubt"), Exit::Failed);
        assert_eq!(
            exit(&json!({"status": "pending", "approval": "apreq_1"})).unwrap(),
            Exit::PendingApproval
        );
    }
}
