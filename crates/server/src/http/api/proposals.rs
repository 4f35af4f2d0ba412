//! What is in doubt: another look, and a controller's word on what became of it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bursar_domain::id::ProposalId;
use bursar_domain::role::Role;
use bursar_engine::{Settlement, Truth};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::id;
use super::once::once;
use super::path::Path;
use crate::http::auth::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Looking sends nothing.
pub const LOOKERS: &[Role] = &[Role::Operator, Role::Controller, Role::Platform];
/// Words of a settlement are kept up to here.
pub const REASON_CHARS_MAX: usize = 1_000;

pub async fn look_again(
    State(state): State<AppState>,
    caller: Caller,
    Path(proposal): Path,
) -> Result<Json<Value>, Problem> {
    caller.require(LOOKERS)?;
    let proposal: ProposalId = id(&proposal, "proposal")?;
    state.engine.look_again(&caller.actor, &proposal).await?;
    Ok(Json(json!({"object": "proposal", "id": proposal.as_str(), "state": "in_doubt", "looking": true})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleBody {
    happened: bool,
    /// What came of it at Stripe, such as `re_…`.
    object: Option<String>,
    /// What the person looked at.
    reason: String,
}

pub async fn settle(
    State(state): State<AppState>,
    caller: Caller,
    Path(proposal): Path,
    headers: HeaderMap,
    body: Body<SettleBody>,
) -> Result<Response, Problem> {
    let proposal: ProposalId = id(&proposal, "proposal")?;
    if !caller.may_vote {
        let why = "only people say what became of it, with a token of their own; nothing was changed";
        return Err(Problem::forbidden(why));
    }
    caller.require(&[Role::Controller])?;
    let Body { value, bytes } = body;
    let path = format!("settle {proposal}");
    let (engine, speaker) = (state.engine.clone(), caller.clone());
    let answer = move |_| async move {
        let (truth, word) = match (value.happened, value.object) {
            (true, object) => (Truth::Happened { object }, "done"),
            (false, None) => (Truth::DidNotHappen, "no_effect"),
            (false, Some(_)) => {
                let why = "what did not happen left no object; nothing was changed";
                return Err(Problem::unprocessable("object", why));
            }
        };
        let settlement = Settlement {
            proposal: proposal.clone(),
            person: speaker.person.clone(),
            name: speaker.name.clone(),
            roles: speaker.roles.clone(),
            truth,
            reason: value.reason.chars().take(REASON_CHARS_MAX).collect(),
            method: speaker.method.to_owned(),
        };
        engine.settle_by_hand(settlement).await?;
        Ok((StatusCode::OK, json!({"object": "proposal", "id": proposal.as_str(), "state": word})))
    };
    once(&state, &caller, &headers, (&path, &bytes), answer).await
}
