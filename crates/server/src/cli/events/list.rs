//! Events as a list, as a stream, and one by one.

use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::follow::{self, GrowingList};
use crate::cli::installation::Identity;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::{Outcome, client, fields, instant, runtime};

#[derive(Debug, clap::Args)]
pub struct TailArgs {
    #[arg(long = "type", value_name = "TYPE", help = "Only this type, such as invoice.payment_failed")]
    kind: Option<String>,
    /// Begin with this many
    #[arg(long, short = 'n', default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100))]
    lines: u8,
    #[command(flatten)]
    identity: Identity,
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[arg(long = "type", value_name = "TYPE", help = "Only this type, such as invoice.payment_failed")]
    kind: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    /// Go on after this event
    #[arg(long, value_name = "ID")]
    starting_after: Option<String>,
    #[command(flatten)]
    identity: Identity,
}

#[derive(Debug, clap::Args)]
pub struct GetArgs {
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    identity: Identity,
}

pub fn tail(args: &TailArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    let query: Vec<(&str, &str)> = args.kind.iter().map(|kind| ("type", kind.as_str())).collect();
    runtime::block_on(async {
        let list = GrowingList { path: "/events", query: &query, cursor: ("starting_after", "/id") };
        let show = |event: &Value| show(&session.output, event);
        follow::tail(&client, &list, args.lines.into(), show).await?;
        Ok(Exit::Done)
    })
}

pub fn list(args: &ListArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    let limit = args.limit.to_string();
    let query = [
        ("type", args.kind.as_deref().unwrap_or_default()),
        ("starting_after", args.starting_after.as_deref().unwrap_or_default()),
        ("limit", &limit),
    ];
    runtime::block_on(async {
        let answer = client.get("/events", &query).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.table(&table(&answer, output.is_terminal()))?;
        }
        Ok(Exit::Done)
    })
}

pub fn get(args: &GetArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let event = client.get(&format!("/events/{}", client::part(&args.id)), &[]).await?;
        // An event is a document: there is no better table of it.
        session.output.document(&event)?;
        Ok(Exit::Done)
    })
}

fn cells(event: &Value, for_people: bool) -> [String; 5] {
    let at = ["received_at", "at", "created"].iter().find_map(|key| event.get(*key)).unwrap_or(&Value::Null);
    [
        instant::shown(at, for_people),
        fields::text(event, &["/type", "/kind"]),
        fields::text(event, &["/id"]),
        fields::text(event, &["/about/id", "/data/object/id", "/related_object/id"]),
        fields::text(event, &["/lane", "/account"]),
    ]
}

fn table(answer: &Value, for_people: bool) -> Table {
    let columns = [
        Column::Text("received"),
        Column::Text("type"),
        Column::Text("event"),
        Column::Text("object"),
        Column::Text("lane"),
    ];
    let mut table = Table::new(columns, "No event yet.");
    for event in fields::list(answer) {
        table.row(cells(event, for_people));
    }
    table
}

/// A line for each event; as JSON, the whole event on one line.
fn show(output: &Output, event: &Value) -> Result<(), Failure> {
    if output.is_json() {
        return output.line(event);
    }
    let cells = cells(event, output.is_terminal()).map(|cell| crate::cli::inert::inert(&cell));
    if output.is_terminal() {
        output.line(format_args!("{:<16}  {:<36}  {}  {}", cells[0], cells[1], cells[2], cells[3]))
    } else {
        output.line(cells.join("\t"))
    }
}
