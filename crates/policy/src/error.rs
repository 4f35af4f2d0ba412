//! Why a policy set was refused: file, line and column first, so that whoever wrote it can go there.

use std::fmt;

/// One complaint about a policy set. A set with any complaint is refused whole and the old one stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct LoadError {
    /// Empty where the complaint is about the set as a whole.
    pub file: String,
    /// Both from 1; 0 where the complaint is about no particular place.
    pub line: u32,
    pub column: u32,
    /// One line: what is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        if !self.file.is_empty() {
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}
