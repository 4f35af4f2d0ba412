//! What people are shown before they decide, and afterwards: one document for every surface, made of facts.
//!
//! Instants are microseconds of business time, amounts minor units with their currency. Words of others (names, claims)
//! stand in fields of their own and are never mixed into ours; whoever shows them makes them inert.

mod changes;
mod facts;
mod links;
mod paid;
mod receipt;
mod request;
mod risk;
mod who;
mod why;
mod words;

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::time::BusinessTime;
use bursar_store::approvals::{Approval, Vote};
use bursar_store::people::Person;
use bursar_store::proposals::Proposal;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

pub(crate) use facts::{lines as fact_lines, words_of as fact_words};
pub use links::dashboard;
pub(crate) use paid::Paid;
pub(crate) use receipt::document as receipt;
pub(crate) use who::votes;

/// Verb, amount and counterparty in one line.
pub fn headline(action: &Action, customer: Option<&str>) -> String {
    let to = |fallback: &str| customer.map_or_else(|| fallback.to_owned(), str::to_owned);
    match action {
        Action::RefundCharge { charge, amount, .. } => {
            format!("Refund {} to {}", words::money(*amount), to(charge.as_str()))
        }
        Action::PayInvoice { invoice, amount, .. } => {
            format!("Collect {} from {}", words::money(*amount), to(invoice.as_str()))
        }
        Action::CreatePortalSession { customer: id } => {
            format!("Open the customer portal for {}", to(id.as_str()))
        }
        Action::SendMail(mail) => {
            format!("Send “{}” to {}", words::template(&mail.template), to(mail.customer.as_str()))
        }
        Action::CreateTask { title, .. } => title.clone(),
    }
}

/// A proposal in a case's timeline.
pub(crate) fn timeline_line(proposal: &Proposal, approval: Option<&Approval>) -> Value {
    json!({
        "proposal": proposal.id.as_str(),
        "approval": approval.map(|approval| approval.id.as_str()),
        "verb": proposal.content.action.verb(),
        "headline": headline(&proposal.content.action, None),
        "reason": proposal.content.rationale.reason,
        "evidence": proposal.content.rationale.evidence,
        "claimed": proposal.content.rationale.claimed,
        "ruling": proposal.verdict.ruling.as_str(),
        "policy_ruling": proposal.policy_verdict.ruling.as_str(),
        "policies": proposal.verdict.policies.iter().map(|policy| &policy.id).collect::<Vec<_>>(),
        "notes": proposal.verdict.notes,
    })
}

/// Everything a card is made of.
pub(crate) struct Sources<'a> {
    pub(crate) proposal: &'a Proposal,
    pub(crate) approval: &'a Approval,
    pub(crate) votes: &'a [Vote],
    pub(crate) people: &'a [Person],
    pub(crate) customer: Option<&'a str>,
    pub(crate) installation: &'a str,
    pub(crate) single_operator: bool,
    pub(crate) now: BusinessTime,
    /// Cards tell times in it.
    pub(crate) zone: &'a TimeZone,
    pub(crate) paid: Paid,
    /// Stripe itself stands behind the lane, and not something that speaks like it.
    pub(crate) at_stripe: bool,
}

/// The card. Digest and parameters are what is voted on; words of others stand apart and are marked.
pub(crate) fn card(from: &Sources<'_>) -> Value {
    let action = &from.proposal.content.action;
    json!({
        "title": title(from),
        "requester": requester(from),
        "because": why::because(from.proposal),
        "risk": risk::document(from.proposal),
        "why": why::policies(from.proposal),
        "also": why::also(from.proposal),
        "facts": facts::lines(from.proposal, from.zone),
        "budget": risk::budget(from.proposal),
        "changes": changes::predicted(from.proposal),
        "request": request::shown(from),
        "if_wrong": changes::if_wrong(action),
        "who": who::document(from),
        "expiry": {"at": from.approval.expires_at.micros(), "then": "If nobody decides, it is refused. Nothing is sent."},
        "digest": from.approval.digest,
        "verb": action.verb(),
        "effects": action.effects().iter().map(|effect| effect.as_str()).collect::<Vec<_>>(),
        "target": action.target().map(|(kind, id)| json!({"kind": kind, "id": id})),
        "params": action.params(),
        "policy_set": from.proposal.policy_set,
        "links": links::of(from.proposal, from.at_stripe),
        "single_operator": from.single_operator,
    })
}

/// The amount has a field of its own, so that no name can push it away.
fn title(from: &Sources<'_>) -> Value {
    let proposal = from.proposal;
    let action = &proposal.content.action;
    let amount = action.amount();
    let target = action.target().map(|(_, id)| id).unwrap_or_default();
    let whom = from.customer.unwrap_or(proposal.customer.as_deref().unwrap_or(target));
    let (verb, preposition, whom, subject) = match action {
        Action::RefundCharge { .. } => ("Refund".to_owned(), "to", whom, facts::charge_line(from)),
        Action::PayInvoice { payment_method, .. } => {
            let method = payment_method.as_ref().map_or("the method on file", |method| method.as_str());
            let with = from.paid.card_words().unwrap_or_else(|| method.to_owned());
            ("Collect".to_owned(), "from", whom, Some(format!("{target}, charged to {with}")))
        }
        Action::CreatePortalSession { .. } => ("Open the customer portal".to_owned(), "for", whom, None),
        Action::SendMail(mail) => {
            let verb = format!("Send “{}”", words::template(&mail.template));
            (verb, "to", whom, Some(format!("{} · {}", mail.to, mail.subject)))
        }
        Action::CreateTask { title, role, .. } => {
            ("Set a task".to_owned(), "for", role.as_str(), Some(title.clone()))
        }
    };
    json!({
        "verb": verb,
        "amount": amount.map(|money| money.amount),
        "currency": amount.map(|money| money.currency.as_str().to_owned()),
        "preposition": preposition,
        "counterparty": whom,
        "counterparty_id": proposal.customer,
        "subject": subject,
    })
}

fn requester(from: &Sources<'_>) -> Value {
    let actor = &from.proposal.actor;
    let name = match actor {
        Actor::Person { name, .. } | Actor::ApiKey { name, .. } | Actor::Agent { name, .. } => name.clone(),
        Actor::Playbook { name, .. } => words::capitalised(name),
        Actor::Engine => "Bursar".to_owned(),
    };
    // Whose key or agent it is: the person stands behind what it asks for.
    let behalf = match actor {
        Actor::ApiKey { owner, .. } | Actor::Agent { owner, .. } => {
            from.people.iter().find(|person| person.id == *owner).map(|person| person.name.as_str())
        }
        Actor::Person { .. } | Actor::Playbook { .. } | Actor::Engine => None,
    };
    json!({
        "kind": actor.kind(),
        "name": name,
        "id": match actor {
            Actor::ApiKey { id, .. } | Actor::Agent { id, .. } => Some(id.as_str()),
            // A person's name says it, and a playbook has none.
            Actor::Person { .. } | Actor::Playbook { .. } | Actor::Engine => None,
        },
        "on_behalf_of": behalf,
        "at": from.proposal.proposed_at.micros(),
        "claim": from.proposal.content.rationale.claimed,
    })
}

/// `2026-11-21T09:41:00Z`.
pub fn rfc3339(at: BusinessTime) -> String {
    crate::budget::timestamp(at).to_string()
}
