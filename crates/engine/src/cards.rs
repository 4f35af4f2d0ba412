//! What people are shown before they decide, and afterwards: one document for every surface, made of facts.

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::approval::{ApprovalState, Voter, may_decide};
use bursar_domain::execution::Receipt;
use bursar_domain::facts::{Fact, FactName, FactValue, Source};
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_store::approvals::{Approval, Vote};
use bursar_store::executions::Execution;
use bursar_store::people::Person;
use bursar_store::proposals::Proposal;
use bursar_stripe::money::Money;
use serde_json::{Value, json};

use crate::approve::question;
use crate::execute::idempotency_key;

/// Verb, amount and counterparty in one line.
pub fn headline(action: &Action, customer: Option<&str>) -> String {
    let to = |fallback: &str| customer.map_or_else(|| fallback.to_owned(), str::to_owned);
    match action {
        Action::RefundCharge { charge, amount, .. } => format!("Refund {amount} to {}", to(charge.as_str())),
        Action::PayInvoice { invoice, amount, .. } => format!("Collect {amount} from {}", to(invoice.as_str())),
        Action::CreatePortalSession { customer: id } => format!("Open the customer portal for {}", to(id.as_str())),
        Action::SendMail(mail) => {
            format!("Send “{}” to {}", mail.template.split('@').next().unwrap_or_default(), to(mail.customer.as_str()))
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
    pub(crate) execution: Option<&'a Execution>,
    pub(crate) installation: &'a str,
    pub(crate) single_operator: bool,
    pub(crate) now: BusinessTime,
}

/// The card. Digest and parameters are what is voted on; words of others stand apart and are marked.
pub(crate) fn card(from: &Sources<'_>) -> Value {
    let action = &from.proposal.content.action;
    let amount = action.amount();
    json!({
        "title": headline(action, from.customer),
        "verb": action.verb(),
        "effects": action.effects().iter().map(|effect| effect.as_str()).collect::<Vec<_>>(),
        "amount": amount.map(|money| money.amount),
        "currency": amount.map(|money| money.currency.as_str().to_owned()),
        "amount_text": amount.map(|money| money.to_string()),
        "counterparty": from.customer,
        "target": action.target().map(|(kind, id)| json!({"kind": kind, "id": id})),
        "params": action.params(),
        "requested_by": requester(&from.proposal.actor),
        "requested_at": rfc3339(from.proposal.proposed_at),
        "reason": from.proposal.content.rationale.reason,
        "evidence": from.proposal.content.rationale.evidence,
        "claimed": from.proposal.content.rationale.claimed,
        "why": why(from.proposal),
        "facts": from.proposal.content.facts.iter().map(|(name, fact)| fact_line(name, fact, from.now)).collect::<Vec<_>>(),
        "changes": predicted(from.proposal),
        "request": request_line(from),
        "if_wrong": if_wrong(action),
        "at_expiry": "If nobody decides, it is refused. Nothing is sent.",
        "who": who(from),
        "digest": from.approval.digest,
        "policy_set": from.proposal.policy_set,
        "expires_at": rfc3339(from.approval.expires_at),
        "single_operator": from.single_operator,
    })
}

fn requester(actor: &Actor) -> Value {
    json!({"type": actor.kind(), "label": actor.label(), "key": actor.key()})
}

fn why(proposal: &Proposal) -> Value {
    let verdict = &proposal.verdict;
    json!({
        "ruling": verdict.ruling.as_str(),
        "policies": verdict.policies.iter().map(|policy| json!({
            "id": policy.id,
            "at": format!("{}:{}", policy.file, policy.line),
            "effect": policy.effect,
            "comparisons": policy.comparisons,
            "condition": policy.condition,
        })).collect::<Vec<_>>(),
        "notes": verdict.notes,
    })
}

fn fact_line(name: FactName, fact: &Fact, now: BusinessTime) -> Value {
    let text = match &fact.value {
        FactValue::Money { money, home } => match home {
            Some(home) if home.money.currency != money.currency => {
                format!("{money} (about {}; {})", home.money, home.rate)
            }
            _ => money.to_string(),
        },
        FactValue::Count(count) if name == FactName::HoursToNextAttempt && *count >= 8_760 => "none scheduled".to_owned(),
        FactValue::Count(count) => count.to_string(),
        FactValue::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        FactValue::Text(text) => text.clone(),
        FactValue::Time(time) if time.micros() == 0 => "none scheduled".to_owned(),
        FactValue::Time(time) => rfc3339(*time),
    };
    let source = match fact.source {
        Source::Stripe => "stripe",
        Source::Derived => "derived",
        Source::Claimed => "claimed",
    };
    json!({
        "name": name.as_str(),
        "meaning": name.meaning(),
        "text": text,
        "source": source,
        "as_of": rfc3339(fact.as_of),
        "age_s": now.since(fact.as_of).as_secs(),
        "guard": false,
    })
}

/// What will be different afterwards, said beforehand.
fn predicted(proposal: &Proposal) -> Vec<Value> {
    let line = |sign: &str, what: &str, text: String| json!({"sign": sign, "what": what, "text": text});
    match &proposal.content.action {
        Action::RefundCharge { charge, amount, reason } => {
            let mut lines = vec![line(
                "+",
                "refund",
                format!("amount {} {}, reason {}", amount.amount, amount.currency.as_str(), reason.as_str()),
            )];
            if let Some(left) = proposal.content.facts.money(FactName::Refundable) {
                let after = Money::new(left.amount - amount.amount, left.currency);
                lines.push(line("~", charge.as_str(), format!("refundable {left} → {after}")));
            }
            lines.push(line("~", "balance", format!("−{amount} now; Stripe's fee on the payment is not returned")));
            lines.push(line("=", "subscription", "unchanged: a refund cancels nothing".to_owned()));
            lines.push(line("✉", "customer", "Stripe sends a refund e-mail if that is switched on in the Dashboard".to_owned()));
            lines
        }
        Action::PayInvoice { invoice, amount, .. } => vec![
            line("~", invoice.as_str(), format!("status open → paid; {amount} is charged to the card on file")),
            line("=", "retries", "Stripe's own schedule is unchanged if it is declined".to_owned()),
        ],
        Action::CreatePortalSession { customer } => {
            vec![line("+", "portal session", format!("a short-lived link that signs {} in", customer.as_str()))]
        }
        Action::SendMail(mail) => vec![
            line("✉", "customer", format!("one letter to {}", mail.to)),
            line("=", "Stripe", "nothing changes at Stripe".to_owned()),
        ],
        Action::CreateTask { role, .. } => vec![line("+", "task", format!("for {role}; nothing leaves Bursar"))],
    }
}

fn request_line(from: &Sources<'_>) -> Value {
    let key = idempotency_key(from.installation, &from.proposal.id);
    let (method, path) = match &from.proposal.content.action {
        Action::RefundCharge { .. } => ("POST", "/v1/refunds".to_owned()),
        Action::PayInvoice { invoice, .. } => ("POST", format!("/v1/invoices/{}/pay", invoice.as_str())),
        Action::CreatePortalSession { .. } => ("POST", "/v1/billing_portal/sessions".to_owned()),
        Action::SendMail(_) => ("SMTP", "mail".to_owned()),
        Action::CreateTask { .. } => ("INSERT", "tasks".to_owned()),
    };
    json!({"method": method, "path": path, "idempotency_key": key})
}

fn if_wrong(action: &Action) -> &'static str {
    match action {
        Action::RefundCharge { .. } => {
            "Not reversible. To take the money back the customer must agree to a new invoice."
        }
        Action::PayInvoice { .. } => "Reversible by a refund; Stripe's fee is not returned.",
        Action::CreatePortalSession { .. } => "The link ends by itself; what the customer does with it stays.",
        Action::SendMail(_) => "Not reversible: a letter cannot be called back.",
        Action::CreateTask { .. } => "Harmless: the task can be closed.",
    }
}

fn who(from: &Sources<'_>) -> Value {
    let question = question(from.approval, from.single_operator);
    let voters: Vec<Voter> = yes_of(from);
    let state = |person: &Person| {
        let voter = Voter { person: person.id.clone(), roles: person.roles.clone() };
        may_decide(&question, &voter, &voters, from.now)
    };
    let open = from.approval.state == ApprovalState::Open;
    let active = || from.people.iter().filter(|person| !person.disabled);
    let may: Vec<&str> =
        active().filter(|person| open && state(person).is_ok()).map(|person| person.name.as_str()).collect();
    let makers: Vec<Value> = active()
        .filter(|person| from.approval.makers.contains(&person.id) && !from.single_operator)
        .map(|person| json!({"name": person.name, "why": "asked for it"}))
        .collect();
    let votes: Vec<Value> = from
        .votes
        .iter()
        .map(|vote| {
            let name = from.people.iter().find(|person| person.id == vote.person).map(|person| person.name.as_str());
            json!({"name": name, "choice": vote.choice.as_str(), "reason": vote.reason,
                "at": rfc3339(BusinessTime::from_micros(vote.at)), "method": vote.method})
        })
        .collect();
    json!({
        "requirements": from.approval.requirements.iter().map(|asked| json!({
            "role": asked.role.as_str(),
            "quorum": asked.quorum,
            "yes": voters.iter().filter(|voter| voter.roles.contains(&asked.role)).count(),
        })).collect::<Vec<_>>(),
        "may_decide": may,
        "not": makers,
        "votes": votes,
    })
}

fn yes_of(from: &Sources<'_>) -> Vec<Voter> {
    let yes = from.votes.iter().filter(|vote| vote.choice == bursar_domain::approval::Choice::Approve);
    yes.map(|vote| {
        let roles: Vec<Role> = from
            .people
            .iter()
            .find(|person| person.id == vote.person)
            .map(|person| person.roles.clone())
            .unwrap_or_default();
        Voter { person: vote.person.clone(), roles }
    })
    .collect()
}

/// A receipt as everybody shows it.
pub(crate) fn receipt(execution: &Execution) -> Value {
    let receipt: Option<&Receipt> = execution.receipt.as_ref();
    json!({
        "state": execution.state.as_str(),
        "code": execution.outcome_code,
        "object": receipt.and_then(|receipt| receipt.object.as_deref()),
        "request_id": receipt.and_then(|receipt| receipt.request_id.as_deref()),
        "known_by": receipt.map(|receipt| receipt.known_by.as_str()),
        "changes": receipt.map(|receipt| receipt.changes.iter().map(|change| json!({
            "what": change.what,
            "predicted": change.predicted,
            "actual": change.actual,
            "agrees": change.agrees(),
        })).collect::<Vec<_>>()),
        "idempotency_key": execution.intent.idempotency_key,
        "sends": execution.sends,
        "first_sent_at": execution.first_sent_at.map(rfc3339),
        "finished_at": execution.outcome_at.map(rfc3339),
        "waiting_for": execution.waiting_for,
    })
}

/// `2026-11-21T09:41:00Z`.
pub fn rfc3339(at: BusinessTime) -> String {
    let second = at.unix_s().rem_euclid(86_400);
    format!("{}T{:02}:{:02}:{:02}Z", crate::govern::day(at), second / 3_600, second / 60 % 60, second % 60)
}
