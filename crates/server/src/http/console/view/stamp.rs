//! An instant as a page shows it.

use askama::Template;
use askama::filters::HtmlSafe;

/// Shown as `text`; the exact instant stands in the tooltip and for machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Template)]
#[template(path = "parts/stamp.html")]
pub struct Stamp {
    /// RFC 3339 in UTC.
    pub iso: String,
    /// In the installation's zone and as long as the place allows: `14:02`, `3 Nov 2026`, `2 min ago`.
    pub text: String,
}

impl HtmlSafe for Stamp {}

impl Stamp {
    pub fn new(iso: impl Into<String>, text: impl Into<String>) -> Self {
        Self { iso: iso.into(), text: text.into() }
    }
}
