//! What went wrong, as a page instead of a document: what it was, what did not happen, and one next step.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::sign_in::outside_shell;
use super::view::{self, Inert, Link, NoticePage, Section, Shell, Status, Tone};
use super::visit::{Survey, Visit};
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// For somebody who is signed in.
pub(super) async fn inside(visit: &Visit, problem: &Problem) -> Response {
    let survey = visit.survey().await.unwrap_or_else(|_| Survey::default());
    let shell = visit.shell(headline(problem), Section::Inbox, &survey);
    let label = if visit.back == "/inbox" { "Back to the inbox" } else { "Go back" };
    page(shell, problem, Link { label: label.to_owned(), href: visit.back.clone() })
}

/// For anybody.
pub(super) fn outside(state: &AppState, problem: &Problem) -> Response {
    let link = Link { label: "Sign in".to_owned(), href: "/login".to_owned() };
    page(outside_shell(state, headline(problem)), problem, link)
}

/// For paths that do not exist: a page for browsers, the API's own words for everybody else.
pub async fn no_such_page(
    State(state): State<AppState>,
    visit: Result<Visit, Response>,
    request: Request,
) -> Response {
    let problem = Problem::not_found("page");
    if !wants_html(request.headers()) {
        return problem.into_response();
    }
    match visit {
        Ok(visit) => inside(&visit, &problem).await,
        Err(_) => outside(&state, &problem),
    }
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn page(shell: Shell, problem: &Problem, link: Link) -> Response {
    let (tone, word) = match problem.status.as_u16() {
        401 | 403 => (Tone::Warn, "Not allowed"),
        404 => (Tone::Quiet, "Not found"),
        409 | 410 => (Tone::Warn, "Changed meanwhile"),
        429 => (Tone::Warn, "Too fast"),
        400..=499 => (Tone::Warn, "Not understood"),
        502 | 503 => (Tone::Bad, "Not now"),
        _ => (Tone::Bad, "Out of order"),
    };
    let page = NoticePage {
        shell,
        status: Status::new(tone, word),
        headline: headline(problem).to_owned(),
        text: Inert::capped(&sentence(&problem.message), 600),
        money: money(problem).map(str::to_owned),
        code: Some(problem.code.to_owned()),
        link: Some(link),
    };
    let mut response = view::page(&page);
    *response.status_mut() = problem.status;
    if let Some(seconds) = problem.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A capital at the start and a full stop at the end.
pub(super) fn sentence(text: &str) -> String {
    let mut text = super::wording::capitalised(text.trim());
    if !text.ends_with(['.', '!', '?']) && !text.is_empty() {
        text.push('.');
    }
    text
}

fn headline(problem: &Problem) -> &'static str {
    match problem.code {
        "approval_expired" => "This approval has expired",
        "approval_decided" => "Somebody has already decided",
        "already_voted" => "You have already voted",
        "digest_changed" => "The card has changed since you read it",
        "own_proposal" => "You asked for this yourself",
        "role_not_asked" => "This is not yours to decide",
        "reason_missing" => "A rejection needs a reason",
        "blocked_by_policy" => "Policy does not allow this",
        "form_expired" => "This form is no longer valid",
        "cross_origin" => "Sent from another site",
        "password_wrong" => "The password does not fit",
        "resource_missing" => "There is nothing here",
        _ => match problem.status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "You may not do this",
            StatusCode::CONFLICT => "Somebody was faster",
            StatusCode::TOO_MANY_REQUESTS => "Too many tries",
            StatusCode::SERVICE_UNAVAILABLE => "This does not work right now",
            StatusCode::BAD_GATEWAY => "Stripe refused to answer",
            status if status.is_client_error() => "This cannot be meant",
            _ => "Something is broken here",
        },
    }
}

/// What certainly did not happen, unless the message says it.
fn money(problem: &Problem) -> Option<&'static str> {
    let said = ["nothing was", "Nothing was", "no money"].iter().any(|words| problem.message.contains(words));
    (!said && problem.status != StatusCode::NOT_FOUND)
        .then_some("Nothing was changed and nothing was sent to Stripe.")
}
