//! Holes in the events: polling found and filled them.

use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::inert::inert;
use crate::cli::installation::Identity;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::{Outcome, fields, instant, runtime};
use crate::held;

#[derive(Debug, clap::Args)]
pub struct GapsArgs {
    /// At most this many
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(args: &GapsArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    let limit = args.limit.to_string();
    runtime::block_on(async {
        let answer = client.get("/gaps", &[("limit", &limit)]).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.table(&table(&answer, output.is_terminal()))?;
        }
        Ok(Exit::Done)
    })
}

fn table(answer: &Value, for_people: bool) -> Table {
    let columns = [
        Column::Text("from"),
        Column::Text("to"),
        Column::Number("seconds"),
        Column::Number("events"),
        Column::Text("held"),
        Column::Text("lane"),
    ];
    let mut table = Table::new(columns, "No gap: nothing was missed.");
    for gap in fields::list(answer) {
        table.row([
            instant::shown(&gap["from"], for_people),
            instant::shown(&gap["to"], for_people),
            fields::text(gap, &["/length_s"]),
            fields::text(gap, &["/events"]),
            inert(&held::in_words(&gap["held"])),
            fields::text(gap, &["/lane"]),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_gap_is_a_line() {
        let answer = json!({"data": [{"from": "2026-11-21T00:00:00Z", "to": "2026-11-21T00:04:10Z", "length_s": 250,
            "events": 4, "held": {"invoice.paid": 1, "charge.succeeded": 3}, "lane": "acct_1/test"}]});
        insta::assert_snapshot!(
            table(&answer, false).for_programs(),
            @"2026-11-21T00:00:00Z	2026-11-21T00:04:10Z	250	4	3 charge.succeeded, 1 invoice.paid	acct_1/test"
        );
    }
}
