//! `bursar approvals`: questions that wait for people. Votes are a person's: the token says whose.

mod decide;
mod wait;

use bursar_stripe::Money;
use serde_json::Value;

use super::exit::Exit;
use super::fields;
use super::installation::Identity;
use super::runtime;
use super::session::Session;
use super::table::{Column, Table};
use super::{Outcome, card, client, instant};

const EXAMPLES: &str = "\
Examples:
  bursar approvals list
  bursar approvals approve apreq_… --amount 640.00usd --yes
  bursar approvals wait apreq_… && echo approved";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum ApprovalsCommand {
    /// Questions that are open, or had another end
    List(ListArgs),
    /// The whole card, and the receipt once it is executed
    Show(ShowArgs),
    /// Say yes to exactly what the card shows
    Approve(decide::ApproveArgs),
    /// Say no, with a reason
    Reject(decide::RejectArgs),
    /// Wait for the decision: exit 0 approved, 8 still open, 10 rejected or expired
    Wait(wait::WaitArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only those; approved also finds what was carried out since
    #[arg(long, default_value = "pending")]
    status: Status,
    /// At most this many
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    #[command(flatten)]
    identity: Identity,
}

/// The words that a list shows as status, and all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Status {
    Pending,
    Approved,
    Executed,
    Failed,
    NoEffect,
    InDoubt,
    Reversed,
    Rejected,
    Expired,
    Void,
    All,
}

impl Status {
    /// As the API asks for it; nothing for all.
    fn word(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Approved => "approved",
            Status::Executed => "executed",
            Status::Failed => "failed",
            Status::NoEffect => "no_effect",
            Status::InDoubt => "in_doubt",
            Status::Reversed => "reversed",
            Status::Rejected => "rejected",
            Status::Expired => "expired",
            Status::Void => "void",
            Status::All => "",
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(command: ApprovalsCommand, session: &Session) -> Outcome {
    match command {
        ApprovalsCommand::List(args) => list(&args, session),
        ApprovalsCommand::Show(args) => show(&args, session),
        ApprovalsCommand::Approve(args) => decide::approve(&args, session),
        ApprovalsCommand::Reject(args) => decide::reject(&args, session),
        ApprovalsCommand::Wait(args) => wait::run(&args, session),
    }
}

fn list(args: &ListArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let limit = args.limit.to_string();
        let answer = client.get("/approvals", &[("status", args.status.word()), ("limit", &limit)]).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.table(&table(&answer, output.is_terminal()))?;
            if answer.get("has_more") == Some(&Value::Bool(true)) {
                output.note("there are more: raise --limit");
            }
        }
        Ok(Exit::Done)
    })
}

fn show(args: &ShowArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let approval = client.get(&path(&args.id), &[]).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&approval)?;
        } else {
            output.line(card::text(&approval))?;
        }
        Ok(Exit::Done)
    })
}

fn path(id: &str) -> String {
    format!("/approvals/{}", client::part(id))
}

fn table(answer: &Value, for_people: bool) -> Table {
    let columns = [
        Column::Text("approval"),
        Column::Text("status"),
        Column::Number("amount"),
        Column::Text("what"),
        Column::Text("expires"),
    ];
    let mut table = Table::new(columns, "Nothing waits for anybody.");
    let shown = |money: Money| if for_people { fields::grouped(money) } else { money.to_string() };
    for approval in fields::list(answer) {
        let amount = card::money(approval).or_else(|| fields::money(approval));
        table.row([
            fields::text(approval, &["/id"]),
            fields::text(approval, &["/status"]),
            amount.map(shown).unwrap_or_default(),
            if for_people { card::headline_without_id(approval) } else { card::headline(approval) },
            instant::shown(approval.get("expires_at").unwrap_or(&Value::Null), for_people),
        ]);
    }
    table
}
