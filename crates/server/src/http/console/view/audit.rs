//! The audit log: who did what to which object, and whether the chain over it holds.

use askama::Template;

use super::icon::{ActorIcon, Icon};
use super::inert::Inert;
use super::shell::Shell;
use super::stamp::Stamp;
use super::status::Status;

/// `/audit?actor=&object=&before=`.
#[derive(Template)]
#[template(path = "audit.html")]
pub struct AuditPage {
    pub shell: Shell,
    pub chain: Chain,
    /// Not everything was looked through for the filter: how far back it was.
    pub searched_back_to: Option<Stamp>,
    /// What the reader asked for, put back into the form.
    pub actor: String,
    pub object: String,
    /// Newest first.
    pub rows: Vec<AuditRow>,
    pub newer_href: Option<String>,
    pub older_href: Option<String>,
}

pub struct Chain {
    /// `Chain holds`, `Chain broken at 4,211`, `Not verified yet`.
    pub status: Status,
    /// Grouped figures: `18,204`.
    pub entries: String,
    pub unsealed: String,
    /// Hash of the newest sealed batch, short.
    pub head: String,
    pub verified: Option<Stamp>,
}

pub struct AuditRow {
    /// `aud_…`.
    pub id: String,
    /// Its place in the chain; nothing while unsealed.
    pub sequence: String,
    pub at: Stamp,
    pub actor_icon: ActorIcon,
    pub actor: Inert,
    /// `approval.approved`, `execution.done`.
    pub kind: String,
    /// The object's id, and its page where it has one.
    pub object: String,
    pub object_href: Option<String>,
    pub summary: Inert,
    /// Short hash; nothing while unsealed.
    pub hash: Option<String>,
}
