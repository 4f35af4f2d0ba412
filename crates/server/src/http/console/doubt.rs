//! What is in doubt, on the page of its case: asking for another look, and saying what became of it.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use bursar_domain::id::ProposalId;
use bursar_engine::{Settlement, Truth};
use serde::Deserialize;

use super::posted::{Nothing, Posted};
use super::said::Said;
use super::visit::Visit;
use crate::http::api::proposals::{LOOKERS, REASON_CHARS_MAX};
use crate::http::problem::Problem;

pub async fn look_again(Path((case, proposal)): Path<(String, String)>, posted: Posted<Nothing>) -> Response {
    let visit = posted.visit.back_to(&format!("/cases/{case}"));
    let asked = look(&visit, &case, &proposal).await;
    visit.answer(asked).await
}

async fn look(visit: &Visit, case: &str, proposal: &str) -> Result<Response, Problem> {
    visit.caller.require(LOOKERS)?;
    let proposal: ProposalId = proposal.parse().map_err(|_| Problem::not_found("proposal"))?;
    visit.engine().look_again(&visit.caller.actor, &proposal).await?;
    Ok(Said::LookingAgain.with(Redirect::to(&format!("/cases/{case}")).into_response()))
}

#[derive(Deserialize)]
pub struct Word {
    /// `happened` or `did_not_happen`: the button that was pressed.
    #[serde(default)]
    truth: String,
    #[serde(default)]
    object: String,
    #[serde(default)]
    reason: String,
}

pub async fn settle(Path((case, proposal)): Path<(String, String)>, posted: Posted<Word>) -> Response {
    let Posted { visit, fields } = posted;
    let visit = visit.back_to(&format!("/cases/{case}"));
    let settled = say(&visit, &case, &proposal, fields).await;
    visit.answer(settled).await
}

async fn say(visit: &Visit, case: &str, proposal: &str, word: Word) -> Result<Response, Problem> {
    let object = Some(word.object.trim().to_owned()).filter(|object| !object.is_empty());
    let truth = match word.truth.as_str() {
        "happened" => Truth::Happened { object },
        "did_not_happen" => Truth::DidNotHappen,
        _ => {
            let why = "say whether it happened; nothing was changed";
            return Err(Problem::unprocessable("truth", why));
        }
    };
    let caller = &visit.caller;
    let settlement = Settlement {
        proposal: proposal.parse().map_err(|_| Problem::not_found("proposal"))?,
        person: caller.person.clone(),
        name: caller.name.clone(),
        roles: caller.roles.clone(),
        truth,
        reason: word.reason.chars().take(REASON_CHARS_MAX).collect(),
        method: caller.method.to_owned(),
    };
    visit.engine().settle_by_hand(settlement).await?;
    Ok(Said::Settled.with(Redirect::to(&format!("/cases/{case}")).into_response()))
}
