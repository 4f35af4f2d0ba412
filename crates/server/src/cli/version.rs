//! `bursar version`

use serde_json::json;

use super::Outcome;
use super::exit::Exit;
use super::session::Session;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn run(session: &Session) -> Outcome {
    if session.output.is_json() {
        session.output.document(&json!({"object": "version", "version": VERSION}))?;
    } else {
        session.output.line(format_args!("bursar {VERSION}"))?;
    }
    Ok(Exit::Done)
}
