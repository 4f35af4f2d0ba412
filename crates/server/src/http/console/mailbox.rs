//! `/mailbox`: what customers of the demo would have received. Only a demo has one.

use axum::extract::Query;
use axum::response::Response;
use bursar_connectors::mail::ReceivedMail;
use serde::Deserialize;

use super::reading::{Reading, moment};
use super::view::{self, Inert, Mail, MailPart, MailRow, MailboxPage, Section, WebLink};
use super::visit::Visit;
use crate::http::problem::Problem;

#[derive(Deserialize)]
pub struct Asked {
    selected: Option<u64>,
    part: Option<String>,
}

/// The newest so many are listed.
const ROWS: usize = 100;
const TEXT_CHARS: usize = 20_000;
const LINKS: usize = 10;

pub async fn show(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let page = page(&visit, &asked).await.map(|page| view::page(&page));
    visit.answer(page).await
}

async fn page(visit: &Visit, asked: &Asked) -> Result<MailboxPage, Problem> {
    let demo = visit.state.demo.as_ref().ok_or_else(|| Problem::not_found("mailbox: only a demo has one"))?;
    let mut letters = demo.mailbox.letters();
    letters.reverse();
    let shown = match asked.selected {
        Some(number) => Some(demo.mailbox.letter(number).ok_or_else(|| Problem::not_found("letter"))?),
        None => letters.first().cloned(),
    };
    let reading = visit.reading();
    let current = shown.as_ref().map(|letter| letter.number);
    let rows = letters.iter().take(ROWS).map(|letter| row(letter, current, reading)).collect();
    let part = if asked.part.as_deref() == Some("text") { MailPart::Text } else { MailPart::Html };
    Ok(MailboxPage {
        shell: visit.shell("Mailbox", Section::Mailbox, &visit.survey().await?),
        rows,
        mail: shown.map(|letter| mail(&letter, part)),
        selected_by_address: asked.selected.is_some(),
    })
}

fn row(letter: &ReceivedMail, current: Option<u64>, reading: Reading) -> MailRow {
    MailRow {
        id: letter.number.to_string(),
        href: format!("/mailbox?selected={}", letter.number),
        to: Inert::capped(&letter.to.join(", "), 80),
        subject: Inert::capped(&letter.subject, 120),
        at: reading.brief(letter.received_at.micros()),
        selected: current == Some(letter.number),
    }
}

fn mail(letter: &ReceivedMail, part: MailPart) -> Mail {
    let text = letter.text.as_deref().unwrap_or_default();
    Mail {
        id: letter.number.to_string(),
        from: Inert::line(&letter.from),
        to: Inert::line(&letter.to.join(", ")),
        subject: Inert::line(&letter.subject),
        at: moment(letter.received_at.micros()),
        part,
        text: Inert::block(text, TEXT_CHARS),
        html: letter.html.clone(),
        links: links(text),
        case_href: None,
    }
}

/// The web addresses of the text part, each once.
fn links(text: &str) -> Vec<WebLink> {
    let mut found: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_matches(['<', '>', '(', ')', '"', '.', ',', ';']);
        if !found.contains(&bare) {
            found.push(bare);
        }
    }
    found.into_iter().filter_map(WebLink::parse).take(LINKS).collect()
}
