//! The question put to people about one digest, and what a vote does to it.

use serde::{Deserialize, Serialize};

use crate::id::PersonId;
use crate::role::Role;
use crate::time::BusinessTime;
use crate::verdict::Requirement;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    Open,
    Met,
    Refused,
    Void,
    Expired,
}

impl ApprovalState {
    pub fn as_str(self) -> &'static str {
        match self {
            ApprovalState::Open => "open",
            ApprovalState::Met => "met",
            ApprovalState::Refused => "refused",
            ApprovalState::Void => "void",
            ApprovalState::Expired => "expired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        use ApprovalState::{Expired, Met, Open, Refused, Void};
        [Open, Met, Refused, Void, Expired].into_iter().find(|state| state.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    Approve,
    Reject,
}

impl Choice {
    pub fn as_str(self) -> &'static str {
        match self {
            Choice::Approve => "approve",
            Choice::Reject => "reject",
        }
    }
}

/// A person who votes, with the roles they hold at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    pub person: PersonId,
    pub roles: Vec<Role>,
}

/// What an approval is about and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    pub digest: &'a str,
    pub state: ApprovalState,
    pub requirements: &'a [Requirement],
    /// The people behind the proposal; they may not vote, unless the installation has a single operator.
    pub makers: &'a [PersonId],
    pub single_operator: bool,
    pub expires_at: BusinessTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoteError {
    #[error("the approval is already decided; your vote was not counted")]
    Decided,
    #[error("the approval has expired; nothing was sent")]
    Expired,
    #[error("what you were shown is not what stands now; nothing was decided")]
    DigestChanged,
    #[error("you have already voted on this approval")]
    AlreadyVoted,
    #[error("nobody decides on what they proposed themselves")]
    Maker,
    #[error("none of your roles is asked here")]
    NotAsked,
    #[error("a rejection needs a reason")]
    ReasonMissing,
}

impl VoteError {
    /// A stable name for scripts, metrics and the audit.
    pub fn code(self) -> &'static str {
        match self {
            VoteError::Decided => "approval_decided",
            VoteError::Expired => "approval_expired",
            VoteError::DigestChanged => "digest_changed",
            VoteError::AlreadyVoted => "already_voted",
            VoteError::Maker => "own_proposal",
            VoteError::NotAsked => "role_not_asked",
            VoteError::ReasonMissing => "reason_missing",
        }
    }
}

/// What a vote leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    Open,
    Met,
    Refused,
}

/// Whether this person may decide at all, whatever they would say.
pub fn may_decide(
    question: &Question<'_>,
    voter: &Voter,
    earlier: &[Voter],
    now: BusinessTime,
) -> Result<(), VoteError> {
    match question.state {
        ApprovalState::Open if now >= question.expires_at => return Err(VoteError::Expired),
        ApprovalState::Open => {}
        ApprovalState::Expired => return Err(VoteError::Expired),
        ApprovalState::Met | ApprovalState::Refused | ApprovalState::Void => return Err(VoteError::Decided),
    }
    if question.makers.contains(&voter.person) && !question.single_operator {
        return Err(VoteError::Maker);
    }
    if !question.requirements.iter().any(|asked| voter.roles.contains(&asked.role)) {
        return Err(VoteError::NotAsked);
    }
    if earlier.iter().any(|other| other.person == voter.person) {
        return Err(VoteError::AlreadyVoted);
    }
    Ok(())
}

/// Counts one more vote. `earlier` are the yes votes so far, with the roles those people hold now.
pub fn cast(
    question: &Question<'_>,
    voter: &Voter,
    choice: Choice,
    digest: &str,
    reason: Option<&str>,
    earlier: &[Voter],
    now: BusinessTime,
) -> Result<Tally, VoteError> {
    may_decide(question, voter, earlier, now)?;
    if digest != question.digest {
        return Err(VoteError::DigestChanged);
    }
    if choice == Choice::Reject {
        // One rejection ends it.
        return match reason.map(str::trim) {
            Some(text) if !text.is_empty() => Ok(Tally::Refused),
            _ => Err(VoteError::ReasonMissing),
        };
    }
    let mut voters = earlier.to_vec();
    voters.push(voter.clone());
    Ok(if is_met(question.requirements, &voters) { Tally::Met } else { Tally::Open })
}

