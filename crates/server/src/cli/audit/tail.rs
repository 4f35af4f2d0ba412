//! The newest audit entries, from the running installation.

use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::follow::{self, GrowingList};
use crate::cli::inert::inert;
use crate::cli::installation::Identity;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::cli::{Outcome, fields, instant, runtime};

#[derive(Debug, clap::Args)]
pub struct TailArgs {
    /// This many of the newest
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    lines: u8,
    /// Go on with new ones until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(args: &TailArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let show = |entry: &Value| show(&session.output, entry);
        if args.follow {
            let list = GrowingList { path: "/audit", query: &[], cursor: ("before_seq", "/seq") };
            follow::tail(&client, &list, args.lines.into(), show).await?;
            return Ok(Exit::Done);
        }
        let answer = client.get("/audit", &[("limit", &args.lines.to_string())]).await?;
        for entry in fields::list(&answer).iter().rev() {
            show(entry)?;
        }
        Ok(Exit::Done)
    })
}

/// One line for each entry; as JSON, the whole entry.
fn show(output: &Output, entry: &Value) -> Result<(), Failure> {
    if output.is_json() {
        return output.line(entry);
    }
    let at = entry.pointer("/at").or_else(|| entry.pointer("/entry/at")).unwrap_or(&Value::Null);
    let part = |pointers: &[&str]| inert(&fields::text(entry, pointers));
    let cells = [
        instant::shown(at, output.is_terminal()),
        part(&["/seq"]),
        part(&["/kind", "/entry/kind"]),
        part(&["/actor", "/entry/actor"]),
        part(&["/lane", "/entry/lane"]),
        part(&["/id", "/entry/id"]),
    ];
    output.line(cells.join(if output.is_terminal() { "  " } else { "\t" }))
}
