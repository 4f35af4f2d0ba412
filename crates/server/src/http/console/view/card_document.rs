//! The card as JSON: the one document behind every rendering, as the engine makes it of the proposal that the digest
//! covers. Instants are microseconds of business time, amounts minor units with their currency; `Context` says how a
//! reader at this moment sees them. Fields that only other surfaces use are passed over.

use serde::Deserialize;

use super::amount::Amount;
use super::card::{
    Budget, BudgetLine, Card, Change, ChangeKind, Comparison, Excluded, Expiry, Fact, IfWrong, Provenance,
    Request, Requester, Requirement, Risk, Title, Why,
};
use super::icon::ActorIcon;
use super::inert::Inert;
use super::stamp::Stamp;

/// As many characters of a claim as a card quotes.
const CLAIM_CHARS: usize = 600;

/// As many characters of a fact's value.
const FACT_CHARS: usize = 80;

/// As many characters of the request, which is ours and only quotes others.
const REQUEST_CHARS: usize = 4_000;

#[derive(Debug, Deserialize)]
pub struct CardDocument {
    pub title: TitleDocument,
    pub requester: RequesterDocument,
    pub because: Option<String>,
    pub risk: Option<RiskDocument>,
    pub why: Vec<WhyDocument>,
    #[serde(default)]
    pub also: Vec<String>,
    #[serde(default)]
    pub facts: Vec<FactDocument>,
    #[serde(default)]
    pub changes: Vec<ChangeDocument>,
    pub budget: Option<BudgetDocument>,
    pub request: RequestDocument,
    pub if_wrong: IfWrongDocument,
    pub who: WhoDocument,
    pub expiry: ExpiryDocument,
    /// Stripe's pages of what it is about.
    #[serde(default)]
    pub links: Vec<LinkDocument>,
    pub digest: String,
}

#[derive(Debug, Deserialize)]
pub struct LinkDocument {
    pub label: String,
    pub url: String,
}

