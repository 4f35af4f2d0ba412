//! The card as JSON: the one document behind every rendering. Kept with the approval and covered by its digest, so
//! reading it back shows people years later exactly what was decided.
//!
//! Instants are microseconds since the epoch, amounts minor units with their currency. What changes while a card lies
//! on the table (votes, time left, ages) is not in it; `Context` supplies that.

use serde::Deserialize;

use super::amount::Amount;
use super::card::{
    Card, Change, ChangeKind, Comparison, Excluded, Expiry, Fact, IfWrong, Provenance, Request, Requester,
    Requirement, Title, Why,
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
#[serde(deny_unknown_fields)]
pub struct CardDocument {
    pub title: TitleDocument,
    pub requester: RequesterDocument,
    pub why: Vec<WhyDocument>,
    #[serde(default)]
    pub also: Vec<String>,
    #[serde(default)]
    pub facts: Vec<FactDocument>,
    #[serde(default)]
    pub changes: Vec<ChangeDocument>,
    pub request: RequestDocument,
    pub if_wrong: IfWrongDocument,
    pub who: WhoDocument,
    pub expiry: ExpiryDocument,
    pub digest: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct ComparisonDocument {
    pub fact: String,
    pub value: String,
    pub operator: String,
    pub limit: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactDocument {
    pub label: String,
    pub value: String,
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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct RequestDocument {
    pub line: String,
    pub idempotency_key: String,
    pub body: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IfWrongDocument {
    pub headline: String,
    pub compensation: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhoDocument {
    pub requirements: Vec<RequirementDocument>,
    #[serde(default)]
    pub excluded: Vec<ExcludedDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequirementDocument {
    pub role: String,
    pub quorum: u32,
    #[serde(default)]
    pub people: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcludedDocument {
    pub name: String,
    pub why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiryDocument {
    pub at: i64,
    pub then: String,
}

/// What the document leaves open.
pub trait Context {
    /// Decimals of a currency, by its lower-case code.
    fn exponent(&self, currency: &str) -> u8;
    /// An instant (microseconds) in the installation's zone: `Fri 21 Nov 2026, 17:00`.
    fn moment(&self, micros: i64) -> Stamp;
    /// The same as an age: `12 s ago`.
    fn age(&self, micros: i64) -> Stamp;
    /// Yes-votes so far by holders of a role.
    fn votes(&self, role: &str) -> u32;
}

impl CardDocument {
    pub fn into_card(self, context: &impl Context) -> Card {
        let requirement = |requirement: RequirementDocument| Requirement {
            votes: context.votes(&requirement.role),
            role: requirement.role,
            quorum: requirement.quorum,
            people: requirement.people,
        };
        Card {
            title: title(self.title, context),
            requester: requester(self.requester, context),
            why: self.why.into_iter().map(why).collect(),
            also: self.also,
            facts: self.facts.into_iter().map(|fact| self::fact(fact, context)).collect(),
            changes: self.changes.into_iter().map(change).collect(),
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
        at: context.moment(document.at),
        claim: document.claim.as_deref().map(|claim| Inert::capped(claim, CLAIM_CHARS)),
    }
}

fn why(document: WhyDocument) -> Why {
    Why {
        policy: document.policy,
        place: format!("{}:{}", document.file, document.line),
        set: document.set.chars().take(8).collect(),
        comparison: document.comparison.map(|fired| Comparison {
            fact: fired.fact,
            value: fired.value,
            operator: fired.operator,
            limit: fired.limit,
        }),
        condition: document.condition,
        counterfactual: document.counterfactual,
    }
}

fn fact(document: FactDocument, context: &impl Context) -> Fact {
    Fact {
        label: document.label,
        value: Inert::capped(&document.value, FACT_CHARS),
        source: match document.source {
            SourceDocument::Stripe => Provenance::Stripe,
            SourceDocument::Derived => Provenance::Derived,
            SourceDocument::Claimed => Provenance::Claimed,
        },
        age: document.as_of.map(|at| context.age(at)),
        guard: document.guard,
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
