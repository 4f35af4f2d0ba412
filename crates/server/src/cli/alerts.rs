//! `bursar alerts`: what operators were told about the installation, and whether they can be.

use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::Failure;
use super::inert::inert;
use super::installation::Identity;
use super::session::Session;
use super::table::{Column, Table};
use super::{Outcome, fields, idempotency, instant, runtime};
use crate::cli::code::Code;

const EXAMPLES: &str = "\
Examples:
  bursar alerts test                sends a test to everybody in [alerts]
  bursar alerts list";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum AlertsCommand {
    /// What was told, newest first, and what is over
    List(ListArgs),
    /// Send a test notice by every configured way
    Test(TestArgs),
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
pub struct TestArgs {
    #[command(flatten)]
    identity: Identity,
}

pub fn run(command: AlertsCommand, session: &Session) -> Outcome {
    match command {
        AlertsCommand::List(args) => list(&args, session),
        AlertsCommand::Test(args) => test(&args, session),
    }
}

fn list(args: &ListArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    let limit = args.limit.to_string();
    runtime::block_on(async {
        let answer = client.get("/alerts", &[("limit", &limit)]).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.table(&alerts(&answer, output.is_terminal()))?;
        }
        Ok(Exit::Done)
    })
}

fn test(args: &TestArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let answer = client.post_long("/alerts/test", &json!({}), &idempotency::fresh_key()?).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.table(&ways(&answer))?;
        }
        if answer["delivered"] == Value::Bool(true) {
            return Ok(Exit::Done);
        }
        Err(Failure::new(Code::AlertUndelivered, "a test notice did not get through")
            .note("effect", "nobody would be told by that way")
            .help("mend [alerts] or [mail.smtp], restart `bursar serve`, and test again"))
    })
}

fn alerts(answer: &Value, for_people: bool) -> Table {
    let columns = [
        Column::Text("since"),
        Column::Text("until"),
        Column::Text("what"),
        Column::Number("told"),
        Column::Text("id"),
    ];
    let mut table = Table::new(columns, "Nothing was wrong.");
    for alert in fields::list(answer) {
        let closed = &alert["closed_at"];
        let until = if closed.is_null() { "open".to_owned() } else { instant::shown(closed, for_people) };
        table.row([
            instant::shown(&alert["opened_at"], for_people),
            until,
            inert(&fields::text(alert, &["/text"])),
            fields::text(alert, &["/notices"]),
            fields::text(alert, &["/id"]),
        ]);
    }
    table
}

fn ways(answer: &Value) -> Table {
    let mut table = Table::new([Column::Text("way"), Column::Text("test")], "nobody is to be told");
    for way in answer["ways"].as_array().into_iter().flatten() {
        let why = inert(&fields::text(way, &["/why"]));
        let told = if way["delivered"] == Value::Bool(true) {
            "delivered".to_owned()
        } else {
            format!("not delivered: {why}")
        };
        table.row([fields::text(way, &["/way"]), told]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_lines_open_or_over() {
        let answer = json!({"data": [
            {"id": "alert_2", "text": "One job gave up", "opened_at": "2026-11-21T10:00:00Z", "closed_at": null, "notices": 2},
            {"id": "alert_1", "text": "The kill switch of all is thrown", "opened_at": "2026-11-20T10:00:00Z",
                "closed_at": "2026-11-20T11:00:00Z", "notices": 2}]});
        insta::assert_snapshot!(alerts(&answer, false).for_programs(), @r"
        2026-11-21T10:00:00Z	open	One job gave up	2	alert_2
        2026-11-20T10:00:00Z	2026-11-20T11:00:00Z	The kill switch of all is thrown	2	alert_1
        ");
    }

    #[test]
    fn a_test_says_for_each_way_what_came_of_it() {
        let answer = json!({"delivered": false, "ways": [{"way": "webhook", "delivered": true, "why": null},
            {"way": "mail 1", "delivered": false, "why": "refused with 550"}]});
        insta::assert_snapshot!(ways(&answer).for_programs(), @r"
        webhook	delivered
        mail 1	not delivered: refused with 550
        ");
    }
}
