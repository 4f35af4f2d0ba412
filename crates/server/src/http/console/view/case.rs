//! A case: one problem on one object, its story so far, what is known, what it is worth, what is proposed.

use askama::Template;

use super::amount::Amount;
use super::card::Fact;
use super::icon::{ActorIcon, Icon};
use super::inert::Inert;
use super::shell::{LaneLabel, Shell};
use super::stamp::Stamp;
use super::status::Status;

/// `/cases/{id}`.
#[derive(Template)]
#[template(path = "case.html")]
pub struct CasePage {
    pub shell: Shell,
    pub file: CaseFile,
}

/// The same on its own page and beside the queue.
pub struct CaseFile {
    /// `case_…`.
    pub id: String,
    pub lane: LaneLabel,
    /// `Payment failed`.
    pub title: String,
    pub subject: Inert,
    /// `cus_…`.
    pub subject_id: Option<String>,
    pub amount: Option<Amount>,
    pub status: Status,
    /// Class and rule that said so: `Temporary failure`, `recovery.soft_decline`.
    pub class: Option<String>,
    pub class_rule: Option<String>,
    /// What is waiting for what: `Waiting for Stripe's own retry on Thu 06:10`.
    pub waiting_for: Option<String>,
    pub owner: Option<String>,
    pub opened: Stamp,
    pub due: Option<Stamp>,
    pub facts: Vec<Fact>,
    pub money: Vec<MoneyLine>,
    pub proposals: Vec<ProposalRow>,
    /// Newest last.
    pub timeline: Vec<TimelineEntry>,
    /// Where a charge exists of which something is left to refund.
    pub refund: Option<RefundForm>,
    /// What people were asked to do and have not done.
    pub tasks: Vec<TaskRow>,
    /// The objects it is about.
    pub objects: Vec<ObjectRow>,
}

/// Something a person should do.
pub struct TaskRow {
    pub id: String,
    pub title: Inert,
    /// Line breaks kept.
    pub body: Inert,
    pub role: String,
    pub at: Stamp,
    /// The reader holds the role and may tick it off.
    pub mine: bool,
}

/// An object at Stripe.
pub struct ObjectRow {
    /// `invoice`.
    pub kind: String,
    pub id: String,
    /// Stripe's dashboard; nothing where there is none, as in the demo.
    pub href: Option<String>,
}

pub struct MoneyLine {
    pub label: String,
    pub amount: Amount,
    /// The line that the others lead to.
    pub total: bool,
}

pub struct ProposalRow {
    /// `Pay invoice in_1Q8…`, `Refund 640.00 USD to Lumen Labs`.
    pub title: Inert,
    pub reason: Inert,
    pub status: Status,
    /// To its approval, where it has one.
    pub href: Option<String>,
    pub at: Stamp,
    /// Where nobody knows whether it happened.
    pub doubt: Option<DoubtForm>,
}

/// What the reader may do about what is in doubt.
pub struct DoubtForm {
    /// `prop_…`.
    pub proposal: String,
    pub may_look: bool,
    pub may_settle: bool,
}

pub struct TimelineEntry {
    pub actor: ActorIcon,
    pub name: Inert,
    /// What they did, in our words: `asked for a refund`, `invoice.payment_failed`.
    pub what: String,
    pub amount: Option<Amount>,
    /// Theirs, or more of ours.
    pub detail: Option<Inert>,
    pub href: Option<String>,
    pub status: Option<Status>,
    pub at: Stamp,
}

pub struct RefundForm {
    /// `ch_…`.
    pub charge: String,
    /// What is left, which an empty field means.
    pub refundable: Amount,
    /// `automatic up to 100.00 USD; a controller decides above`, as the policy says.
    pub hint: Option<String>,
}
