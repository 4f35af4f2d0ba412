//! `bursar mode`: shows how far each playbook may go, or changes it. A change is audited.

use bursar_domain::lane::Lane;
use bursar_domain::mode::Mode;
use serde_json::{Value, json};

use super::exit::Exit;
use super::fields;
use super::installation::Identity;
use super::runtime;
use super::session::Session;
use super::table::{Column, Table};
use super::{Outcome, idempotency};

const EXAMPLES: &str = "\
Examples:
  bursar mode                                              show all
  bursar mode assist --playbook recovery
  bursar mode automate --playbook recovery --lane acct_…/live";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ModeArgs {
    /// observe, assist or automate
    #[arg(requires = "playbook")]
    mode: Option<Mode>,
    /// Whose mode changes
    #[arg(long, visible_alias = "scope", requires = "mode")]
    playbook: Option<String>,
    /// Only on this lane, such as acct_…/live
    #[arg(long, requires = "mode")]
    lane: Option<Lane>,
    #[command(flatten)]
    identity: Identity,
}

pub fn run(args: &ModeArgs, session: &Session) -> Outcome {
    let client = session.client(&args.identity)?;
    runtime::block_on(async {
        let answer = match (args.mode, &args.playbook) {
            (Some(mode), Some(playbook)) => {
                let mut body = json!({"playbook": playbook, "mode": mode});
                if let Some(lane) = &args.lane {
                    body["lane"] = json!(lane);
                }
                client.post("/modes", &body, &idempotency::fresh_key()?).await?
            }
            _ => client.get("/modes", &[]).await?,
        };
        let output = &session.output;
        if output.is_json() {
            output.document(&answer)?;
        } else {
            output.table(&table(&answer))?;
        }
        Ok(Exit::Done)
    })
}

fn table(answer: &Value) -> Table {
    let columns = [Column::Text("playbook"), Column::Text("lane"), Column::Text("mode")];
    let mut table = Table::new(columns, "no playbook has a mode yet");
    let one = std::slice::from_ref(answer);
    let modes = if answer.get("data").is_some() { fields::list(answer) } else { one };
    for mode in modes {
        table.row([
            fields::text(mode, &["/playbook"]),
            fields::text(mode, &["/lane"]),
            fields::text(mode, &["/mode"]),
        ]);
    }
    table
}
