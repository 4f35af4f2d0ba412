//! Where output goes: data to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use serde_json::Value;

use super::code::Code;
use super::failure::Failure;
use super::table::Table;
use super::{Colour, Globals};

#[derive(Debug)]
pub struct Output {
    colour: ColorChoice,
    json: bool,
    quiet: bool,
    /// Standard output is a terminal.
    terminal: bool,
}

impl Output {
    pub fn new(globals: &Globals) -> Self {
        let colour = match globals.color {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        };
        let terminal = std::io::stdout().is_terminal();
        Self { colour, json: globals.json, quiet: globals.quiet, terminal }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// People look at standard error and want to see something move.
    pub fn shows_progress(&self) -> bool {
        !self.is_quiet() && std::io::stderr().is_terminal()
    }

    /// Nothing but data and errors is wanted.
    pub fn is_quiet(&self) -> bool {
        self.json || self.quiet
    }

    /// Data: a line of text.
    pub fn line(&self, text: impl Display) -> Result<(), Failure> {
        let mut stdout = AutoStream::new(std::io::stdout(), self.colour);
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::reader_gone(),
            _ => Failure::new(Code::CannotWrite, format!("the output cannot be written: {error}")),
        })
    }

    /// Data: one JSON document, indented for a terminal, on one line for a program.
    pub fn document(&self, document: &Value) -> Result<(), Failure> {
        if self.terminal { self.line(format_args!("{document:#}")) } else { self.line(document) }
    }

    /// Data: a table for people, lines of tab-separated cells without a header for programs.
    pub fn table(&self, table: &Table) -> Result<(), Failure> {
        if table.is_empty() {
            self.note(table.nothing());
            return Ok(());
        }
        if self.terminal { self.line(table.for_people()) } else { self.line(table.for_programs()) }
    }

    /// Something people may want to know and programs do not.
    pub fn note(&self, text: impl Display) {
        if !self.is_quiet() {
            self.say(text);
        }
    }

    /// Something that must be seen before a decision, whatever the flags.
    pub fn say(&self, text: impl Display) {
        // There is nowhere left to complain when standard error is gone.
        let _ = writeln!(AutoStream::new(std::io::stderr(), self.colour), "{text}");
    }

    pub fn warnings(&self, warnings: &[Failure]) {
        for warning in warnings {
            self.note(warning);
        }
    }

    /// The report of a failure; as JSON where JSON was asked for, on standard error all the same.
    pub fn failure(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        if self.json {
            self.say(failure.to_json());
        } else {
            self.say(failure);
        }
    }
}
