//! Signing in.

use askama::Template;

use super::icon::Icon;
use super::shell::Shell;

/// `/login`. Mail address and password; in the demo also one button a person, because nothing there is real.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    pub shell: Shell,
    /// Why the last try failed; the same words for an unknown address and a wrong password.
    pub error: Option<String>,
    /// Put back into the form.
    pub email: String,
    /// Path to go to afterwards.
    pub next: String,
    /// Empty outside the demo.
    pub people: Vec<DemoPerson>,
}

pub struct DemoPerson {
    /// Sent as `sign_in_as`: `olivia`.
    pub key: String,
    pub name: String,
    pub role: String,
    /// What the role is for: `works the queue`.
    pub does: String,
}

impl DemoPerson {
    pub fn initial(&self) -> String {
        self.name.chars().take(1).collect()
    }
}
