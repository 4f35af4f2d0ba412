//! Why a command ended without doing what it was asked: a code, one line of cause, where, why, and one way out.
//!
//! Promises: no secret in it, no stack trace, and the same text whoever prints it; colour is taken off where a
//! terminal does not show it.

mod frame;

use std::fmt;

use serde_json::{Value, json};

use super::code::Code;
use super::exit::Exit;

pub use frame::Place;

/// Small to hand around: the parts live behind one pointer.
#[derive(Debug)]
pub struct Failure(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    exit: Exit,
    severity: Severity,
    message: String,
    place: Option<Place>,
    notes: Vec<(&'static str, String)>,
    /// Nothing is printed: whoever read the output has closed it.
    silent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

impl Failure {
    /// `message` names the thing and its id, in one line, without a full stop.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            exit: code.exit(),
            severity: Severity::Error,
            message: message.into(),
            place: None,
            notes: Vec::new(),
            silent: false,
        }))
    }

    /// The reader of our output went away, as `head` does: no failure of anybody's.
    pub fn reader_gone() -> Self {
        let mut failure = Self::new(Code::CannotWrite, "the output was closed").exits(Exit::Done);
        failure.0.silent = true;
        failure
    }

    #[must_use]
    pub fn warning(mut self) -> Self {
        self.0.severity = Severity::Warning;
        self
    }

    #[must_use]
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.0.place = place;
        self
    }

    /// The cause at its place, or in words where it has none to point at.
    #[must_use]
    pub fn because(self, place: Option<Place>, why: impl Into<String>) -> Self {
        if place.is_some() { self.at(place) } else { self.note("cause", why) }
    }

    /// A labelled line below the cause: `effect`, `likely`, `next`.
    #[must_use]
    pub fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.0.notes.push((label, text.into()));
        self
    }

    /// What to try, with one command where there is one.
    #[must_use]
    pub fn help(self, text: impl Into<String>) -> Self {
        self.note("help", text)
    }

    #[must_use]
    pub fn exits(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    #[cfg(test)]
    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    pub fn is_silent(&self) -> bool {
        self.0.silent
    }

    /// For machines: the envelope of our API, so that one reader understands both.
    pub fn to_json(&self) -> Value {
        let parts = &self.0;
        let notes: serde_json::Map<String, Value> =
            parts.notes.iter().map(|(label, text)| ((*label).to_owned(), json!(text))).collect();
        let place = parts.place.as_ref().map(ToString::to_string);
        json!({"error": {
            "code": parts.code.as_str(),
            "message": parts.message,
            "place": place,
            "notes": notes,
            "exit_code": parts.exit.code(),
        }})
    }
}

/// The whole report in colour, several lines, no line feed at its end.
impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        frame::write(out, &self.0)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests;
