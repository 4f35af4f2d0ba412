//! What was proposed in this case before.

use std::time::Duration;

use bursar_domain::action::VERBS;
use bursar_domain::known::PastProposal;
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct History<'a>(pub(super) &'a [PastProposal]);

pub(super) const PAY: &str = "invoice.pay";
pub(super) const MAIL: &str = "mail.send";
pub(super) const TASK: &str = "task.create";

const UNNAMED_TASK: Duration = Duration::from_hours(7 * 24);

impl<'a> History<'a> {
    /// Proposals that counted. What became void never did: the world changed first.
    fn counted(self, verb: &'static str) -> impl Iterator<Item = &'a PastProposal> {
        self.0.iter().filter(move |past| past.verb == verb && past.state != ProposalState::Void)
    }

    /// Our tries to pay the invoice.
    pub(super) fn tries(self) -> impl Iterator<Item = &'a PastProposal> {
        self.counted(PAY)
    }

    pub(super) fn letters(self) -> impl Iterator<Item = &'a PastProposal> {
        self.counted(MAIL)
    }

    /// Whether a person was asked this already. A task whose title the history does not tell stands for any, for a while.
    pub(super) fn has_task(self, title: &str, now: BusinessTime) -> bool {
        let unnamed =
            |past: &PastProposal| past.subject.is_empty() && now.since(past.proposed_at) < UNNAMED_TASK;
        self.counted(TASK).any(|past| past.subject == title || unnamed(past))
    }

    pub(super) fn open(self, verb: &'static str) -> impl Iterator<Item = &'a PastProposal> {
        self.counted(verb).filter(|past| past.state.is_open())
    }

    pub(super) fn open_verbs(self) -> Vec<&'static str> {
        VERBS.into_iter().filter(|verb| self.open(verb).next().is_some()).collect()
    }

    /// When anything was last proposed.
    pub(super) fn last_step_at(self) -> Option<BusinessTime> {
        self.0.iter().map(|past| past.proposed_at).max()
    }
}
