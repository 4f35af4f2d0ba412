//! The approval card: what people decide on, the same on every surface. Built from the card document that the digest
//! covers (`CardDocument`), never from anything else, so what was shown is what is executed.

use super::amount::Amount;
use super::icon::ActorIcon;
use super::inert::Inert;
use super::stamp::Stamp;

pub struct Card {
    pub title: Title,
    pub requester: Requester,
    /// Where the mode asks and not policy: `Recovery is in assist mode …`.
    pub because: Option<String>,
    /// By rules that anybody can check; nothing for cards of before.
    pub risk: Option<Risk>,
    /// The policies that decided, one entry a comparison.
    pub why: Vec<Why>,
    /// Other things that are so and that a decider wants to know; ours, not claimed.
    pub also: Vec<Inert>,
    pub facts: Vec<Fact>,
    /// Predicted, and compared with what really happened after execution.
    pub changes: Vec<Change>,
    /// What the day's budget holds before and after, for what takes from it.
    pub budget: Option<Budget>,
    pub request: Request,
    pub if_wrong: IfWrong,
    /// All of them must be met.
    pub who: Vec<Requirement>,
    pub excluded: Vec<Excluded>,
    pub expiry: Expiry,
    /// SHA-256 in hex of what is voted on.
    pub digest: String,
}

impl Card {
    /// The request is one of Stripe's API; otherwise a message or a task.
    pub fn goes_to_stripe(&self) -> bool {
        ["POST /v", "DELETE /v"].iter().any(|method| self.request.line.starts_with(method))
    }
}

/// `Refund 640.00 USD to Lumen Labs`. The amount stands before the name, so that no name can push it away.
pub struct Title {
    /// Our verb, capitalised.
    pub verb: String,
    /// Nothing for actions that move no money (a message, a task).
    pub amount: Option<Amount>,
    /// `to`, `from`, `for`.
    pub preposition: String,
    pub counterparty: Inert,
    /// `cus_…`.
    pub counterparty_id: Option<String>,
    /// What it is about: `of 640.00 USD paid 3 Nov 2026 · Visa ••4242 · ch_…`.
    pub subject: Option<Inert>,
}

pub struct Requester {
    pub icon: ActorIcon,
    pub name: Inert,
    /// `agt_…`, `usr_…`.
    pub id: Option<String>,
    /// Person or ticket it acts for.
    pub on_behalf_of: Option<Inert>,
    pub at: Stamp,
    /// Why they want it, in their words: quoted and marked untrusted.
    pub claim: Option<Inert>,
}

/// How much is at stake, with the two largest reasons.
pub struct Risk {
    /// `low`, `medium`, `high`.
    pub tier: String,
    pub reasons: Vec<String>,
}

impl Risk {
    pub fn tone(&self) -> &'static str {
        match self.tier.as_str() {
            "high" => "tone-bad",
            "medium" => "tone-warn",
            _ => "tone-quiet",
        }
    }
}

pub struct Budget {
    /// `Refunded today, this lane`.
    pub label: String,
    pub lines: Vec<BudgetLine>,
}

pub struct BudgetLine {
    /// `USD`, `all currencies`.
    pub scope: String,
    pub before: String,
    pub after: String,
}

/// One policy that asks.
pub struct Why {
    /// `refunds.over_100`.
    pub policy: String,
    /// `policies/refunds.cedar:12`.
    pub place: String,
    /// Short hash of the policy set.
    pub set: String,
    /// Where it could be found. Without it `condition` is shown and no threshold is claimed.
    pub comparison: Option<Comparison>,
    pub condition: Option<String>,
    /// `automatic at or below 100.00 USD`.
    pub counterfactual: Option<String>,
}

impl Fact {
    /// The rates behind these facts, each once.
    pub fn rates(facts: &[Fact]) -> Vec<String> {
        let mut rates: Vec<String> =
            facts.iter().filter_map(|fact| Some(fact.rate.as_ref()?.text())).collect();
        rates.sort();
        rates.dedup();
        rates
    }
}

/// The comparison that fired: `Amount 640.00 USD > 100.00 USD`.
pub struct Comparison {
    pub fact: String,
    pub value: String,
    /// `>`, `≥`, `=` …, as people write it.
    pub operator: String,
    pub limit: String,
}

pub struct Fact {
    pub label: String,
    pub value: Inert,
    /// What money of another currency is worth at home: `about 1,892.30 USD`.
    pub about: Option<Inert>,
    /// The rate that says so, with its source and day.
    pub rate: Option<Inert>,
    pub source: Provenance,
    /// `14:02:05`, `12 s ago`; nothing for what has no age.
    pub age: Option<Stamp>,
    /// Execution checks it again and voids the approval when it changed.
    pub guard: bool,
}

/// Where a fact comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    Stripe,
    Derived,
    Claimed,
}

impl Provenance {
    pub fn mark(self) -> &'static str {
        match self {
            Provenance::Stripe => "●",
            Provenance::Derived => "○",
            Provenance::Claimed => "◇",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Provenance::Stripe => "Stripe",
            Provenance::Derived => "derived",
            Provenance::Claimed => "claimed",
        }
    }
}

/// One line of the predicted difference.
pub struct Change {
    pub kind: ChangeKind,
    /// `refund`, `charge ch_3Q…`, `subscription sub_…`, `customer`.
    pub object: String,
    /// `amount 64000 usd · reason requested_by_customer`, `amount_refunded 0 → 64000`.
    pub what: Inert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Create,
    Change,
    /// Deliberately left as it is.
    Unchanged,
    /// A message, a fee, a tax.
    SideEffect,
}

impl ChangeKind {
    pub fn mark(self) -> &'static str {
        match self {
            ChangeKind::Create => "+",
            ChangeKind::Change => "~",
            ChangeKind::Unchanged => "=",
            ChangeKind::SideEffect => "✉",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            ChangeKind::Create => "creates",
            ChangeKind::Change => "changes",
            ChangeKind::Unchanged => "unchanged",
            ChangeKind::SideEffect => "side effect",
        }
    }

    pub fn class(self) -> &'static str {
        match self {
            ChangeKind::Create => "create",
            ChangeKind::Change => "change",
            ChangeKind::Unchanged => "same",
            ChangeKind::SideEffect => "side",
        }
    }
}

/// The exact bytes to be sent, as a line and as a whole.
pub struct Request {
    /// `POST /v1/refunds`; `SMTP to …` for mail.
    pub line: String,
    pub idempotency_key: String,
    /// One parameter a line.
    pub body: Option<Inert>,
}

pub struct IfWrong {
    /// `Not reversible once settled`.
    pub headline: String,
    pub compensation: Option<String>,
}

/// One role that must agree.
pub struct Requirement {
    pub role: String,
    /// Votes needed, and how many there are.
    pub quorum: u32,
    pub votes: u32,
    /// Who holds the role and may vote.
    pub people: Vec<String>,
}

impl Requirement {
    pub fn met(&self) -> bool {
        self.votes >= self.quorum
    }
}

pub struct Excluded {
    pub name: String,
    /// `requested it`, `owns the key that requested it`.
    pub why: String,
}

pub struct Expiry {
    pub at: Stamp,
    /// What happens then: `Rejected by itself; nothing is sent to Stripe.`
    pub then: String,
}
