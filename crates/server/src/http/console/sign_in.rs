//! Signing in and out. A sign-in makes a new session with an id nobody has seen, whatever cookie the browser sent.
//!
//! The sign-in form has no session to bind a token to; it is guarded by where the browser says it comes from (`posted`),
//! so that no other site can sign somebody in as somebody else.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Form, FromRequestParts, Query, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use bursar_domain::actor::Actor;
use bursar_store::people::{Person, Session};
use serde::Deserialize;

use super::attempts::{Attempts, Try};
use super::local_path::local_or;
use super::posted::{Nothing, Posted, from_here};
use super::said::{self, Said};
use super::view::{self, Counts, DemoPerson, LoginPage, Section, Shell};
use super::visit::Visit;
use super::{notice, password, visit, wording};
use crate::http::auth::{SESSION_MAX_S, cookie_name, hash_of};
use crate::http::problem::Problem;
use crate::http::state::AppState;

#[derive(Deserialize)]
pub struct Asked {
    next: Option<String>,
}

/// What a page needs that nobody has signed in to.
pub(super) fn outside_shell(state: &AppState, title: &str) -> Shell {
    Shell {
        title: title.to_owned(),
        section: Section::Outside,
        visitor: None,
        lane: None,
        demo: visit::demo(state),
        csrf: String::new(),
        counts: Counts::default(),
        flash: None,
    }
}

fn page(state: &AppState, next: &str, email: &str, error: Option<String>) -> LoginPage {
    let people = state.demo.iter().flat_map(|demo| &demo.people);
    LoginPage {
        shell: outside_shell(state, "Sign in"),
        error,
        email: email.to_owned(),
        next: local_or(next, "/inbox").to_owned(),
        people: people
            .map(|person| DemoPerson {
                key: key(&person.email).to_owned(),
                name: person.name.clone(),
                role: person.role.as_str().to_owned(),
                does: wording::role_does(person.role).to_owned(),
            })
            .collect(),
    }
}

/// `olivia` of `olivia@northwind.example`.
fn key(email: &str) -> &str {
    email.split('@').next().unwrap_or_default()
}

pub async fn show(State(state): State<AppState>, Query(asked): Query<Asked>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let next = asked.next.as_deref().unwrap_or("/inbox");
    if Visit::from_request_parts(&mut parts, &state).await.is_ok() {
        return Redirect::to(local_or(next, "/inbox")).into_response();
    }
    let said = Said::of(&parts);
    let mut page = page(&state, next, "", None);
    page.shell.flash = said.map(Said::flash);
    let mut response = view::page(&page);
    if said.is_some() {
        said::forget(&mut response);
    }
    response
}

#[derive(Deserialize)]
pub struct Entry {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
    /// In the demo only: whom to be.
    sign_in_as: Option<String>,
}

pub async fn enter(
    State(state): State<AppState>,
    Extension(attempts): Extension<Arc<Attempts>>,
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    form: Result<Form<Entry>, FormRejection>,
) -> Response {
    if let Err(problem) = from_here(&headers) {
        return notice::outside(&state, &problem);
    }
    let Ok(Form(entry)) = form else {
        return refused(
            &state,
            &Entry::empty(),
            StatusCode::BAD_REQUEST,
            "The form is not complete.".to_owned(),
        );
    };
    let address = address.map(|Extension(ConnectInfo(address))| address.ip());
    let person = match &entry.sign_in_as {
        Some(key) => demo_person(&state, key).await,
        None => by_password(&state, &attempts, &Try::of(&entry.email, address), &entry).await,
    };
    match person {
        Ok(person) => match start(&state, &person).await {
            Ok(cookie) => {
                let mut response = Redirect::to(local_or(&entry.next, "/inbox")).into_response();
                response.headers_mut().append(SET_COOKIE, cookie);
                response
            }
            Err(problem) => notice::outside(&state, &problem),
        },
        Err(Refusal::Broken(problem)) => notice::outside(&state, &problem),
        Err(Refusal::No) => {
            let text = "Mail address and password do not match.".to_owned();
            refused(&state, &entry, StatusCode::UNAUTHORIZED, text)
        }
        Err(Refusal::Wait { seconds }) => {
            let text = format!("Too many failed tries. Wait {seconds} s, then try again.");
            let mut response = refused(&state, &entry, StatusCode::TOO_MANY_REQUESTS, text);
            response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
            response
        }
    }
}

impl Entry {
    fn empty() -> Self {
        Self { email: String::new(), password: String::new(), next: String::new(), sign_in_as: None }
    }
}

