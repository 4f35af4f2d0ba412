//! Sealed entries as lines of JSON, each with its number and chain hash: enough to check the chain elsewhere.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use bursar_store::audit;

use super::{open, unreadable};
use crate::cli::code::Code;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::{Outcome, runtime};

/// As many as are read at a time.
const PAGE: i64 = 1000;

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// A new file; without it, standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only entries after this number
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
}

pub fn run(args: &ExportArgs, session: &Session) -> Outcome {
    runtime::block_on(async {
        let (store, _) = open(session).await?;
        let mut db = store.read().await.map_err(|error| unreadable(&error))?;
        let mut sink = sink(args)?;
        let (mut last, mut count) = (args.after, 0_u64);
        loop {
            let page = audit::after(&mut db, last, PAGE).await.map_err(|error| unreadable(&error))?;
            let Some(seq) = page.last().and_then(|entry| entry.seq) else { break };
            for entry in &page {
                let line =
                    serde_json::to_string(entry).map_err(|error| cannot_write(args, &error.to_string()))?;
                writeln!(sink, "{line}").map_err(|error| write_failed(args, &error))?;
            }
            count += page.len() as u64;
            last = seq;
        }
        sink.flush().map_err(|error| write_failed(args, &error))?;
        session.output.note(format_args!("{count} entries"));
        Ok(Exit::Done)
    })
}

/// A new file is never an old one written over: an export may be evidence.
fn sink(args: &ExportArgs) -> Result<Box<dyn Write>, Failure> {
    let Some(path) = &args.output else { return Ok(Box::new(BufWriter::new(std::io::stdout().lock()))) };
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    Ok(Box::new(BufWriter::new(file.map_err(|error| write_failed(args, &error))?)))
}

fn write_failed(args: &ExportArgs, error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::reader_gone(),
        _ => cannot_write(args, &error.to_string()),
    }
}

fn cannot_write(args: &ExportArgs, why: &str) -> Failure {
    let place =
        args.output.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    Failure::new(Code::CannotWrite, format!("the export to {place} stopped: {why}"))
}
