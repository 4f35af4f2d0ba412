//! `/help/errors/{code}`: what a public code means, what did not happen to money, and what to try.

use axum::extract::{Path, State};
use axum::response::Response;

use super::sign_in::outside_shell;
use super::view::{self, HelpBlock, HelpPage, Section};
use super::visit::{Survey, Visit};
use crate::cli::code::Code;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Codes of HTTP answers: what each means and what to try. None of them moved money.
const ANSWERS: [(&str, &str); 39] = [
    (
        "already_voted",
        "One person has one vote on an approval, and yours was counted before. Others are still asked.",
    ),
    (
        "amount_too_large",
        "More was asked for than is left of the charge. Ask for what is left, or leave the amount out.",
    ),
    ("approval_decided", "Somebody decided before you. The approval's page shows what they said."),
    (
        "approval_expired",
        "Nobody decided in time, so it was refused by itself. Ask again if it is still wanted.",
    ),
    (
        "blocked_by_policy",
        "A policy forbids it, or none permits it. The answer names the policies; `bursar policy check` reads them.",
    ),
    ("body_timeout", "The body did not arrive in time. Nothing was done; send it again in one go."),
    ("body_too_large", "The body is larger than any request of this API. Send less."),
    (
        "busy",
        "More requests of this sort came than can be worked on. Nothing was done; come again in a moment.",
    ),
    (
        "clock_wrong",
        "The machine's clock cannot be right: it stands before anything was recorded. No vote was counted and nothing is \
         sent until it is. Set the clock; if it was ahead before and is right now, start with `bursar serve --accept-clock`.",
    ),
    ("conflict", "Somebody else was faster, and your change was not made. Look again at how it stands now."),
    (
        "cross_origin",
        "A browser sent this form from another site. Open the page here and send it from there.",
    ),
    (
        "digest_changed",
        "What you voted on is not what stands now. Read the card again; the new digest stands on it.",
    ),
    ("forbidden", "None of your roles may do this. The answer says which role may."),
    ("form_expired", "The form belonged to another session. Open the page again and send it from there."),
    ("host_missing", "The request names no host. Send a Host header."),
    ("host_unknown", "This server does not go by that name. Use its own address, or configure the name."),
    (
        "idempotency_error",
        "The key was first used with another request. Use a new key for a different request.",
    ),
    (
        "idempotency_key_in_use",
        "A request with this key is being answered right now. Come again in a moment.",
    ),
    (
        "internal",
        "Something is broken here and is written to the log with this request's id. It is safe to try again.",
    ),
    ("method_not_allowed", "This path takes another method; `Allow` says which. Nothing was done."),
    (
        "not_compared",
        "The database is a restored copy and was not compared with Stripe completely, twice and a minute apart. The message \
         says what is missing. Nothing leaves meanwhile.",
    ),
    (
        "not_in_doubt",
        "What became of it is known by now: another look found it, or somebody settled it. Its case says which.",
    ),
    ("not_refundable", "Nothing of this charge is left to refund, or it is disputed."),
    (
        "nothing_held",
        "The database is no restored copy, or somebody cleared it already. Nothing was changed.",
    ),
    (
        "own_proposal",
        "Nobody decides on what they, their key or their agent asked for. Somebody else with the role can.",
    ),
    ("parameter_invalid", "A parameter cannot be meant as it stands. The answer names it and says why."),
    (
        "password_wrong",
        "The address and the password do not fit together. Nobody is told which of the two is wrong.",
    ),
    ("reason_missing", "A rejection goes back to whoever asked, so it needs a reason."),
    ("resource_missing", "There is no such thing here, or not on this lane. Check the id."),
    (
        "restored_copy",
        "The database is a restored copy that does not know everything that was done. Nothing is sent until it was compared \
         with Stripe and a controller has cleared it: `bursar db reconcile`.",
    ),
    ("role_not_asked", "This approval asks other roles than yours. Its card lists who may decide."),
    (
        "second_sign_in",
        "You asked for this yourself. Approve it in the console, where you sign in once more.",
    ),
    (
        "stripe_key_refused",
        "Stripe does not accept the key, or the account does not accept Bursar any more. Nothing was changed. Look at the \
         key in Stripe's Dashboard; `bursar doctor` asks again.",
    ),
    (
        "stripe_permission_missing",
        "Stripe accepts the key, and the key may not do this. The message names the permission. Nothing was changed, and \
         what waits for it goes on by itself once the permission is granted in Stripe's Dashboard. `bursar doctor` lists \
         every permission that is missing.",
    ),
    ("stripe_refused", "Stripe refused a read that is needed first. The message says why."),
    (
        "stripe_unavailable",
        "Stripe does not answer, or asks for patience. Nothing was changed; come again after Retry-After.",
    ),
    ("too_many_tries", "There were too many failed tries. Wait a few minutes, then sign in again."),
    (
        "unauthorized",
        "The token is missing, unknown, expired or revoked. Send another as `Authorization: Bearer …`.",
    ),
    (
        "unavailable",
        "Not now: the store or Stripe does not answer. What was accepted is kept; come again after Retry-After.",
    ),
];

pub async fn show(
    State(state): State<AppState>,
    visit: Result<Visit, Response>,
    Path(code): Path<String>,
) -> Response {
    let Some((name, text)) = page_of(&code) else {
        let problem = Problem::not_found("error code");
        return match visit {
            Ok(visit) => visit.answer(Err(problem)).await,
            Err(_) => super::notice::outside(&state, &problem),
        };
    };
    let shell = match &visit {
        Ok(visit) => visit.shell(
            name.clone(),
            Section::Outside,
            &visit.survey().await.unwrap_or_else(|_| Survey::default()),
        ),
        Err(_) => outside_shell(&state, &name),
    };
    view::page(&HelpPage { shell, blocks: HelpBlock::read(&text), title: name })
}

/// Name and text: the binary's own page for its codes, else the table above.
fn page_of(code: &str) -> Option<(String, String)> {
    if let Ok(code) = code.parse::<Code>() {
        return Some((code.as_str().to_owned(), code.page().trim().to_owned()));
    }
    ANSWERS
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(known, text)| ((*known).to_owned(), (*text).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_kinds_are_explained_and_others_are_not() {
        assert!(page_of("approval_expired").is_some());
        assert!(page_of("BUR-CFG-012").is_some_and(|(_, text)| text.contains("BUR-CFG-012")));
        assert!(page_of("<script>").is_none());
    }

    #[test]
    fn the_table_is_sorted_and_has_no_code_twice() {
        assert!(ANSWERS.is_sorted_by(|one, other| one.0 < other.0));
    }
}
