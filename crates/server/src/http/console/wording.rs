//! The console's words for what the engine keeps as codes: classes, states, roles, outcomes. A code nobody gave a word
//! shows as itself, readable.

use bursar_domain::role::Role;

use super::view::{ActorIcon, Icon, Status, Tone};

/// The first letter large.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `needs_new_payment_method` -> `Needs new payment method`.
pub(super) fn words(code: &str) -> String {
    capitalised(&code.replace(['_', '.'], " "))
}

pub(super) fn role_does(role: Role) -> &'static str {
    match role {
        Role::Operator => "Works the queue of failed payments",
        Role::Controller => "Decides about refunds over the limit",
        Role::Support => "Asks for refunds on behalf of customers",
        Role::Platform => "Keeps the installation healthy",
    }
}

/// What happened, in the inbox and on the case.
pub(super) fn class(code: &str) -> String {
    match code {
        "temporary_failure" => "Payment failed",
        "needs_new_payment_method" => "New payment method needed",
        "needs_authentication" => "Customer must confirm",
        "hard_decline" => "Payment refused for good",
        "high_risk" => "Payment failed, high risk",
        "unexplained" => "Unexplained decline",
        "recovered" => "Payment recovered",
        "ended" => "Nothing left to recover",
        "incomplete" => "Not enough is known",
        "refund_request" => "Refund requested",
        other => return words(other),
    }
    .to_owned()
}

/// How a case stands. `asks` when an approval is open in it.
pub(super) fn case_status(state: &str, class: Option<&str>, outcome: Option<&str>, asks: bool) -> Status {
    match state {
        _ if asks => Status::new(Tone::Warn, "Needs approval"),
        "needs_person" => Status::new(Tone::Warn, "Needs a person").with_icon(Icon::Person),
        "waiting" => Status::new(Tone::Active, "Waiting").with_icon(Icon::Clock),
        "blocked" => Status::new(Tone::Bad, "Blocked").with_icon(Icon::Warn),
        "open" => Status::new(Tone::Active, "Under way"),
        "closed" => outcome_status(class, outcome.unwrap_or_default()),
        other => Status::new(Tone::Quiet, words(other)),
    }
}

fn outcome_status(class: Option<&str>, outcome: &str) -> Status {
    match outcome {
        "done" if class == Some("refund_request") => Status::new(Tone::Good, "Refunded"),
        "done" => Status::new(Tone::Good, "Done"),
        "rejected" => Status::new(Tone::Bad, "Rejected"),
        "approval expired" => Status::new(Tone::Quiet, "Expired").with_icon(Icon::Clock),
        "refund deny" => Status::new(Tone::Bad, "Denied by policy").with_icon(Icon::Shield),
        "void" => Status::new(Tone::Quiet, "Void"),
        _ if outcome.starts_with("recovered") => Status::new(Tone::Good, "Recovered"),
        _ if outcome.starts_with("refused") => Status::new(Tone::Bad, "Refused"),
        _ => Status::new(Tone::Quiet, "Closed"),
    }
}

/// How a proposal stands.
pub(super) fn proposal_status(state: &str) -> Status {
    match state {
        "observed" => Status::new(Tone::Quiet, "Observed"),
        "denied" => Status::new(Tone::Bad, "Denied by policy").with_icon(Icon::Shield),
        "asking" => Status::new(Tone::Warn, "Needs approval"),
        "approved" => Status::new(Tone::Active, "Executing"),
        "done" => Status::new(Tone::Good, "Done"),
        "refused" => Status::new(Tone::Bad, "Refused"),
        "no_effect" => Status::new(Tone::Warn, "No effect").with_icon(Icon::Warn),
        "in_doubt" => Status::new(Tone::Bad, "In doubt").with_icon(Icon::Warn),
        "rejected" => Status::new(Tone::Bad, "Rejected"),
        "expired" => Status::new(Tone::Quiet, "Expired").with_icon(Icon::Clock),
        "void" => Status::new(Tone::Quiet, "Void"),
        other => Status::new(Tone::Quiet, words(other)),
    }
}

/// What the gate said.
pub(super) fn ruling_status(ruling: &str) -> Status {
    match ruling {
        "allow" => Status::new(Tone::Good, "Allowed"),
        "ask" => Status::new(Tone::Warn, "Asks"),
        "deny" => Status::new(Tone::Bad, "Denied"),
        _ => Status::new(Tone::Quiet, "Observed"),
    }
}

/// How an approval stands, by the API's word for it.
pub(super) fn approval_status(status: &str, as_predicted: bool) -> Status {
    match status {
        "pending" => Status::new(Tone::Warn, "Needs approval"),
        "approved" => Status::new(Tone::Active, "Executing"),
        "executed" if as_predicted => Status::new(Tone::Good, "Done"),
        "executed" => Status::new(Tone::Warn, "Differs").with_icon(Icon::Warn),
        "failed" => Status::new(Tone::Bad, "Refused"),
        "no_effect" => Status::new(Tone::Warn, "No effect").with_icon(Icon::Warn),
        "in_doubt" => Status::new(Tone::Bad, "In doubt").with_icon(Icon::Warn),
        "rejected" => Status::new(Tone::Bad, "Rejected"),
        "expired" => Status::new(Tone::Quiet, "Expired").with_icon(Icon::Clock),
        other => Status::new(Tone::Quiet, words(other)),
    }
}

pub(super) fn actor_icon(kind: &str) -> ActorIcon {
    match kind {
        "person" => ActorIcon::Person,
        "agent" => ActorIcon::Agent,
        "api_key" => ActorIcon::ApiKey,
        "playbook" => ActorIcon::Playbook,
        _ => ActorIcon::Engine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_proposal_has_a_word_of_its_own() {
        for state in bursar_domain::proposal::ProposalState::ALL {
            let status = proposal_status(state.as_str());
            assert!(!status.word.contains('_'), "{state:?}: {}", status.word);
        }
    }

    #[test]
    fn an_open_question_is_said_before_anything_else() {
        assert_eq!(case_status("open", None, None, true).word, "Needs approval");
        assert_eq!(case_status("closed", Some("refund_request"), Some("done"), false).word, "Refunded");
    }
}
