//! Work that failed for good: each piece says why, and may be tried again once the cause is gone.

use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::inert::inert;
use crate::cli::installation::Identity;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::{Outcome, client, fields, idempotency, instant, runtime};

#[derive(Debug, clap::Args)]
pub struct DeadArgs {
    #[command(flatten)]
    identity: Identity,
}

#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    identity: Identity,
}

pub fn list(args: &DeadArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let answer = client.get("/dead_letters", &[]).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.table(&table(&answer, output.is_terminal()))?;
        }
        Ok(Exit::Done)
    })
}

pub fn retry(args: &RetryArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let path = format!("/dead_letters/{}/retry", client::part(&args.id));
        let answer = client.post(&path, &json!({}), &idempotency::fresh_key()?).await?;
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.line(inert(&format!("trying {} again", args.id)))?;
        }
        Ok(Exit::Done)
    })
}

fn table(answer: &Value, for_people: bool) -> Table {
    let columns = [
        Column::Text("id"),
        Column::Text("what"),
        Column::Number("tries"),
        Column::Text("since"),
        Column::Text("why"),
    ];
    let mut table = Table::new(columns, "Nothing died.");
    for letter in fields::list(answer) {
        let since =
            ["died_at", "at", "created"].iter().find_map(|key| letter.get(*key)).unwrap_or(&Value::Null);
        table.row([
            fields::text(letter, &["/id"]),
            fields::text(letter, &["/kind", "/type", "/key"]),
            fields::text(letter, &["/attempts", "/tries"]),
            instant::shown(since, for_people),
            fields::text(letter, &["/error", "/last_error", "/why"]),
        ]);
    }
    table
}
