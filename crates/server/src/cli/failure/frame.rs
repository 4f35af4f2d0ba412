//! The look of a failure: code and cause, the line it is about with a pointer below it, then what helps.

use std::fmt;

use clap::builder::styling::{AnsiColor, Style};

use super::{Parts, Severity};

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// A stretch of one line of a file. `text` is that line with every secret in it already masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// Both count from one.
    pub line: usize,
    pub column: usize,
    pub text: String,
    /// In characters, at least one.
    pub width: usize,
    /// What the pointer says.
    pub label: String,
}

/// `bursar.toml:31:1`
impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

pub(super) fn write(out: &mut fmt::Formatter<'_>, parts: &Parts) -> fmt::Result {
    let (word, style) = match parts.severity {
        Severity::Error => ("error", RED),
        Severity::Warning => ("warning", YELLOW),
    };
    write!(out, "{style}{word}[{}]{style:#}{BOLD}: {}{BOLD:#}", parts.code, parts.message)?;
    if let Some(place) = &parts.place {
        excerpt(out, place, style)?;
    }
    for (label, text) in &parts.notes {
        let indented = text.replace('\n', &format!("\n{:width$}", "", width = label.len() + 4));
        write!(out, "\n  {CYAN}{label}{CYAN:#}: {indented}")?;
    }
    Ok(())
}

fn excerpt(out: &mut fmt::Formatter<'_>, place: &Place, style: Style) -> fmt::Result {
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    // A tab would move the pointer away from what it points at.
    let text = place.text.replace('\t', " ");
    let before = " ".repeat(place.column - 1);
    let pointer = "─".repeat(place.width.max(1) - 1);
    let label = &place.label;
    write!(out, "\n {gutter} {DIM}╭─[{DIM:#}{place}{DIM}]{DIM:#}")?;
    write!(out, "\n {DIM}{number} │{DIM:#} {text}")?;
    write!(out, "\n {gutter} {DIM}·{DIM:#} {before}{style}┬{pointer} {label}{style:#}")?;
    write!(out, "\n {gutter} {DIM}╰────{DIM:#}")
}
