//! What the pages show: plain data, already in the reader's words, and the templates that lay it out.
//!
//! Nothing here reads a clock, a store or a request. Text that a customer, an agent or Stripe wrote travels as `Inert`;
//! money as `Amount`; instants as `Stamp`; states as `Status` (icon, word and colour together). Everything else is text
//! of ours. Templates escape all of it.

pub mod amount;
pub mod approval;
pub mod audit;
pub mod card;
pub mod card_document;
pub mod case;
pub mod health;
pub mod help;
pub mod icon;
pub mod inbox;
pub mod inert;
pub mod login;
pub mod mailbox;
pub mod notice;
pub mod shell;
pub mod stamp;
pub mod status;
#[cfg(test)]
mod tests;
mod words;

pub use amount::Amount;
pub use approval::{ApprovalPage, ApprovalPanel, Receipt, ReceiptRow, Stage, Vote};
pub use audit::{AuditPage, AuditRow, Chain};
pub use card_document::CardDocument;
pub use case::{
    CaseFile, CasePage, DoubtForm, MoneyLine, ObjectRow, ProposalRow, RefundForm, TaskRow, TimelineEntry,
};
pub use health::{ApartRow, DeadLetterRow, GapRow, HealthPage, ModeRow, PollerRow, Reading};
pub use help::{HelpBlock, HelpPage};
pub use icon::{ActorIcon, Icon};
pub use inbox::{CaseRow, Detail, Empty, InboxPage, InboxView, Tab};
pub use inert::Inert;
pub use login::{DemoPerson, LoginPage};
pub use mailbox::{Mail, MailPart, MailRow, MailboxPage, WebLink};
pub use notice::NoticePage;
pub use shell::{Counts, Demo, Flash, LaneLabel, Link, Section, Shell, Visitor};
pub use stamp::Stamp;
pub use status::{Status, Tone};

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

/// A page as an HTTP answer. Rendering fails only where a formatter does, which ours never do; should one, the reader
/// gets a bare 500 and no half page.
pub fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