/// Whether yes votes cover every requirement. One person fills at most one seat, even with two roles.
pub fn is_met(requirements: &[Requirement], voters: &[Voter]) -> bool {
    let seats: Vec<Role> = requirements
        .iter()
        .flat_map(|asked| std::iter::repeat_n(asked.role, asked.quorum as usize))
        .collect();
    // An approval that asks nobody is never met: fail closed.
    if seats.is_empty() || voters.len() < seats.len() {
        return false;
    }
    let mut taken = vec![None; voters.len()];
    (0..seats.len()).all(|seat| seat_person(seat, &seats, voters, &mut taken, &mut vec![false; voters.len()]))
}

/// Augmenting path of a bipartite matching: finds somebody for `seat`, moving others to seats they also fit.
fn seat_person(
    seat: usize,
    seats: &[Role],
    voters: &[Voter],
    taken: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for person in 0..voters.len() {
        if seen[person] || !voters[person].roles.contains(&seats[seat]) {
            continue;
        }
        seen[person] = true;
        let free = match taken[person] {
            None => true,
            Some(other) => seat_person(other, seats, voters, taken, seen),
        };
        if free {
            taken[person] = Some(seat);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(n: u8, roles: &[Role]) -> Voter {
        Voter { person: PersonId::from_entropy([n; 16]), roles: roles.to_vec() }
    }

    fn ask(role: Role, quorum: u32) -> Requirement {
        Requirement { role, quorum }
    }

    fn question<'a>(requirements: &'a [Requirement], makers: &'a [PersonId]) -> Question<'a> {
        Question {
            digest: "d",
            state: ApprovalState::Open,
            requirements,
            makers,
            single_operator: false,
            expires_at: BusinessTime::from_unix_s(100),
        }
    }

    fn vote(question: &Question<'_>, voter: &Voter, earlier: &[Voter]) -> Result<Tally, VoteError> {
        cast(question, voter, Choice::Approve, "d", None, earlier, BusinessTime::from_unix_s(50))
    }

    #[test]
    fn one_controller_meets_one_seat() {
        let needs = [ask(Role::Controller, 1)];
        let question = question(&needs, &[]);
        assert_eq!(vote(&question, &voter(1, &[Role::Controller]), &[]), Ok(Tally::Met));
        assert_eq!(vote(&question, &voter(1, &[Role::Operator]), &[]), Err(VoteError::NotAsked));
    }

    #[test]
    fn a_person_with_two_roles_fills_one_seat_and_moves_where_needed() {
        let needs = [ask(Role::Operator, 1), ask(Role::Controller, 1)];
        let question = question(&needs, &[]);
        let both = voter(1, &[Role::Operator, Role::Controller]);
        assert_eq!(vote(&question, &both, &[]), Ok(Tally::Open));
        assert_eq!(
            vote(&question, &voter(2, &[Role::Operator]), std::slice::from_ref(&both)),
            Ok(Tally::Met)
        );
        assert_eq!(vote(&question, &voter(2, &[Role::Controller]), &[both]), Ok(Tally::Met));
    }

    #[test]
    fn nobody_votes_twice_on_their_own_late_or_on_something_else() {
        let needs = [ask(Role::Controller, 2)];
        let carl = voter(1, &[Role::Controller]);
        let makers = [carl.person.clone()];
        assert_eq!(vote(&question(&needs, &makers), &carl, &[]), Err(VoteError::Maker));
        let open = question(&needs, &[]);
        assert_eq!(vote(&open, &carl, std::slice::from_ref(&carl)), Err(VoteError::AlreadyVoted));
        let late = BusinessTime::from_unix_s(100);
        assert_eq!(cast(&open, &carl, Choice::Approve, "d", None, &[], late), Err(VoteError::Expired));
        let now = BusinessTime::from_unix_s(1);
        assert_eq!(cast(&open, &carl, Choice::Approve, "x", None, &[], now), Err(VoteError::DigestChanged));
        assert_eq!(
            cast(&open, &carl, Choice::Reject, "d", Some(" "), &[], now),
            Err(VoteError::ReasonMissing)
        );
        assert_eq!(cast(&open, &carl, Choice::Reject, "d", Some("no"), &[], now), Ok(Tally::Refused));
        let alone = Question { single_operator: true, ..question(&needs, &makers) };
        assert_eq!(vote(&alone, &carl, &[]), Ok(Tally::Open));
    }

    #[test]
    fn an_approval_that_asks_nobody_is_never_met() {
        assert!(!is_met(&[], &[voter(1, &Role::ALL)]));
    }
}
