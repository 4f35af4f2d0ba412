//! One signed-in person looking at one page: who they are, what surrounds the page, and how it is answered. Whoever is
//! not signed in is led to the sign-in and back.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use bursar_domain::lane::Lane;
use bursar_engine::{Engine, Waiting};
use bursar_store::people::Session;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::reading::{Reading, amount_of, clock_text};
use super::said::{self, Said};
use super::view::{Amount, Counts, Demo, LaneLabel, Section, Shell, Stamp, Visitor};
use super::{local_path, notice};
use crate::http::auth::{Caller, SignedIn};
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// What stands unescaped in a value of a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/');

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

pub struct Visit {
    pub(super) state: AppState,
    pub(super) caller: Caller,
    pub(super) session: Session,
    said: Option<Said>,
    /// Where a page that says why not leads.
    pub(super) back: String,
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let signed_in: Result<Option<SignedIn>, Problem> =
            <SignedIn as OptionalFromRequestParts<AppState>>::from_request_parts(parts, state).await;
        match signed_in {
            Ok(Some(SignedIn { caller, session })) => Ok(Self {
                state: state.clone(),
                caller,
                session,
                said: Said::of(parts),
                back: "/inbox".to_owned(),
            }),
            Err(problem) if problem.status.is_server_error() => Err(notice::outside(state, &problem)),
            // The session is over, or its owner is no longer here.
            Ok(None) | Err(_) => Err(to_sign_in(parts)),
        }
    }
}

fn to_sign_in(parts: &Parts) -> Response {
    let path = parts.uri.path_and_query().map_or("/inbox", |path| path.as_str());
    let path = if parts.method == Method::GET { local_path::local_or(path, "/inbox") } else { "/inbox" };
    if path == "/inbox" {
        return Redirect::to("/login").into_response();
    }
    Redirect::to(&format!("/login?next={}", encoded(path))).into_response()
}

/// What a person should know on every page.
#[derive(Default)]
pub(super) struct Survey {
    /// Everything that waits for anybody.
    pub(super) waiting: Vec<Waiting>,
    pub(super) dead_letters: i64,
}

impl Visit {
    pub(super) fn engine(&self) -> &Engine {
        &self.state.engine
    }

    /// A form was sent from this page.
    pub(super) fn back_to(self, path: &str) -> Self {
        Self { back: local_path::local_or(path, "/inbox").to_owned(), ..self }
    }

    pub(super) fn reading(&self) -> Reading {
        Reading::business(self.engine().clocks().business())
    }

    pub(super) async fn survey(&self) -> Result<Survey, Problem> {
        Ok(Survey {
            waiting: self.engine().waiting(&self.caller.viewer()).await?,
            dead_letters: self.engine().dead_letter_count().await?,
        })
    }

    pub(super) fn shell(&self, title: impl Into<String>, section: Section, survey: &Survey) -> Shell {
        let roles: Vec<&str> = self.caller.roles.iter().map(|role| role.as_str()).collect();
        Shell {
            title: title.into(),
            section,
            visitor: Some(Visitor { name: self.caller.name.clone(), role: roles.join(", ") }),
            lane: self.lane(),
            demo: demo(&self.state),
            csrf: self.session.csrf.clone(),
            counts: counts(survey),
            flash: self.said.map(Said::flash),
        }
    }

    /// The lane that pages without one of their own stand in.
    fn lane(&self) -> Option<LaneLabel> {
        let lanes = self.engine().lane_names();
        let (lane, name) = lanes.first()?;
        let mut label = lane_label(lane, name);
        if lanes.len() > 1 {
            label.name = format!("{} and {} more", label.name, lanes.len() - 1);
        }
        Some(label)
    }

    pub(super) fn lane_of(&self, lane: &str) -> LaneLabel {
        let names = self.engine().lane_names();
        let name = names.iter().find(|(known, _)| known == lane).map_or("", |(_, name)| name.as_str());
        lane_label(lane, name)
    }

    /// A page, or the page that says why not.
    pub(super) async fn answer(&self, result: Result<Response, Problem>) -> Response {
        let mut response = match result {
            Ok(response) => response,
            Err(problem) => notice::inside(self, &problem).await,
        };
        if self.said.is_some() && response.status().is_success() {
            said::forget(&mut response);
        }
        response
    }
}

pub(super) fn demo(state: &AppState) -> Option<Demo> {
    let demo = state.demo.as_ref()?;
    let now = state.engine.clocks().business();
    let speed = if demo.speed == 0 { "paused".to_owned() } else { format!("{} × real time", demo.speed) };
    Some(Demo { now: Stamp::new(bursar_engine::cards::rfc3339(now), clock_text(now)), speed })
}

fn lane_label(lane: &str, name: &str) -> LaneLabel {
    let parsed: Option<Lane> = lane.parse().ok();
    let account = parsed.as_ref().map_or_else(|| lane.to_owned(), |lane| lane.account.as_str().to_owned());
    // What cannot be read is treated as real money.
    let livemode = parsed.is_none_or(|lane| lane.livemode);
    let name = if name.is_empty() { account.clone() } else { super::wording::capitalised(name) };
    LaneLabel { name, account, livemode }
}

fn counts(survey: &Survey) -> Counts {
    let mine: Vec<&Waiting> = survey.waiting.iter().filter(|waiting| waiting.for_viewer).collect();
    Counts {
        needs_me: u32::try_from(mine.len()).unwrap_or(u32::MAX),
        at_stake: sums(mine.iter().map(|waiting| &waiting.case)),
        dead_letters: u32::try_from(survey.dead_letters).unwrap_or(0),
    }
}

/// What cases are worth together, one amount a currency.
pub(super) fn sums<'a>(cases: impl Iterator<Item = &'a Value>) -> Vec<Amount> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for case in cases {
        if let (Some(minor), Some(currency)) = (case["amount"].as_i64(), case["currency"].as_str()) {
            let sum = sums.entry(currency).or_default();
            *sum = sum.saturating_add(minor);
        }
    }
    sums.into_iter()
        .filter(|(_, minor)| *minor != 0)
        .filter_map(|(currency, minor)| amount_of(Some(minor), Some(currency)))
        .collect()
}
