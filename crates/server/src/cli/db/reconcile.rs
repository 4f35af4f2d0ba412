//! How a restored copy compares with Stripe: what it may have forgotten, and a controller's act that lets things leave
//! again.

use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::installation::Identity;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::{Outcome, ask, fields, idempotency, instant, runtime};

const EXAMPLES: &str = "\
Examples:
  bursar db reconcile             what was found and is missing; 8 while held
  bursar db reconcile --lift      let things leave again";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ReconcileArgs {
    /// Let things leave again, in your name; needs the role controller
    #[arg(long)]
    lift: bool,
    /// Although not everything could be compared
    #[arg(long, requires = "lift")]
    although_incomplete: bool,
    /// Do not ask
    #[arg(long, short, requires = "lift")]
    yes: bool,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(args: &ReconcileArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity.clone().usually_controller())?;
    runtime::block_on(async {
        let stands = client.get("/restore", &[]).await?;
        let held = stands["held"] == Value::Bool(true);
        if args.lift && held {
            return lift(args, session, &client, &stands).await;
        }
        let output = &session.output;
        if output.is_json() {
            output.document(&stands)?;
        } else if held {
            show(session, &stands)?;
        } else {
            output.line("nothing is held: the database is no restored copy, or was cleared")?;
        }
        Ok(if held { Exit::PendingApproval } else { Exit::Done })
    })
}

fn show(session: &Session, stands: &Value) -> Result<(), Failure> {
    let output = &session.output;
    let text = |pointer| fields::text(stands, &[pointer]);
    let mut table = Table::new([Column::Text("what"), Column::Text("now")], "");
    let shown = |name: &str| instant::shown(&stands[name], output.is_terminal());
    table.row(["why".to_owned(), text("/words")]);
    table.row(["noticed".to_owned(), shown("noticed_at")]);
    table.row(["compared from".to_owned(), shown("since")]);
    table.row(["last look".to_owned(), shown("looked_at")]);
    let problem = text("/problem");
    let complete = match (stands["ready"] == Value::Bool(true), problem.is_empty()) {
        (true, _) => "yes, twice and far enough apart".to_owned(),
        (false, false) => format!("no: {problem}"),
        (false, true) => "not yet: two looks, a minute apart".to_owned(),
    };
    table.row(["complete".to_owned(), complete]);
    table.row(["in doubt".to_owned(), format!("{} (bursar case list)", text("/in_doubt"))]);
    table.row(["not known here".to_owned(), text_of_count(stands)]);
    output.table(&table)?;
    let lost = lost(stands, output.is_terminal());
    if !lost.is_empty() {
        output.table(&lost)?;
    }
    output.note("nothing leaves meanwhile. Let things leave again: bursar db reconcile --lift");
    Ok(())
}

fn text_of_count(stands: &Value) -> String {
    let shown = stands["lost"].as_array().map_or(0, Vec::len);
    match stands["lost_count"].as_u64().unwrap_or(shown as u64) {
        0 => "nothing".to_owned(),
        count if count > shown as u64 => {
            format!("{count} that happened at Stripe, the oldest {shown} listed below")
        }
        count => format!("{count} that happened at Stripe, listed below"),
    }
}

/// What happened under our keys that the copy knows nothing of.
fn lost(stands: &Value, for_people: bool) -> Table {
    let columns = [
        Column::Text("happened"),
        Column::Text("what"),
        Column::Text("to"),
        Column::Number("amount"),
        Column::Text("action"),
        Column::Text("lane"),
    ];
    let mut table = Table::new(columns, "");
    for one in stands["lost"].as_array().into_iter().flatten() {
        let text = |pointer| fields::text(one, &[pointer]);
        let micros = one["happened_s"].as_i64().map(|at| json!(at.saturating_mul(1_000_000)));
        let currency = Currency::parse(&text("/currency")).ok();
        let amount = one["amount"]
            .as_i64()
            .zip(currency)
            .map(|(amount, currency)| Money::new(amount, currency).to_string());
        table.row([
            micros.map(|at| instant::shown(&at, for_people)).unwrap_or_default(),
            text("/object_id"),
            text("/target"),
            amount.unwrap_or_default(),
            fields::text(one, &["/proposal", "/request_key"]),
            text("/lane"),
        ]);
    }
    table
}

async fn lift(args: &ReconcileArgs, session: &Session, client: &Client, stands: &Value) -> Outcome {
    let output = &session.output;
    if !args.yes {
        let not = |why: &str| {
            Failure::new(Code::NotConfirmed, format!("nothing was changed{why}")).exits(Exit::Failed)
        };
        if !ask::somebody_is_there() {
            return Err(not(": nobody is at the terminal to say yes").help("say that you mean it: --yes"));
        }
        show(session, stands)?;
        if !ask::yes("Let everything leave Bursar again, in your name?")? {
            return Err(not(""));
        }
    }
    let body = json!({"although_incomplete": args.although_incomplete});
    let answer = client.post("/restore/lift", &body, &idempotency::fresh_key()?).await?;
    if output.is_json() {
        output.document(&answer)?;
    } else {
        output.line("cleared: things leave again")?;
        output.note("what is in doubt stays so until somebody has looked: bursar case list");
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_copy_forgot_is_told_with_its_amount() {
        let stands = json!({"lost": [{"lane": "acct_1/test", "request_key": "bursar_1", "proposal": "prop_1",
            "object_kind": "refund", "object_id": "re_1", "target": "ch_1", "amount": 64_000, "currency": "usd",
            "happened_s": 1_795_269_725}]});
        assert_eq!(text_of_count(&stands), "1 that happened at Stripe, listed below");
        let more = json!({"lost": stands["lost"], "lost_count": 1_234});
        assert_eq!(text_of_count(&more), "1234 that happened at Stripe, the oldest 1 listed below");
        let told = lost(&stands, false).for_programs();
        assert_eq!(told, "2026-11-21T14:02:05Z\tre_1\tch_1\t640.00 USD\tprop_1\tacct_1/test");
    }
}
