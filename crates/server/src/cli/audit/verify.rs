//! Finds any changed bit in a sealed entry or in a row it commits to, and names it.

use bursar_store::anchor;
use bursar_store::audit::{self, Report};
use serde_json::{Value, json};

use super::{open, place, unreadable};
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inert::inert;
use crate::cli::session::Session;
use crate::cli::{Outcome, runtime};

pub fn run(session: &Session) -> Outcome {
    runtime::block_on(async {
        // Before the database, which may go on meanwhile.
        let anchor = anchor::read(&place(session)?.anchor_path()).map_err(|error| unreadable(&error))?;
        let (store, data_dir) = open(session).await?;
        let mut db = store.read().await.map_err(|error| unreadable(&error))?;
        let report =
            audit::verify_against(&mut db, anchor.as_ref()).await.map_err(|error| unreadable(&error))?;
        let output = &session.output;
        if output.is_json() {
            output.document(&document(&report)?)?;
            return Ok(if report.ok { Exit::Done } else { Exit::Failed });
        }
        if let Some(bad) = &report.first_bad {
            return Err(broken(&report, bad));
        }
        output.line(format_args!(
            "sound: {} entries, {} rows, {} not sealed yet, head {}",
            report.entries, report.rows, report.unsealed, report.head
        ))?;
        output.note(match &report.anchor {
            Some(seq) => format!("{}, and its anchor names entry {seq}", data_dir.display()),
            None => format!("{}, with no anchor to compare with", data_dir.display()),
        });
        Ok(Exit::Done)
    })
}

fn document(report: &Report) -> Result<Value, Failure> {
    serde_json::to_value(report).map_err(|error| Failure::new(Code::CannotWrite, error.to_string()))
}

fn broken(report: &Report, bad: &audit::Finding) -> Failure {
    let part = |text: &Option<String>| text.as_deref().map(inert).unwrap_or_default();
    let place = json!([bad.seq, bad.table, bad.key]);
    Failure::new(Code::AuditBroken, format!("the audit does not verify: {}", inert(&bad.detail)))
        .note(
            "entry",
            format!("number {} {}", bad.seq.map(|seq| seq.to_string()).unwrap_or_default(), part(&bad.entry)),
        )
        .note("place", format!("{} {} in {}", bad.what, part(&bad.key), part(&bad.table)))
        .note("checked", format!("{} entries, {} rows", report.entries, report.rows))
        .help(format!(
            "keep a copy of the data directory as it is, and compare with your last backup at {place}"
        ))
}
