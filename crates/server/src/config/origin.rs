//! Where a value comes from, precisely enough to point at it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::mask;
use crate::cli::failure::Place;

/// A configuration file as read.
#[derive(Debug)]
pub struct Source {
    pub path: PathBuf,
    pub text: String,
}

#[derive(Clone)]
pub enum Origin {
    Default,
    /// Bytes of the file.
    File {
        source: Arc<Source>,
        span: Range<usize>,
    },
    /// The name of an environment variable.
    Variable(String),
    /// A flag as it is typed: `--listen`.
    Flag(&'static str),
}

impl Origin {
    /// The line to show below a failure, for values that stand in a file.
    pub fn place(&self, label: impl Into<String>) -> Option<Place> {
        let Origin::File { source, span } = self else { return None };
        let before = source.text.get(..span.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = source.text[line_start..].lines().next().unwrap_or_default();
        let column = source.text[line_start..span.start].chars().count() + 1;
        let on_this_line = span.end.min(line_start + line.len());
        let width = source.text.get(span.start..on_this_line).map_or(1, |text| text.chars().count());
        Some(Place {
            file: source.path.display().to_string(),
            line: before.matches('\n').count() + 1,
            column,
            text: mask::line(line),
            width: width.max(1),
            label: label.into(),
        })
    }

    pub fn is_file(&self) -> bool {
        matches!(self, Origin::File { .. })
    }

    /// ` (from BUR…)` for messages about values that stand in no file.
    pub fn aside(&self) -> String {
        match self {
            Origin::Variable(_) | Origin::Flag(_) => format!(" (from {self})"),
            Origin::Default | Origin::File { .. } => String::new(),
        }
    }
}

/// For people: `bursar.toml:31:1`, `BURSAR_SERVER__LISTEN`, `--listen`, `default`.
impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => out.write_str("default"),
            Origin::File { source, .. } => match self.place("") {
                Some(place) => place.fmt(out),
                None => write!(out, "{}", source.path.display()),
            },
            Origin::Variable(name) => out.write_str(name),
            Origin::Flag(flag) => out.write_str(flag),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
