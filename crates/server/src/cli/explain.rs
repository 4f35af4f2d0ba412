//! `bursar explain CODE`: the page of an error code, from the binary itself.

use serde_json::json;

use super::Outcome;
use super::code::Code;
use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use crate::config::nearest;

#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The code, such as BUR-CFG-012
    code: String,
}

pub fn run(args: &ExplainArgs, session: &Session) -> Outcome {
    let code: Code = args.code.parse().map_err(|()| unknown(&args.code))?;
    if session.output.is_json() {
        session
            .output
            .document(&json!({"object": "error_code", "code": code.as_str(), "page": code.page()}))?;
    } else {
        session.output.line(code.page().trim_end())?;
    }
    Ok(Exit::Done)
}

fn unknown(given: &str) -> Failure {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let failure =
        Failure::new(Code::NotFound, format!("no error has the code `{}`", super::inert::inert(given)));
    match nearest(&given.to_ascii_uppercase(), &codes) {
        Some(near) => failure.help(format!("did you mean {near}?")),
        None => failure.help(format!("the codes are {}", codes.join(", "))),
    }
}
