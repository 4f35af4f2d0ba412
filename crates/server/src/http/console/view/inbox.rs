//! The inbox: the queue on the left, the selected case or its approval on the right.

use askama::Template;

use super::amount::Amount;
use super::approval::{ApprovalPanel, Stage};
use super::card::Fact;
use super::case::CaseFile;
use super::icon::Icon;
use super::inert::Inert;
use super::shell::Shell;
use super::stamp::Stamp;
use super::status::Status;

/// `/inbox?view=…&selected=…`. The address is the state.
#[derive(Template)]
#[template(path = "inbox.html")]
pub struct InboxPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    /// Worth of the rows of the current view together, one amount a currency.
    pub at_stake: Vec<Amount>,
    pub rows: Vec<CaseRow>,
    /// The first row's when the address selects none.
    pub detail: Option<Detail>,
    /// The address names a selection: a narrow screen shows the detail instead of the queue.
    pub selected_by_address: bool,
    /// `/inbox?view=…`, the way back to the queue.
    pub queue_href: String,
    /// Says what an empty queue means; shown when there are no rows.
    pub empty: Empty,
    /// The next page of the queue.
    pub older_href: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxView {
    NeedsMe,
    Approvals,
    FailedPayments,
    All,
}

impl InboxView {
    pub const ALL: [InboxView; 4] =
        [InboxView::NeedsMe, InboxView::Approvals, InboxView::FailedPayments, InboxView::All];

    /// As in the address.
    pub fn as_str(self) -> &'static str {
        match self {
            InboxView::NeedsMe => "needs-me",
            InboxView::Approvals => "approvals",
            InboxView::FailedPayments => "failed-payments",
            InboxView::All => "all",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            InboxView::NeedsMe => "Needs me",
            InboxView::Approvals => "Approvals",
            InboxView::FailedPayments => "Failed payments",
            InboxView::All => "All",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.as_str() == text)
    }
}

pub struct Tab {
    pub view: InboxView,
    /// Nothing where counting would take reading everything.
    pub count: Option<u32>,
    pub current: bool,
}

pub enum Detail {
    /// A case that waits for a decision shows its card.
    Approval(Box<ApprovalPanel>),
    Case(Box<CaseFile>),
}

pub struct CaseRow {
    /// `case_…`; rows keep their place by it when the page is read again.
    pub id: String,
    /// `/inbox?view=…&selected=…`: its approval where it has an open one, so that the receipt follows in its place.
    pub href: String,
    /// The full page: `/approvals/…` or `/cases/…`.
    pub open_href: String,
    /// Whom it is about.
    pub subject: Inert,
    /// What happened, in a few words: `Payment failed`, `Refund requested`.
    pub title: String,
    /// One line more: `insufficient_funds · Stripe retries Thu 06:10`.
    pub summary: Inert,
    pub amount: Option<Amount>,
    pub status: Status,
    /// `expires in 3 h 12 m`.
    pub due: Option<String>,
    pub urgent: bool,
    pub at: Stamp,
    pub selected: bool,
}

/// An empty queue teaches.
pub struct Empty {
    pub title: String,
    pub text: String,
    /// Where to look instead: label and address.
    pub link: Option<super::shell::Link>,
}
