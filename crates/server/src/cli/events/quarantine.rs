//! What came from Stripe and cannot be used: why, what it says, and another try with the program of today.

use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::inert::inert;
use crate::cli::installation::Identity;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::{Outcome, client, fields, idempotency, instant, runtime};

#[derive(Debug, clap::Subcommand)]
pub enum QuarantineCommand {
    /// What was set aside, newest first, and why
    List(ListArgs),
    /// One of them, with what came
    Show(OneArgs),
    /// Try one again: it becomes an event, or you are told what is still wrong
    Retry(OneArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// At most this many
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    #[command(flatten)]
    identity: Identity,
}

#[derive(Debug, clap::Args)]
pub struct OneArgs {
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(command: QuarantineCommand, session: &Session) -> Outcome {
    match command {
        QuarantineCommand::List(args) => list(&args, session),
        QuarantineCommand::Show(args) => show(&args, session),
        QuarantineCommand::Retry(args) => retry(&args, session),
    }
}

fn list(args: &ListArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    let limit = args.limit.to_string();
    runtime::block_on(async {
        let answer = client.get("/quarantine", &[("limit", &limit)]).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.table(&table(&answer, output.is_terminal()))?;
        }
        Ok(Exit::Done)
    })
}

fn show(args: &OneArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let row = client.get(&format!("/quarantine/{}", client::part(&args.id)), &[]).await?;
        session.output.document(&row)?;
        Ok(Exit::Done)
    })
}

fn retry(args: &OneArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let path = format!("/quarantine/{}/retry", client::part(&args.id));
        let answer = client.post(&path, &json!({}), &idempotency::fresh_key()?).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.line(outcome(&answer))?;
        }
        Ok(exit(&answer))
    })
}

/// A script sees from the code whether the event is in.
fn exit(answer: &Value) -> Exit {
    if answer["state"] == "accepted" { Exit::Done } else { Exit::Failed }
}

fn outcome(answer: &Value) -> String {
    let text = |pointer| inert(&fields::text(answer, &[pointer]));
    if answer["state"] == "accepted" {
        return format!("accepted as {}", text("/event"));
    }
    format!("still cannot be used: {}; nothing was done about it", text("/why"))
}

fn table(answer: &Value, for_people: bool) -> Table {
    let columns = [
        Column::Text("id"),
        Column::Text("received"),
        Column::Text("why"),
        Column::Text("way in"),
        Column::Text("state"),
        Column::Text("lane"),
    ];
    let mut table = Table::new(columns, "Nothing was set aside.");
    for row in fields::list(answer) {
        table.row([
            fields::text(row, &["/id"]),
            instant::shown(&row["received_at"], for_people),
            fields::text(row, &["/why", "/reason"]),
            fields::text(row, &["/source"]),
            fields::text(row, &["/state"]),
            fields::text(row, &["/lane"]),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_try_says_what_came_of_it() {
        let accepted = json!({"state": "accepted", "event": "evt_1", "why": null});
        assert_eq!((outcome(&accepted).as_str(), exit(&accepted)), ("accepted as evt_1", Exit::Done));
        let refused = json!({"state": "refused", "event": null, "why": "created is missing\u{1b}[2J"});
        assert!(outcome(&refused).starts_with("still cannot be used: created is missing"));
        assert!(!outcome(&refused).contains('\u{1b}'));
        assert_eq!(exit(&refused), Exit::Failed);
    }
}
