//! Approvals and votes. A vote is a POST by a person with their own token; an agent's token never votes.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bursar_domain::approval::Choice;
use bursar_domain::id::ApprovalId;
use bursar_engine::{RefusedVote, VoteCast};
use serde::Deserialize;
use serde_json::Value;

use super::body::Body;
use super::once::once;
use super::path::Path;
use super::query::Query;
use super::{id, list as page_of};
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&["status", "limit", "starting_after"])?;
    let after: Option<ApprovalId> = query.cursor()?;
    let viewer = caller.viewer();
    let page =
        state.engine.approvals(query.get("status"), after.as_ref(), query.limit()?, Some(&viewer)).await;
    let page = page.map_err(Problem::in_query)?;
    Ok(page_of("/api/v1/approvals", page))
}

pub async fn show(
    State(state): State<AppState>,
    caller: Caller,
    Path(approval): Path,
    query: Query,
) -> Result<Json<Value>, Problem> {
    query.only(&[])?;
    Ok(Json(state.engine.approval(&id(&approval, "approval")?, Some(&caller.viewer())).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteBody {
    /// The digest of the card that was shown: people vote on that and on nothing else.
    digest: String,
    reason: Option<String>,
}

/// Words of a vote are kept up to here.
const REASON_CHARS_MAX: usize = 1_000;

/// Without the space around them; blank ones are none.
fn words(text: Option<&str>) -> Option<String> {
    let words = text.unwrap_or_default().trim();
    (!words.is_empty()).then(|| words.chars().take(REASON_CHARS_MAX).collect())
}

pub async fn approve(
    State(state): State<AppState>,
    caller: Caller,
    Path(approval): Path,
    headers: HeaderMap,
    body: Body<VoteBody>,
) -> Result<Response, Problem> {
    vote(&state, caller, &approval, &headers, body, Choice::Approve).await
}

pub async fn reject(
    State(state): State<AppState>,
    caller: Caller,
    Path(approval): Path,
    headers: HeaderMap,
    body: Body<VoteBody>,
) -> Result<Response, Problem> {
    vote(&state, caller, &approval, &headers, body, Choice::Reject).await
}

async fn vote(
    state: &AppState,
    caller: Caller,
    approval: &str,
    headers: &HeaderMap,
    body: Body<VoteBody>,
    choice: Choice,
) -> Result<Response, Problem> {
    let approval: ApprovalId = id(approval, "approval")?;
    if !caller.may_vote {
        return refuse_machine(state, caller, approval, choice).await;
    }
    let Body { value, bytes } = body;
    let path = format!("{} {approval}", choice.as_str());
    let (engine, voter) = (state.engine.clone(), caller.clone());
    let answer = move |_| async move {
        let shown = engine.approval(&approval, Some(&voter.viewer())).await?;
        if choice == Choice::Approve && shown["second_sign_in"] == true {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "second_sign_in",
                "you asked for this yourself: approve it in the console, where you sign in once more; nothing was decided",
            ));
        }
        let cast = VoteCast {
            approval: approval.clone(),
            person: voter.person.clone(),
            name: voter.name.clone(),
            roles: voter.roles.clone(),
            choice,
            digest: value.digest,
            reason: words(value.reason.as_deref()),
            method: voter.method.to_owned(),
        };
        engine.vote(cast).await?;
        let document = engine.approval(&approval, Some(&voter.viewer())).await?;
        Ok((StatusCode::OK, document))
    };
    once(state, &caller, headers, (&path, &bytes), answer).await
}

/// Agents and API keys propose. What they tried is recorded under their own name.
async fn refuse_machine(
    state: &AppState,
    caller: Caller,
    approval: ApprovalId,
    choice: Choice,
) -> Result<Response, Problem> {
    let vote = RefusedVote {
        approval,
        actor: caller.actor,
        choice,
        method: caller.method.to_owned(),
        why: "not_a_person",
    };
    state.engine.record_refused_vote(vote).await?;
    Err(Problem::forbidden("only people vote, with a token of their own; nothing was decided"))
}
