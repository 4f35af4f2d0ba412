//! `bursar backfill`: Stripe's objects from before Bursar came. The running installation reads them; this asks for it and
//! shows how far it is. Whoever stops looking stops nothing.

use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};

use super::exit::Exit;
use super::installation::Identity;
use super::progress::Progress;
use super::session::Session;
use super::table::{Column, Table};
use super::{Outcome, fields, idempotency, runtime};
use crate::config::value::Span;

const EXAMPLES: &str = "\
Examples:
  bursar backfill --since 24mo
  bursar backfill --since 90d --detach     asks and does not wait";

const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BackfillArgs {
    /// How far back, such as 24mo, 2y or 90d
    #[arg(long, default_value = "24mo")]
    since: Back,
    /// Ask, and do not wait until it is read
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    identity: Identity,
}

/// A span that may be in months and years, as people count what is long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Back {
    seconds: u64,
}

/// A twelfth of 365 days and a quarter.
const MONTH_S: u64 = 2_629_800;

impl FromStr for Back {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let months = text
            .strip_suffix("mo")
            .map(|months| (months, 1))
            .or_else(|| text.strip_suffix('y').map(|years| (years, 12)));
        let Some((count, each)) = months else {
            return Ok(Self { seconds: text.parse::<Span>().map_err(|_| refused())?.as_seconds() });
        };
        let count: u64 = count.parse().map_err(|_| refused())?;
        if (1..=240).contains(&(count.saturating_mul(each))) {
            Ok(Self { seconds: count * each * MONTH_S })
        } else {
            Err(refused())
        }
    }
}

fn refused() -> String {
    "expected how far back, such as 24mo, 2y or 90d, at most twenty years".to_owned()
}

pub fn run(args: &BackfillArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let output = &session.output;
        let mut history = client
            .post("/history", &json!({"since_s": args.since.seconds}), &idempotency::fresh_key()?)
            .await?;
        if !args.detach {
            let mut progress = Progress::start(output, 100, "percent");
            let mut shown = 0;
            while history["state"] == "reading" {
                tokio::time::sleep(LOOK_EVERY).await;
                history = client.get("/history", &[]).await?;
                let percent = history["done_percent"].as_u64().unwrap_or(0);
                while shown < percent {
                    progress.step(&message(&history));
                    shown += 1;
                }
                progress.say(&message(&history));
            }
        }
        if output.is_json() {
            output.document(&history)?;
        } else {
            output.table(&table(&history))?;
        }
        Ok(Exit::Done)
    })
}

/// `18204 objects, about 12 min left`, and what holds it up.
fn message(history: &Value) -> String {
    let objects = fields::text(history, &["/objects"]);
    let left = match history["remaining_s"].as_i64() {
        None => String::new(),
        Some(seconds @ ..60) => format!(", about {seconds} s left"),
        Some(seconds @ 60..7_200) => format!(", about {} min left", seconds / 60),
        Some(seconds) => format!(", about {} h left", seconds / 3_600),
    };
    let mut kinds = history["kinds"].as_array().into_iter().flatten();
    let held_up = kinds.find_map(|kind| Some((kind["kind"].as_str()?, kind["last_error"].as_str()?)));
    let held_up = held_up.map(|(kind, why)| format!("; {kind}: {why}")).unwrap_or_default();
    format!("{objects} objects{left}{held_up}")
}

fn table(history: &Value) -> Table {
    let columns = [
        Column::Text("lane"),
        Column::Text("kind"),
        Column::Number("objects"),
        Column::Text("read"),
        Column::Text("held up by"),
    ];
    let mut table = Table::new(columns, "Nobody asked for history.");
    for kind in history["kinds"].as_array().into_iter().flatten() {
        let read = match kind["state"].as_str() {
            Some("done") => "all".to_owned(),
            _ => format!("{} %", fields::text(kind, &["/done_percent"])),
        };
        table.row([
            fields::text(kind, &["/lane"]),
            fields::text(kind, &["/kind"]),
            fields::text(kind, &["/objects"]),
            read,
            fields::text(kind, &["/last_error"]),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ago_is_told_in_months_and_years() {
        let seconds = |text: &str| text.parse::<Back>().map(|back| back.seconds);
        assert_eq!(seconds("24mo"), seconds("2y"));
        assert_eq!(seconds("24mo"), Ok(63_115_200));
        assert_eq!(seconds("90d"), Ok(90 * 86_400));
        for bad in ["", "24", "0mo", "mo", "-1mo", "1.5y", "21y", "99999999999999999999mo", "24 mo"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_read_is_a_line_for_each_kind() {
        let history = json!({"state": "reading", "objects": 1_250, "remaining_s": 130, "kinds": [
            {"lane": "acct_1/test", "kind": "customer", "state": "done", "objects": 1_200, "done_percent": 100, "last_error": null},
            {"lane": "acct_1/test", "kind": "charge", "state": "reading", "objects": 50, "done_percent": 4,
                "last_error": "Stripe's key lacks the permission to read charges"}]});
        insta::assert_snapshot!(table(&history).for_programs(), @r"
        acct_1/test	customer	1200	all	
        acct_1/test	charge	50	4 %	Stripe's key lacks the permission to read charges
        ");
        assert_eq!(
            message(&history),
            "1250 objects, about 2 min left; charge: Stripe's key lacks the permission to read charges"
        );
    }
}
