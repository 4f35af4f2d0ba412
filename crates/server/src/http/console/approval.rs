//! `/approvals/{id}`: the card, what the reader may do about it, and once executed the receipt.

use axum::extract::Path;
use axum::response::Response;
use bursar_domain::id::ApprovalId;

use super::documents::{self, ApprovalDocument, ReceiptDocument, VoteDocument};
use super::notice::sentence;
use super::reading::{Reading, micros, moment};
use super::view::approval::ReceiptObject;
use super::view::{
    self, ApprovalPage, ApprovalPanel, Inert, Link, Receipt, ReceiptRow, Section, Stage, Stamp, Vote,
};
use super::visit::Visit;
use super::wording;
use crate::http::problem::Problem;

pub async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    let page = page(&visit, &id).await.map(|page| view::page(&page));
    visit.answer(page).await
}

async fn page(visit: &Visit, id: &str) -> Result<ApprovalPage, Problem> {
    let id: ApprovalId = id.parse().map_err(|_| Problem::not_found("approval"))?;
    let panel = panel(visit, &id, format!("/approvals/{id}")).await?;
    let survey = visit.survey().await?;
    let title = &panel.card.title;
    let heading = format!("{} {} {}", panel.act(), title.preposition, title.counterparty.text());
    Ok(ApprovalPage {
        shell: visit.shell(Inert::capped(&heading, 80).text(), Section::Inbox, &survey),
        panel,
    })
}

/// The same for its own page and beside the queue.
pub(super) async fn panel(
    visit: &Visit,
    id: &ApprovalId,
    return_to: String,
) -> Result<ApprovalPanel, Problem> {
    let viewer = visit.caller.viewer();
    let document: ApprovalDocument = documents::read(visit.engine().approval(id, Some(&viewer)).await?)?;
    let (reading, lane) = (visit.reading(), visit.lane_of(&document.lane));
    let stage = stage(&document, reading);
    let as_predicted = !matches!(&stage, Stage::Settled(receipt) if !receipt.as_predicted());
    let links = links(&document);
    let open = matches!(stage, Stage::Open { .. });
    Ok(ApprovalPanel {
        status: wording::approval_status(&document.status, as_predicted),
        may_decide: open && document.may_decide.unwrap_or(false),
        why_not: why_not(&document),
        stage,
        case_href: Some(format!("/cases/{}", document.case)),
        votes: document.votes.iter().map(|vote| self::vote(vote, reading)).collect(),
        second_sign_in: document.second_sign_in,
        card: document.card.into_card(&reading),
        id: document.id,
        lane,
        links,
        return_to,
    })
}

fn stage(document: &ApprovalDocument, reading: Reading) -> Stage {
    let stamp = |at: Option<&str>| at.and_then(micros).map_or_else(Stamp::default, |at| reading.when(at));
    let closed_at = || stamp(document.closed_at.as_deref());
    match (document.status.as_str(), &document.receipt) {
        ("pending", _) => {
            let (left, urgent) = micros(&document.expires_at).map(|at| reading.left(at)).unwrap_or_default();
            Stage::Open { left, urgent }
        }
        ("approved", _) => Stage::Executing { since: closed_at(), step: step(document.execution.as_ref()) },
        ("executed" | "failed" | "no_effect" | "in_doubt", Some(receipt)) => {
            Stage::Settled(self::receipt(receipt))
        }
        (status, _) => closed(status, document, closed_at()),
    }
}

/// What is waiting for what.
fn step(receipt: Option<&ReceiptDocument>) -> String {
    match receipt {
        None => "It is about to be checked once more and sent.".to_owned(),
        Some(ReceiptDocument { waits: Some(told), .. }) => format!("{}.", wording::capitalised(told)),
        Some(receipt) if receipt.first_sent_at.is_some() => {
            "The request is sent; the answer is on its way.".to_owned()
        }
        Some(receipt) => receipt.headline.clone(),
    }
}

