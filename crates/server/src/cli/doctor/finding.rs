//! What one check found.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Well,
    /// Works, and somebody should look.
    Doubtful,
    Sick,
}

impl Health {
    pub fn mark(self) -> &'static str {
        match self {
            Health::Well => "✓",
            Health::Doubtful => "!",
            Health::Sick => "✗",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `data.writable`: a name that `--only` can begin with.
    pub check: &'static str,
    pub health: Health,
    /// One line.
    pub found: String,
    /// A command or an edit.
    pub fix: Option<String>,
}

impl Finding {
    pub fn well(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, health: Health::Well, found: found.into(), fix: None }
    }

    pub fn doubtful(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, health: Health::Doubtful, found: found.into(), fix: Some(fix.into()) }
    }

    pub fn sick(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, health: Health::Sick, found: found.into(), fix: Some(fix.into()) }
    }
}
