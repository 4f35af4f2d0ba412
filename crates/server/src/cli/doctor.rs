//! `bursar doctor`: looks at everything an installation needs, and says for each thing that is wrong what fixes it.

mod checks;
mod finding;

use serde_json::json;

use super::Outcome;
use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use super::table::{Column, Table};
use crate::cli::code::Code;
use finding::{Finding, Health};

const EXAMPLES: &str = "\
Examples:
  bursar doctor
  bursar doctor --only policies --json";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Only checks whose name begins so, such as stripe or config
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

pub fn run(args: &DoctorArgs, session: &Session) -> Outcome {
    if let Ok(own) = session.data_dir() {
        session.note_no_demo(&own);
    }
    let mut findings = checks::all(session);
    if let Some(only) = &args.only {
        findings.retain(|finding| finding.check.starts_with(only.as_str()));
        if findings.is_empty() {
            return Err(Failure::new(
                Code::NotFound,
                format!("no check is called {}", super::inert::inert(only)),
            )
            .help("all of them: bursar doctor"));
        }
    }
    let sick = findings.iter().filter(|finding| finding.health == Health::Sick).count();
    let output = &session.output;
    if output.is_json() {
        output.document(&json!({"object": "doctor", "ok": sick == 0, "checks": findings}))?;
        return Ok(if sick == 0 { Exit::Done } else { Exit::DoctorFoundProblems });
    }
    output.table(&table(&findings))?;
    if sick == 0 {
        return Ok(Exit::Done);
    }
    let problems = if sick == 1 { "a problem".to_owned() } else { format!("{sick} problems") };
    Err(Failure::new(Code::DoctorFoundProblems, format!("doctor found {problems}"))
        .help("each line above names what fixes it"))
}

fn table(findings: &[Finding]) -> Table {
    let columns = [Column::Text(""), Column::Text("check"), Column::Text("found"), Column::Text("fix")];
    let mut table = Table::new(columns, "nothing to check");
    for finding in findings {
        let fix = finding.fix.clone().unwrap_or_default();
        table.row([finding.health.mark().to_owned(), finding.check.to_owned(), finding.found.clone(), fix]);
    }
    table
}

#[cfg(test)]
mod tests;
