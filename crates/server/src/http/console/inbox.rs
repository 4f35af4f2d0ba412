//! `/inbox`: what waits, what it is worth, and beside it the card or the case that is selected. The address is the state.

use axum::extract::Query;
use axum::response::Response;
use bursar_domain::id::{ApprovalId, CaseId};
use bursar_engine::Waiting;
use bursar_store::cases::Filter;
use serde::Deserialize;
use serde_json::Value;

use super::documents::{self, CaseDocument};
use super::reading::{Reading, amount_of, micros};
use super::view::{self, CaseRow, Detail, Empty, InboxPage, InboxView, Inert, Link, Section, Tab};
use super::visit::{Survey, Visit, sums};
use super::{approval, case, wording};
use crate::http::problem::Problem;

#[derive(Deserialize)]
pub struct Asked {
    view: Option<String>,
    selected: Option<String>,
    /// The last case of the page before.
    after: Option<String>,
}

const ROWS: i64 = 50;

pub async fn show(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let page = page(&visit, &asked).await.map(|page| view::page(&page));
    visit.answer(page).await
}

async fn page(visit: &Visit, asked: &Asked) -> Result<InboxPage, Problem> {
    let view = asked.view.as_deref().and_then(InboxView::parse).unwrap_or(InboxView::NeedsMe);
    let survey = visit.survey().await?;
    let queue = queue(visit, view, &survey, asked.after.as_deref()).await?;
    let stake =
        if view == InboxView::All { Vec::new() } else { sums(queue.items.iter().map(|item| &item.case)) };
    let mut rows = Vec::new();
    for item in &queue.items {
        rows.push(row(&item.case, item.waiting, view, visit.reading())?);
    }
    let selected = asked.selected.as_deref().filter(|id| !id.is_empty());
    let detail = detail(visit, selected, &rows, view).await?;
    mark(&mut rows, selected, detail.as_ref());
    let last = queue.has_more.then(|| rows.last().map(|row| row.id.clone())).flatten();
    Ok(InboxPage {
        tabs: tabs(visit, view, &survey).await?,
        at_stake: stake,
        detail,
        selected_by_address: selected.is_some(),
        queue_href: format!("/inbox?view={}", view.as_str()),
        empty: empty(view),
        older_href: last.map(|id| format!("/inbox?view={}&after={id}", view.as_str())),
        shell: visit.shell("Inbox", Section::Inbox, &survey),
        rows,
    })
}

struct Item<'s> {
    case: Value,
    waiting: Option<&'s Waiting>,
}

struct Queue<'s> {
    items: Vec<Item<'s>>,
    has_more: bool,
}

async fn queue<'s>(
    visit: &Visit,
    view: InboxView,
    survey: &'s Survey,
    after: Option<&str>,
) -> Result<Queue<'s>, Problem> {
    let of_survey = |wanted: fn(&Waiting) -> bool| Queue {
        items: survey
            .waiting
            .iter()
            .filter(|waiting| wanted(waiting))
            .map(|waiting| Item { case: waiting.case.clone(), waiting: Some(waiting) })
            .collect(),
        has_more: false,
    };
    let filter = match view {
        InboxView::NeedsMe => return Ok(of_survey(|waiting| waiting.for_viewer)),
        InboxView::Approvals => return Ok(of_survey(|waiting| waiting.approval.is_some())),
        InboxView::FailedPayments => Filter {
            playbook: Some("recovery".to_owned()),
            state: Some("open".to_owned()),
            ..Filter::default()
        },
        InboxView::All => Filter::default(),
    };
    let after: Option<CaseId> = after.and_then(|id| id.parse().ok());
    let page = visit.engine().cases(filter, after.as_ref(), ROWS).await?;
    let waiting = |case: &Value| survey.waiting.iter().find(|waiting| waiting.case["id"] == case["id"]);
    let item = |case: Value| match waiting(&case) {
        // What waits is told as it waits.
        Some(waiting) => Item { case: waiting.case.clone(), waiting: Some(waiting) },
        None => Item { case, waiting: None },
    };
    let items = page.items.into_iter().map(item).collect();
    Ok(Queue { items, has_more: page.has_more })
}

async fn tabs(visit: &Visit, current: InboxView, survey: &Survey) -> Result<Vec<Tab>, Problem> {
    let by_playbook = visit.engine().open_case_counts().await?;
    let failed =
        by_playbook.iter().find(|(playbook, _)| playbook == "recovery").map_or(0, |(_, count)| *count);
    let waiting = |wanted: fn(&Waiting) -> bool| {
        u32::try_from(survey.waiting.iter().filter(|waiting| wanted(waiting)).count()).ok()
    };
    let count = |view| match view {
        InboxView::NeedsMe => waiting(|waiting| waiting.for_viewer),
        InboxView::Approvals => waiting(|waiting| waiting.approval.is_some()),
        InboxView::FailedPayments => u32::try_from(failed).ok(),
        InboxView::All => None,
    };
    Ok(InboxView::ALL
        .into_iter()
        .map(|view| Tab { view, count: count(view), current: view == current })
        .collect())
}

