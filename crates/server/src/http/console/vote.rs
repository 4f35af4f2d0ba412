//! A vote: a person's yes or no to the digest they were shown. Never a GET, never without the form's token.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use bursar_domain::approval::{Choice, Tally};
use bursar_domain::id::ApprovalId;
use bursar_engine::VoteCast;
use serde::Deserialize;

use super::attempts::Attempts;
use super::documents::{self, ApprovalDocument};
use super::local_path::local_or;
use super::posted::Posted;
use super::said::Said;
use super::sign_in;
use super::visit::Visit;
use crate::http::problem::Problem;

#[derive(Deserialize)]
pub struct Ballot {
    digest: String,
    reason: Option<String>,
    #[serde(default)]
    return_to: String,
    password: Option<String>,
}

const REASON_CHARS_MAX: usize = 500;

/// Without the space around them; blank ones are none.
fn words(text: Option<&str>) -> Option<String> {
    let words = text.unwrap_or_default().trim();
    (!words.is_empty()).then(|| words.chars().take(REASON_CHARS_MAX).collect())
}

pub async fn approve(
    Extension(attempts): Extension<Arc<Attempts>>,
    Path(id): Path<String>,
    posted: Posted<Ballot>,
) -> Response {
    cast(&attempts, &id, posted, Choice::Approve).await
}

pub async fn reject(
    Extension(attempts): Extension<Arc<Attempts>>,
    Path(id): Path<String>,
    posted: Posted<Ballot>,
) -> Response {
    cast(&attempts, &id, posted, Choice::Reject).await
}

async fn cast(attempts: &Attempts, id: &str, posted: Posted<Ballot>, choice: Choice) -> Response {
    let Posted { visit, fields } = posted;
    let visit = visit.back_to(&format!("/approvals/{id}"));
    let counted = count(&visit, attempts, id, fields, choice).await;
    visit.answer(counted).await
}

async fn count(
    visit: &Visit,
    attempts: &Attempts,
    id: &str,
    ballot: Ballot,
    choice: Choice,
) -> Result<Response, Problem> {
    let id: ApprovalId = id.parse().map_err(|_| Problem::not_found("approval"))?;
    if choice == Choice::Approve {
        second_sign_in(visit, attempts, &id, ballot.password.as_deref()).await?;
    }
    let caller = &visit.caller;
    let tally = visit
        .engine()
        .vote(VoteCast {
            approval: id.clone(),
            person: caller.person.clone(),
            name: caller.name.clone(),
            roles: caller.roles.clone(),
            choice,
            digest: ballot.digest,
            reason: words(ballot.reason.as_deref()),
            method: caller.method.to_owned(),
        })
        .await?;
    let said = match tally {
        Tally::Met => Said::Approved,
        Tally::Open => Said::Counted,
        Tally::Refused => Said::Rejected,
    };
    let own = format!("/approvals/{id}");
    Ok(said.with(Redirect::to(local_or(&ballot.return_to, &own)).into_response()))
}

/// Where a single operator decides on their own proposal they say once more who they are.
async fn second_sign_in(
    visit: &Visit,
    attempts: &Attempts,
    id: &ApprovalId,
    password: Option<&str>,
) -> Result<(), Problem> {
    if !visit.engine().is_single_operator() {
        return Ok(());
    }
    let viewer = visit.caller.viewer();
    let document: ApprovalDocument = documents::read(visit.engine().approval(id, Some(&viewer)).await?)?;
    if !document.second_sign_in {
        return Ok(());
    }
    sign_in::again(visit, attempts, password.unwrap_or_default()).await
}