fn closed(status: &str, document: &ApprovalDocument, at: Stamp) -> Stage {
    let rejection = document.votes.iter().find(|vote| vote.choice == "reject");
    let (headline, by, reason) = match (status, rejection) {
        ("rejected", Some(vote)) => ("Rejected", vote.name.clone(), vote.reason.as_deref()),
        ("rejected", None) => ("Rejected", None, document.closed_why.as_deref()),
        // What expiry means stands on the card already.
        ("expired", _) => ("Nobody decided in time", None, None),
        ("void", _) if document.superseded_by.is_some() => {
            ("Changed meanwhile, and asked for again", None, document.closed_why.as_deref())
        }
        ("void", _) => ("No longer possible", None, document.closed_why.as_deref()),
        _ => ("Closed", None, document.closed_why.as_deref()),
    };
    Stage::Closed {
        headline: headline.to_owned(),
        reason: reason.map(|reason| Inert::capped(reason, 600)),
        by,
        at,
    }
}

fn receipt(document: &ReceiptDocument) -> Receipt {
    let finished = document.finished_at.as_deref().and_then(micros);
    let object = |id: &String| ReceiptObject { label: kind_of(id).to_owned(), id: id.clone() };
    let booked = document.balance_transaction.iter();
    let booked = booked.map(|id| ReceiptObject { label: "balance transaction".to_owned(), id: id.clone() });
    let known_by = document.known_by.iter().filter(|how| *how != "answer");
    let found = known_by.map(|how| ReceiptObject { label: "known by".to_owned(), id: how.clone() });
    Receipt {
        headline: Inert::line(&document.headline),
        at: finished.map_or_else(Stamp::default, moment),
        request_id: document.request_id.clone(),
        objects: document.object.iter().map(object).chain(booked).chain(found).collect(),
        rows: document
            .rows
            .iter()
            .map(|row| ReceiptRow {
                what: row.what.clone(),
                predicted: row.predicted.clone(),
                actual: row.actual.clone(),
            })
            .collect(),
    }
}

fn kind_of(id: &str) -> &'static str {
    match id.split('_').next().unwrap_or_default() {
        "re" | "pyr" => "Refund",
        "in" => "Invoice",
        "bps" => "Portal session",
        _ => "Reference",
    }
}

fn vote(document: &VoteDocument, reading: Reading) -> Vote {
    Vote {
        person: document.name.clone().unwrap_or_else(|| "somebody who left".to_owned()),
        role: document.role.clone().unwrap_or_default(),
        yes: document.choice == "approve",
        reason: document.reason.as_deref().map(Inert::line),
        at: micros(&document.at).map(|at| reading.when(at)).unwrap_or_default(),
    }
}

/// Why the reader has no buttons, and who has.
fn why_not(document: &ApprovalDocument) -> Option<String> {
    let because = sentence(document.may_not_because.as_deref()?);
    let mut people: Vec<&str> =
        document.card.who.requirements.iter().flat_map(|need| &need.people).map(String::as_str).collect();
    people.sort_unstable();
    people.dedup();
    Some(match people.as_slice() {
        [] => because,
        [only] => format!("{because} {only} can decide."),
        [others @ .., last] => format!("{because} {} or {last} can decide.", others.join(", ")),
    })
}

/// Only Stripe's own pages are linked to, and the question that took this one's place.
fn links(document: &ApprovalDocument) -> Vec<Link> {
    let at_stripe =
        document.card.links.iter().filter(|link| link.url.starts_with("https://dashboard.stripe.com/"));
    let at_stripe = at_stripe.map(|link| Link { label: link.label.clone(), href: link.url.clone() });
    let next = document.superseded_by.as_ref().and_then(|next| next.approval.as_ref());
    let next = next.map(|id| Link { label: "Asked again".to_owned(), href: format!("/approvals/{id}") });
    next.into_iter().chain(at_stripe).collect()
}