fn row(
    case: &Value,
    waiting: Option<&Waiting>,
    view: InboxView,
    reading: Reading,
) -> Result<CaseRow, Problem> {
    let case: CaseDocument = documents::read(case.clone())?;
    let approval = waiting.and_then(|waiting| waiting.approval.as_ref());
    let selected = approval.map_or(case.id.as_str(), |approval| approval.as_str());
    let expires = waiting.and_then(|waiting| waiting.expires_at).map(|at| reading.left(at.micros()));
    let (due, urgent) = match expires {
        Some((left, urgent)) => (Some(format!("{left} left")), urgent),
        None => (None, false),
    };
    let state = match waiting {
        Some(_) if approval.is_none() => "needs_person",
        _ => case.state.as_str(),
    };
    let status =
        wording::case_status(state, case.class.as_deref(), case.outcome.as_deref(), approval.is_some());
    Ok(CaseRow {
        href: format!("/inbox?view={}&selected={selected}", view.as_str()),
        open_href: match approval {
            Some(approval) => format!("/approvals/{approval}"),
            None => format!("/cases/{}", case.id),
        },
        subject: Inert::capped(case::subject(&case), 80),
        title: case::title(&case),
        summary: Inert::line(&waiting.and_then(asked).unwrap_or_else(|| case::summary(&case, reading))),
        amount: amount_of(case.amount, case.currency.as_deref()),
        status,
        due,
        urgent,
        at: micros(&case.updated_at).map(|at| reading.brief(at)).unwrap_or_default(),
        selected: false,
        id: case.id,
    })
}

/// Who asks, and why in their words.
fn asked(waiting: &Waiting) -> Option<String> {
    let by = waiting.asked_by.as_deref()?;
    Some(match waiting.claimed.as_deref().map(str::trim) {
        Some(claim) if !claim.is_empty() => format!("{by}: “{claim}”"),
        _ => by.to_owned(),
    })
}

/// What the address selects; else the first of the queue.
async fn detail(
    visit: &Visit,
    selected: Option<&str>,
    rows: &[CaseRow],
    view: InboxView,
) -> Result<Option<Detail>, Problem> {
    let first = rows.first().and_then(|row| row.href.split_once("selected=")).map(|(_, id)| id);
    let Some(id) = selected.or(first) else { return Ok(None) };
    if let Ok(id) = id.parse::<ApprovalId>() {
        let return_to = format!("/inbox?view={}&selected={id}", view.as_str());
        return Ok(Some(Detail::Approval(Box::new(approval::panel(visit, &id, return_to).await?))));
    }
    let Ok(id) = id.parse::<CaseId>() else { return Err(Problem::not_found("case")) };
    let document: CaseDocument = documents::read(visit.engine().case(&id).await?)?;
    Ok(Some(Detail::Case(Box::new(case::file(visit, document)))))
}

fn mark(rows: &mut [CaseRow], selected: Option<&str>, detail: Option<&Detail>) {
    let case = match detail {
        Some(Detail::Approval(panel)) => {
            panel.case_href.as_deref().and_then(|href| href.strip_prefix("/cases/")).map(str::to_owned)
        }
        Some(Detail::Case(file)) => Some(file.id.clone()),
        None => None,
    };
    let wanted = case.as_deref().or(selected);
    if let Some(row) = rows.iter_mut().find(|row| Some(row.id.as_str()) == wanted) {
        row.selected = true;
    }
}

fn empty(view: InboxView) -> Empty {
    let all = || Some(Link { label: "See everything".to_owned(), href: "/inbox?view=all".to_owned() });
    let (title, text, link) = match view {
        InboxView::NeedsMe => (
            "Nothing waits for you",
            "What policy allows goes through by itself. What needs your decision appears here the moment it is asked.",
            all(),
        ),
        InboxView::Approvals => (
            "No open approvals",
            "Nobody is being asked. Refunds over the limit and risky payments appear here.",
            all(),
        ),
        InboxView::FailedPayments => (
            "No failed payments",
            "Every invoice is paid or on its way. New failures appear here by themselves.",
            all(),
        ),
        InboxView::All => (
            "No cases yet",
            "A case opens when a payment fails or somebody asks for a refund.",
            Some(Link { label: "See whether events arrive".to_owned(), href: "/health".to_owned() }),
        ),
    };
    Empty { title: title.to_owned(), text: text.to_owned(), link }
}