fn refused(state: &AppState, entry: &Entry, status: StatusCode, error: String) -> Response {
    let email: String = entry.email.chars().take(200).collect();
    let mut response = view::page(&page(state, &entry.next, &email, Some(error)));
    *response.status_mut() = status;
    response
}

enum Refusal {
    /// The same for a wrong password, an unknown address, and a person without a password.
    No,
    Wait {
        seconds: u64,
    },
    Broken(Problem),
}

impl From<bursar_engine::Error> for Refusal {
    fn from(error: bursar_engine::Error) -> Self {
        Self::Broken(error.into())
    }
}

async fn demo_person(state: &AppState, wanted: &str) -> Result<Person, Refusal> {
    let known = state.demo.iter().flat_map(|demo| &demo.people).find(|person| key(&person.email) == wanted);
    let Some(known) = known else { return Err(Refusal::No) };
    let person = state.engine.person_by_email(&known.email).await?;
    person.filter(|person| !person.disabled).ok_or(Refusal::No)
}

async fn by_password(
    state: &AppState,
    attempts: &Attempts,
    attempt: &Try,
    entry: &Entry,
) -> Result<Person, Refusal> {
    let now = || state.engine.clocks().machine();
    if let Some(wait) = attempts.must_wait(attempt, now()) {
        return Err(Refusal::Wait { seconds: wait.as_secs().max(1) });
    }
    let known = state.engine.person_by_email(entry.email.trim()).await?.filter(|person| !person.disabled);
    let kept = known.as_ref().and_then(|person| person.password_hash.clone());
    // Closed never: the semaphore lives as long as the router.
    let turn = attempts.hashing.acquire().await;
    let fits = password::fits(entry.password.clone(), kept).await;
    drop(turn);
    if let Some(person) = known.filter(|_| fits) {
        attempts.succeeded(attempt);
        return Ok(person);
    }
    attempts.failed(attempt, now());
    metrics::counter!("bursar_sign_ins_failed_total").increment(1);
    Err(Refusal::No)
}

/// Begins a session; answers its cookie.
async fn start(state: &AppState, person: &Person) -> Result<HeaderValue, Problem> {
    let engine = &state.engine;
    let (id, csrf) =
        (hex::encode(engine.entropy().bytes::<32>()), hex::encode(engine.entropy().bytes::<32>()));
    let now = engine.clocks().machine().micros();
    let session = Session {
        hash: hash_of(&id),
        person: person.id.clone(),
        csrf,
        seen_at: now,
        expires_at: now.saturating_add(SESSION_MAX_S * 1_000_000),
    };
    let actor = Actor::Person { id: person.id.clone(), name: person.name.clone() };
    engine.add_session(&actor, session).await?;
    cookie(state, &id, SESSION_MAX_S)
}

fn cookie(state: &AppState, id: &str, max_age_s: i64) -> Result<HeaderValue, Problem> {
    let secure = if state.secure_cookies { "; Secure" } else { "" };
    let name = cookie_name(state.secure_cookies);
    HeaderValue::from_str(&format!(
        "{name}={id}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Lax{secure}"
    ))
    .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "no session could be made"))
}

pub async fn leave(Posted { visit, .. }: Posted<Nothing>) -> Response {
    let ended = visit.engine().end_session(&visit.session.hash).await;
    if let Err(error) = ended {
        return visit.answer(Err(error.into())).await;
    }
    let mut response = Said::SignedOut.with(Redirect::to("/login").into_response());
    if let Ok(gone) = cookie(&visit.state, "", 0) {
        response.headers_mut().append(SET_COOKIE, gone);
    }
    response
}

/// The person says once more who they are: on approving their own proposal, where the installation allows that.
pub(super) async fn again(visit: &Visit, attempts: &Attempts, password: &str) -> Result<(), Problem> {
    let person = visit.engine().person(&visit.caller.person).await?;
    let person = person.ok_or_else(|| Problem::forbidden("you are no longer here"))?;
    let entry = Entry {
        email: person.email.clone(),
        password: password.to_owned(),
        next: String::new(),
        sign_in_as: None,
    };
    match by_password(&visit.state, attempts, &Try::of(&person.email, None), &entry).await {
        Ok(_) => Ok(()),
        Err(Refusal::Broken(problem)) => Err(problem),
        Err(Refusal::No) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "password_wrong",
            "The password does not fit. Nothing was decided.",
        )),
        Err(Refusal::Wait { seconds }) => Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_tries",
            format!("Too many failed tries. Wait {seconds} s. Nothing was decided."),
        )),
    }
}
