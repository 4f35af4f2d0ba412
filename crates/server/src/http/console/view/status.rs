//! A state as people see it: icon, word and colour together, so that none of the three has to be seen.

use askama::Template;
use askama::filters::HtmlSafe;

use super::icon::Icon;

/// What a colour may say. There is no other use of colour on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Done, healthy.
    Good,
    /// Waits for a person, or will soon matter.
    Warn,
    /// Failed, refused, lost.
    Bad,
    /// Under way.
    Active,
    /// Nothing to do.
    Quiet,
}

impl Tone {
    pub fn as_str(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
            Tone::Active => "active",
            Tone::Quiet => "quiet",
        }
    }

    fn icon(self) -> Icon {
        match self {
            Tone::Good => Icon::Check,
            Tone::Warn => Icon::Hand,
            Tone::Bad => Icon::Cross,
            Tone::Active => Icon::Spin,
            Tone::Quiet => Icon::Dot,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/status.html")]
pub struct Status {
    pub tone: Tone,
    pub icon: Icon,
    /// One or two words, capitalised: `Needs approval`, `Executing`, `Recovered`.
    pub word: String,
}

impl HtmlSafe for Status {}

impl Status {
    /// A status with its tone's usual icon.
    pub fn new(tone: Tone, word: impl Into<String>) -> Self {
        Self { tone, icon: tone.icon(), word: word.into() }
    }

    #[must_use]
    pub fn with_icon(mut self, icon: Icon) -> Self {
        self.icon = icon;
        self
    }
}
