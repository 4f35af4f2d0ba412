//! How far a playbook may go on a lane.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Records what would happen; nothing leaves Bursar.
    #[default]
    Observe,
    /// Asks a person about everything that leaves Bursar.
    Assist,
    /// Follows policy.
    Automate,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mode; the modes are observe, assist and automate")]
pub struct UnknownMode(pub String);

impl Mode {
    pub const ALL: [Mode; 3] = [Mode::Observe, Mode::Assist, Mode::Automate];

    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Observe => "observe",
            Mode::Assist => "assist",
            Mode::Automate => "automate",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;
    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        Mode::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or_else(|| UnknownMode(text.to_owned()))
    }
}