#[derive(Debug, Deserialize)]
pub struct RiskDocument {
    pub tier: String,
    pub reasons: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct BudgetDocument {
    pub label: String,
    pub lines: Vec<BudgetLineDocument>,
}

#[derive(Debug, Deserialize)]
pub struct BudgetLineDocument {
    pub scope: String,
    pub before: String,
    pub after: String,
}

#[derive(Debug, Deserialize)]
pub struct TitleDocument {
    pub verb: String,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    #[serde(default = "to")]
    pub preposition: String,
    pub counterparty: String,
    pub counterparty_id: Option<String>,
    pub subject: Option<String>,
}

fn to() -> String {
    "to".to_owned()
}

#[derive(Debug, Deserialize)]
pub struct RequesterDocument {
    /// `person`, `api_key`, `agent`, `playbook`, `engine`, as the actor's own kind.
    pub kind: String,
    pub name: String,
    pub id: Option<String>,
    pub on_behalf_of: Option<String>,
    pub at: i64,
    pub claim: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct WhyDocument {
    pub policy: String,
    pub file: String,
    pub line: u32,
    pub set: String,
    pub comparison: Option<ComparisonDocument>,
    pub condition: Option<String>,
    pub counterfactual: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct ComparisonDocument {
    pub fact: String,
    /// The fact in words.
    pub label: Option<String>,
    pub value: String,
    pub operator: String,
    pub limit: String,
}

#[derive(Debug, Deserialize)]
pub struct FactDocument {
    pub label: String,
    pub value: String,
    pub about: Option<String>,
    pub rate: Option<String>,
    pub source: SourceDocument,
    pub as_of: Option<i64>,
    #[serde(default)]
    pub guard: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceDocument {
    Stripe,
    Derived,
    Claimed,
}

#[derive(Debug, Deserialize)]
pub struct ChangeDocument {
    pub kind: ChangeKindDocument,
    pub object: String,
    pub what: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKindDocument {
    Create,
    Change,
    Unchanged,
    SideEffect,
}

#[derive(Debug, Deserialize)]
pub struct RequestDocument {
    pub line: String,
    pub idempotency_key: String,
    pub body: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct IfWrongDocument {
    pub headline: String,
    pub compensation: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct WhoDocument {
    pub requirements: Vec<RequirementDocument>,
    #[serde(default)]
    pub excluded: Vec<ExcludedDocument>,
}

#[derive(Debug, Deserialize)]
pub struct RequirementDocument {
    pub role: String,
    pub quorum: u32,
    /// Yes-votes so far by holders of the role.
    pub yes: u32,
    #[serde(default)]
    pub people: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct ExcludedDocument {
    pub name: String,
    pub why: String,
}

#[derive(Debug, Deserialize)]
pub struct ExpiryDocument {
    pub at: i64,
    pub then: String,
}

/// What the document leaves open.
pub trait Context {
    /// Decimals of a currency, by its lower-case code.
    fn exponent(&self, currency: &str) -> u8;
    /// An instant in full: `Fri 21 Nov 2026, 17:00 UTC`.
    fn moment(&self, micros: i64) -> Stamp;
    /// The same, short: `today 14:02`.
    fn when(&self, micros: i64) -> Stamp;
    /// The same as an age: `12 s ago`.
    fn age(&self, micros: i64) -> Stamp;
}

impl CardDocument {
    pub fn into_card(self, context: &impl Context) -> Card {
        let requirement = |requirement: RequirementDocument| Requirement {
            votes: requirement.yes,
            role: requirement.role,
            quorum: requirement.quorum,
            people: requirement.people,
        };
        Card {
            title: title(self.title, context),
            requester: requester(self.requester, context),
            because: self.because,
            risk: self.risk.map(|risk| Risk { tier: risk.tier, reasons: risk.reasons }),
            why: self.why.into_iter().map(why).collect(),
            also: self.also.iter().map(|line| Inert::line(line)).collect(),
            facts: self.facts.into_iter().map(|fact| fact.into_fact(context)).collect(),
            changes: self.changes.into_iter().map(change).collect(),
            budget: self.budget.map(budget),
            request: Request {
                line: self.request.line,
                idempotency_key: self.request.idempotency_key,
                body: self.request.body.as_deref().map(|body| Inert::block(body, REQUEST_CHARS)),
            },
            if_wrong: IfWrong { headline: self.if_wrong.headline, compensation: self.if_wrong.compensation },
            who: self.who.requirements.into_iter().map(requirement).collect(),
            excluded: self.who.excluded.into_iter().map(|x| Excluded { name: x.name, why: x.why }).collect(),
            expiry: Expiry { at: context.moment(self.expiry.at), then: self.expiry.then },
            digest: self.digest,
        }
    }
}

fn budget(document: BudgetDocument) -> Budget {
    let line =
        |line: BudgetLineDocument| BudgetLine { scope: line.scope, before: line.before, after: line.after };
    Budget { label: document.label, lines: document.lines.into_iter().map(line).collect() }
}

fn title(document: TitleDocument, context: &impl Context) -> Title {
    let amount = document
        .amount
        .zip(document.currency.as_deref())
        .map(|(minor, currency)| Amount::new(minor, context.exponent(currency), currency));
    Title {
        verb: document.verb,
        amount,
        preposition: document.preposition,
        counterparty: Inert::capped(&document.counterparty, 80),
        counterparty_id: document.counterparty_id,
        subject: document.subject.as_deref().map(Inert::line),
    }
}

fn requester(document: RequesterDocument, context: &impl Context) -> Requester {
    let icon = match document.kind.as_str() {
        "person" => ActorIcon::Person,
        "api_key" => ActorIcon::ApiKey,
        "agent" => ActorIcon::Agent,
        "playbook" => ActorIcon::Playbook,
        _ => ActorIcon::Engine,
    };
    Requester {
        icon,
        name: Inert::capped(&document.name, 80),
        id: document.id,
        on_behalf_of: document.on_behalf_of.as_deref().map(Inert::line),
        at: context.when(document.at),
        claim: document.claim.as_deref().map(|claim| Inert::capped(claim, CLAIM_CHARS)),
    }
}

fn why(document: WhyDocument) -> Why {
    Why {
        policy: document.policy,
        place: format!("{}:{}", document.file, document.line),
        set: document.set.chars().take(8).collect(),
        comparison: document.comparison.map(|fired| Comparison {
            fact: fired.label.unwrap_or(fired.fact),
            value: fired.value,
            operator: fired.operator,
            limit: fired.limit,
        }),
        condition: document.condition,
        counterfactual: document.counterfactual,
    }
}

impl FactDocument {
    pub fn into_fact(self, context: &impl Context) -> Fact {
        Fact {
            label: self.label,
            value: Inert::capped(&self.value, FACT_CHARS),
            about: self.about.map(|about| Inert::capped(&format!("about {about}"), FACT_CHARS)),
            rate: self.rate.map(|rate| Inert::capped(&rate, FACT_CHARS)),
            source: match self.source {
                SourceDocument::Stripe => Provenance::Stripe,
                SourceDocument::Derived => Provenance::Derived,
                SourceDocument::Claimed => Provenance::Claimed,
            },
            // What was read from elsewhere has an age; what is computed or claimed is as old as the card.
            age: self
                .as_of
                .filter(|_| matches!(self.source, SourceDocument::Stripe))
                .map(|at| context.age(at)),
            guard: self.guard,
        }
    }
}

fn change(document: ChangeDocument) -> Change {
    Change {
        kind: match document.kind {
            ChangeKindDocument::Create => ChangeKind::Create,
            ChangeKindDocument::Change => ChangeKind::Change,
            ChangeKindDocument::Unchanged => ChangeKind::Unchanged,
            ChangeKindDocument::SideEffect => ChangeKind::SideEffect,
        },
        object: document.object,
        what: Inert::line(&document.what),
    }
}
