//! Who decides, who may not and why, and who has already said what.

use bursar_domain::approval::{ApprovalState, Choice, Voter, may_decide};
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_store::people::Person;
use serde_json::{Value, json};

use super::{Sources, rfc3339};
use crate::approve::{counted_roles, question};

/// Requirements with the people who could meet them; names are listed while a decision is open.
pub(super) fn document(from: &Sources<'_>) -> Value {
    let question = question(from.approval, from.single_operator);
    let voters = yes_of(from);
    let open = from.approval.state == ApprovalState::Open;
    let may = |person: &Person| {
        let voter = Voter { person: person.id.clone(), roles: person.roles.clone() };
        may_decide(&question, &voter, &voters, from.now).is_ok()
    };
    let people = |role: Role| -> Vec<&str> {
        active(from)
            .filter(|person| open && person.roles.contains(&role) && may(person))
            .map(|person| person.name.as_str())
            .collect()
    };
    let requirements: Vec<Value> = from
        .approval
        .requirements
        .iter()
        .map(|asked| {
            json!({
                "role": asked.role.as_str(),
                "quorum": asked.quorum,
                "yes": voters.iter().filter(|voter| voter.roles.contains(&asked.role)).count(),
                "people": people(asked.role),
            })
        })
        .collect();
    let excluded: Vec<Value> = active(from)
        .filter(|person| from.approval.makers.contains(&person.id) && !from.single_operator)
        .map(|person| json!({"name": person.name, "why": maker(from, person)}))
        .collect();
    json!({"requirements": requirements, "excluded": excluded})
}

fn active<'a>(from: &Sources<'a>) -> impl Iterator<Item = &'a Person> {
    from.people.iter().filter(|person| !person.disabled)
}

fn maker(from: &Sources<'_>, person: &Person) -> &'static str {
    use bursar_domain::actor::Actor;
    match &from.proposal.actor {
        Actor::Person { id, .. } if *id == person.id => "asked for it",
        Actor::ApiKey { .. } => "owns the key that asked for it",
        Actor::Agent { .. } => "owns the agent that asked for it",
        Actor::Playbook { .. } => "changed the settings that proposed it",
        Actor::Person { .. } | Actor::Engine => "stands behind it",
    }
}

/// In the order they were cast.
pub(crate) fn votes(from: &Sources<'_>) -> Vec<Value> {
    let asked = |role: &Role| from.approval.requirements.iter().any(|requirement| requirement.role == *role);
    from.votes
        .iter()
        .map(|vote| {
            let person = from.people.iter().find(|person| person.id == vote.person);
            let role = vote.roles.iter().find(|role| asked(role));
            json!({"name": person.map(|person| person.name.as_str()), "role": role.map(|role| role.as_str()),
                "choice": vote.choice.as_str(), "reason": vote.reason, "method": vote.method,
                "at": rfc3339(BusinessTime::from_micros(vote.at))})
        })
        .collect()
}

fn yes_of(from: &Sources<'_>) -> Vec<Voter> {
    let yes = from.votes.iter().filter(|vote| vote.choice == Choice::Approve);
    yes.map(|vote| {
        let person = from.people.iter().find(|person| person.id == vote.person);
        Voter { person: vote.person.clone(), roles: counted_roles(vote, person) }
    })
    .collect()
}
