//! One approval: the card, who said what so far, what the reader may do, and, once executed, the receipt.

use askama::Template;

use super::card::{Card, Fact};
use super::icon::Icon;
use super::inert::Inert;
use super::shell::{LaneLabel, Link, Shell};
use super::stamp::Stamp;
use super::status::Status;

/// `/approvals/{id}`: the target of every link in mail and chat.
#[derive(Template)]
#[template(path = "approval.html")]
pub struct ApprovalPage {
    pub shell: Shell,
    pub panel: ApprovalPanel,
}

/// The same on its own page and beside the queue.
pub struct ApprovalPanel {
    /// `apreq_…`.
    pub id: String,
    pub lane: LaneLabel,
    /// `/cases/case_…`, where a case stands behind it.
    pub case_href: Option<String>,
    pub status: Status,
    pub stage: Stage,
    pub card: Card,
    pub votes: Vec<Vote>,
    /// The reader may vote now. When false, `why_not` says why, as `You asked for this refund`.
    pub may_decide: bool,
    pub why_not: Option<String>,
    /// The installation has a single operator, who may decide on their own proposals after signing in once more. Said
    /// on the card; the approving form then asks for `password`.
    pub second_sign_in: bool,
    /// The ticket, Stripe's dashboard.
    pub links: Vec<Link>,
    /// Where the forms lead back to.
    pub return_to: String,
}

/// How far it has come. Each stage owns what only it has.
pub enum Stage {
    /// Waits for votes. `left` is `3 h 12 m`; `urgent` when under an hour.
    Open { left: String, urgent: bool },
    /// Approved; `step` says what is waiting for what: `Request sent; Stripe has not answered yet`.
    Executing { since: Stamp, step: String },
    /// Executed, refused by Stripe, without effect, or in doubt.
    Settled(Receipt),
    /// Ended without a request to Stripe: rejected, expired, void or cancelled.
    Closed { headline: String, reason: Option<Inert>, by: Option<String>, at: Stamp },
}

pub struct Vote {
    pub person: String,
    pub role: String,
    pub yes: bool,
    pub reason: Option<Inert>,
    pub at: Stamp,
}

/// What really happened beside what was predicted.
pub struct Receipt {
    /// `Refunded 640.00 USD to Lumen Labs`; in doubt: what is known and what a person should look at.
    pub headline: Inert,
    pub at: Stamp,
    /// `req_…`.
    pub request_id: Option<String>,
    /// What came into being: `re_…`, `txn_…`, with the way to Stripe's dashboard where there is one.
    pub objects: Vec<ReceiptObject>,
    pub rows: Vec<ReceiptRow>,
}

pub struct ReceiptObject {
    /// `refund`, `balance transaction`.
    pub label: String,
    pub id: String,
}

pub struct ReceiptRow {
    pub what: String,
    pub predicted: String,
    pub actual: String,
}

/// One step of the way a card goes, for the line of steps above it.
pub struct Step {
    pub word: &'static str,
    pub state: &'static str,
}

impl ReceiptRow {
    pub fn same(&self) -> bool {
        self.predicted == self.actual
    }
}

impl Receipt {
    /// Everything happened as the card said.
    pub fn as_predicted(&self) -> bool {
        self.rows.iter().all(ReceiptRow::same)
    }
}

impl ApprovalPanel {
    /// Asked, decided, executed: each `done`, `now`, `next` or `stop`.
    pub fn steps(&self) -> [Step; 3] {
        let states = match self.stage {
            Stage::Open { .. } if self.may_decide => {
                [("Asked", "done"), ("Your decision", "now"), ("Execution", "next")]
            }
            Stage::Open { .. } => [("Asked", "done"), ("Decision", "now"), ("Execution", "next")],
            Stage::Executing { .. } => [("Asked", "done"), ("Approved", "done"), ("Executing", "now")],
            Stage::Settled(_) => [("Asked", "done"), ("Approved", "done"), ("Answered", "done")],
            Stage::Closed { .. } => [("Asked", "done"), ("Closed", "stop"), ("Nothing sent", "next")],
        };
        states.map(|(word, state)| Step { word, state })
    }

    /// Waits for votes.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// Something may still happen.
    pub fn is_pending(&self) -> bool {
        matches!(self.stage, Stage::Open { .. } | Stage::Executing { .. })
    }

    pub fn why_heading(&self) -> &'static str {
        match (self.is_open(), self.may_decide) {
            (true, true) => "Why it is asking you",
            (true, false) => "Why it is asking",
            (false, _) => "Why it asked",
        }
    }

    pub fn changes_heading(&self) -> &'static str {
        match &self.stage {
            Stage::Open { .. } | Stage::Executing { .. } if self.card.goes_to_stripe() => {
                "What will change at Stripe"
            }
            Stage::Open { .. } | Stage::Executing { .. } => "What will change",
            Stage::Settled(_) => "What was predicted",
            Stage::Closed { .. } => "What would have changed",
        }
    }

    /// What the confirming button says: `Refund 640.00 USD`.
    pub fn act(&self) -> String {
        match &self.card.title.amount {
            Some(amount) => format!("{} {}", self.card.title.verb, amount.text()),
            None => self.card.title.verb.clone(),
        }
    }
}
