//! Every page of the console with made-up content, through the real templates, stylesheet and scripts:
//! `cargo run -p bursar-server --example console_preview -- 7199`, then `http://127.0.0.1:7199/`.

#[expect(
    dead_code,
    unused_imports,
    reason = "the preview shows pages; it does not handle what only the server needs"
)]
mod console;
mod samples;
mod samples_system;

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::HeaderValue;
use axum::middleware::map_response;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, Redirect, Response};
use axum::routing::{get, post};
use futures_util::Stream;
use serde::Deserialize;

use console::assets;
use console::view::page;
use samples::Samples;

/// The header that every page of the real console carries.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Seconds since the start, and the second in which somebody approved: enough of a story to see the pages live.
static SECOND: AtomicU32 = AtomicU32::new(0);
static APPROVED_AT: AtomicU32 = AtomicU32::new(u32::MAX);

#[derive(Deserialize)]
struct Asked {
    view: Option<String>,
    selected: Option<String>,
    part: Option<String>,
    actor: Option<String>,
    error: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(7199);
    let router = Router::new()
        .route("/", get(index))
        .route("/login", get(login).post(async || Redirect::to("/inbox")))
        .route("/logout", post(async || Redirect::to("/login")))
        .route("/inbox", get(inbox))
        .route("/cases/{id}", get(case))
        .route("/approvals/{id}", get(approval))
        .route("/approvals/{id}/{vote}", post(vote))
        .route("/cases/{id}/refund", post(async || Redirect::to("/approvals/open")))
        .route("/mailbox", get(mailbox))
        .route("/audit", get(audit))
        .route("/health", get(health))
        .route("/notice", get(async || page(&Samples::honest().notice())))
        .route("/assets/{*name}", get(assets::serve))
        .route("/api/v1/stream", get(stream))
        .layer(map_response(with_policy));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    axum::serve(listener, router).await
}

async fn with_policy(mut response: Response) -> Response {
    response.headers_mut().insert("content-security-policy", HeaderValue::from_static(POLICY));
    response
}

async fn index() -> Html<&'static str> {
    Html(
        "<!doctype html><ul><li><a href=/login>login</a><li><a href=/inbox>inbox</a>\
        <li><a href='/inbox?view=empty'>inbox, empty</a><li><a href='/inbox?selected=case_2'>inbox, case</a>\
        <li><a href=/cases/case_2>case</a><li><a href=/approvals/open>approval</a>\
        <li><a href=/approvals/executing>executing</a><li><a href=/approvals/receipt>receipt</a>\
        <li><a href=/approvals/differs>receipt that differs</a><li><a href=/approvals/rejected>rejected</a>\
        <li><a href=/approvals/barred>may not decide</a><li><a href=/approvals/hostile>hostile text</a>\
        <li><a href=/mailbox>mailbox</a><li><a href=/audit>audit</a><li><a href=/health>health</a>\
        <li><a href=/notice>notice</a></ul>",
    )
}

async fn login(Query(asked): Query<Asked>) -> Response {
    page(&Samples::login(asked.error.is_some()))
}

async fn inbox(Query(asked): Query<Asked>) -> Response {
    page(&Samples::honest().inbox(asked.view.as_deref().unwrap_or("needs-me"), asked.selected.as_deref()))
}

async fn case(Path(_): Path<String>) -> Response {
    page(&Samples::honest().case())
}

async fn approval(Path(id): Path<String>) -> Response {
    if id == "hostile" {
        return page(&Samples::hostile().approval("open"));
    }
    let second = SECOND.load(Ordering::Relaxed);
    let stage = match (id.as_str(), second.checked_sub(APPROVED_AT.load(Ordering::Relaxed))) {
        ("open", Some(0..3)) => "executing",
        ("open", Some(_)) => "receipt",
        (other, _) => other,
    };
    page(&Samples::honest().approval(stage))
}

async fn vote(Path((_, vote)): Path<(String, String)>) -> Redirect {
    if vote == "reject" {
        return Redirect::to("/approvals/rejected");
    }
    APPROVED_AT.store(SECOND.load(Ordering::Relaxed), Ordering::Relaxed);
    Redirect::to("/approvals/open")
}

async fn mailbox(Query(asked): Query<Asked>) -> Response {
    page(&Samples::honest().mailbox(asked.selected.as_deref(), asked.part.as_deref() != Some("text")))
}

async fn audit(Query(asked): Query<Asked>) -> Response {
    page(&Samples::honest().audit(asked.actor.as_deref().unwrap_or_default()))
}

async fn health() -> Response {
    page(&Samples::honest().health())
}

/// A clock that ticks, and every other second word that an approval and a case changed.
async fn stream() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = futures_util::stream::unfold(0_u32, |tick| async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let minute = (tick / 3 + 2) % 60;
        let event = match tick % 3 {
            0 => {
                SECOND.fetch_add(1, Ordering::Relaxed);
                let data = format!(
                    r#"{{"iso":"2026-11-21T14:{minute:02}:00Z","text":"Fri 21 Nov 2026, 14:{minute:02} UTC"}}"#
                );
                Event::default().event("clock").data(data)
            }
            1 => Event::default().event("approval").data(r#"{"id":"apreq_9fK2QmT4x7Qd8Lw3"}"#),
            _ => Event::default().event("case").data(r#"{"id":"case_1"}"#),
        };
        Some((Ok(event), tick + 1))
    });
    Sse::new(ticks).keep_alive(KeepAlive::default())
}
