//! What must hold after any run, whatever happened in it: the program's word against the ledger's. What the program says
//! is read from its database; what really happened, from the fake Stripe.
//!
//! [`Evidence::breaches`] is to be asked at rest: when nothing is due, and nothing is in anybody's hands. Reading
//! ([`gather`]) and judging are apart, so that the judge can be shown to be able to say no.

mod gather;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Context as _;
use bursar_domain::proposal::ProposalState;
use bursar_domain::role::Role;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_domain::verdict::{Requirement, Ruling};
use bursar_fake_stripe::FakeStripe;
use bursar_store::Store;

/// The effects that actions ask for, as the ledger calls them. What Stripe does of its own accord beside them is no
/// business of the checker's.
const ASKED: [&str; 3] = ["refund.create", "invoice.pay", "portal_session.create"];
/// The one verb that the ledger calls otherwise.
const PORTAL: &str = "billing_portal.session.create";

/// Where to look, and what others were told.
pub(crate) struct Evidence<'a> {
    /// Opened read-only, beside the program or after it.
    pub store: &'a Store,
    pub stripe: &'a FakeStripe,
    /// Ids of events that were answered with 2xx.
    pub acknowledged: &'a BTreeSet<String>,
    /// Ids of proposals that somebody was told of, in an answer with 2xx.
    pub answered: &'a BTreeSet<String>,
    /// By which work is due that nobody did.
    pub now: (BusinessTime, MachineTime),
}

impl Evidence<'_> {
    /// Everything that is as it must never be.
    pub(crate) async fn breaches(&self) -> anyhow::Result<Vec<Breach>> {
        Ok(gather::seen(self).await.context("the evidence cannot be read")?.breaches())
    }
}

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    /// `I1` to `I8`.
    pub invariant: &'static str,
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// Everything that is judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Ids of kept events; one that is there twice stands here twice.
    events: Vec<String>,
    /// Ids of events that were answered with 2xx.
    acknowledged: BTreeSet<String>,
    /// Ids of proposals that somebody was told of.
    answered: BTreeSet<String>,
    actions: Vec<Acted>,
    effects: Vec<Effect>,
    /// What each charge took.
    captured: BTreeMap<String, i64>,
    /// The first thing that is off in the audit.
    audit: Option<String>,
    /// Jobs that gave up, and jobs that nobody did.
    left: Vec<String>,
}

/// A proposal and what came of it, as the program tells it.
#[derive(Clone, Debug)]
struct Acted {
    id: String,
    lane: String,
    verb: &'static str,
    /// Stripe's object, where the action has one.
    target: Option<String>,
    amount: Option<i64>,
    state: ProposalState,
    digest: String,
    ruling: Ruling,
    execution: Option<Sent>,
    approval: Option<Asked>,
    /// Whether a person was called.
    escalated: bool,
}

#[derive(Clone, Debug)]
struct Sent {
    key: String,
    digest: String,
    account: Option<String>,
    /// Seconds of business time.
    intended_s: i64,
    /// What the receipt names.
    object: Option<String>,
}

#[derive(Clone, Debug)]
struct Asked {
    digest: String,
    requirements: Vec<Requirement>,
    /// Who may not vote.
    makers: BTreeSet<String>,
    yes: Vec<Yes>,
}

#[derive(Clone, Debug)]
struct Yes {
    person: String,
    roles: Vec<Role>,
    digest: String,
}

/// A line of Stripe's ledger.
#[derive(Clone, Debug)]
struct Effect {
    kind: String,
    object: String,
    key: Option<String>,
    /// `metadata[bursar_action]`.
    action: Option<String>,
    amount: Option<i64>,
    charge: Option<String>,
    account: String,
    livemode: bool,
    at_s: i64,
}

impl Effect {
    /// Whether it was our doing: under a key of ours, or with our mark.
    fn is_ours(&self) -> bool {
        let keyed = self.key.as_deref().is_some_and(|key| key.starts_with("bursar_"));
        ASKED.contains(&self.kind.as_str()) && (keyed || self.action.is_some())
    }
}

impl Acted {
    /// What the ledger calls its effect, where the ledger can tell.
    fn kind(&self) -> Option<&'static str> {
        let kind = if self.verb == PORTAL { "portal_session.create" } else { self.verb };
        ASKED.into_iter().find(|asked| *asked == kind)
    }
}

impl Seen {
    pub(super) fn breaches(&self) -> Vec<Breach> {
        let mut found = Vec::new();
        let mut say = |invariant, what| found.push(Breach { invariant, what });
        self.events_once(&mut say);
        self.effects_once(&mut say);
        self.intended_and_allowed(&mut say);
        self.ends_are_true(&mut say);
        self.no_more_than_taken(&mut say);
        if let Some(off) = &self.audit {
            say("I6", off.clone());
        }
        self.right_lane(&mut say);
        self.came_to_an_end(&mut say);
        found
    }

    fn ours(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().filter(|effect| effect.is_ours())
    }

    fn effects_of(&self, action: &Acted) -> Vec<&Effect> {
        let key = action.execution.as_ref().map(|sent| sent.key.as_str());
        let same = |effect: &&Effect| {
            Some(effect.kind.as_str()) == action.kind()
                && (effect.action.as_deref() == Some(action.id.as_str())
                    || (key.is_some() && effect.key.as_deref() == key))
        };
        self.ours().filter(same).collect()
    }

    /// I1: what was acknowledged is kept, once; what somebody was told of is known.
    fn events_once(&self, say: &mut impl FnMut(&'static str, String)) {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for id in &self.events {
            *times.entry(id).or_default() += 1;
        }
        for id in self.acknowledged.iter().filter(|id| !times.contains_key(id.as_str())) {
            say("I1", format!("{id} was acknowledged and is not kept"));
        }
        for (id, times) in times.iter().filter(|(_, times)| **times > 1) {
            say("I1", format!("{id} is kept {times} times"));
        }
        let known: BTreeSet<&str> = self.actions.iter().map(|action| action.id.as_str()).collect();
        for id in self.answered.iter().filter(|id| !known.contains(id.as_str())) {
            say("I1", format!("somebody was told of {id}, and nobody knows it"));
        }
    }

    /// I2: nothing happened twice, by whatever name it is looked for.
    fn effects_once(&self, say: &mut impl FnMut(&'static str, String)) {
        let mut times: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for effect in self.ours() {
            for name in [effect.key.as_deref(), effect.action.as_deref()].into_iter().flatten() {
                *times.entry((&effect.kind, name)).or_default() += 1;
            }
        }
        for ((kind, name), times) in times.into_iter().filter(|(_, times)| *times > 1) {
            say("I2", format!("{kind} happened {times} times for {name}"));
        }
    }

    /// I3: before it happened there was an intent, and it was allowed, or agreed to by those who had to.
    fn intended_and_allowed(&self, say: &mut impl FnMut(&'static str, String)) {
        for effect in self.ours() {
            let told = format!("{} {} under {:?}", effect.kind, effect.object, effect.key);
            let by_key = |action: &&Acted| {
                action.execution.as_ref().is_some_and(|sent| Some(&sent.key) == effect.key.as_ref())
            };
            let Some(action) = self.actions.iter().find(by_key) else {
                say("I3", format!("{told}: nobody intended it"));
                continue;
            };
            let early = action.execution.as_ref().is_some_and(|sent| sent.intended_s > effect.at_s);
            if early {
                say("I3", format!("{told}: it happened before it was intended"));
            }
        }
        for action in &self.actions {
            let Some(sent) = &action.execution else { continue };
            if sent.digest != action.digest {
                say("I3", format!("{}: what is executed is not what was proposed", action.id));
            }
            match (action.ruling, &action.approval) {
                (Ruling::Allow, _) => {}
                (Ruling::Ask, Some(asked)) if asked.is_met(&action.digest) => {}
                (ruling, _) => say("I3", format!("{}: executed on {}", action.id, ruling.as_str())),
            }
        }
    }

    /// I4: what the program says happened did, as it says, and nothing else.
    fn ends_are_true(&self, say: &mut impl FnMut(&'static str, String)) {
        for action in self.actions.iter().filter(|action| action.kind().is_some()) {
            let (id, state) = (&action.id, action.state.as_str());
            let effects = self.effects_of(action);
            match (action.state, effects.first()) {
                (ProposalState::Done | ProposalState::Reversed, None) => {
                    say("I4", format!("{id} is {state}, and it did not happen"));
                }
                (ProposalState::Done | ProposalState::Reversed, Some(effect)) => {
                    action.compare(effect, say);
                }
                (ProposalState::InDoubt | ProposalState::Approved, _) | (_, None) => {}
                // A link that nobody was handed opens nothing: that there is none is how it is told.
                (ProposalState::NoEffect, _) if action.verb == PORTAL => {}
                (_, Some(effect)) => say("I4", format!("{id} is {state}, and {} happened", effect.object)),
            }
        }
    }

    /// I5: no charge gave back more than it took.
    fn no_more_than_taken(&self, say: &mut impl FnMut(&'static str, String)) {
        let mut back: BTreeMap<&str, i64> = BTreeMap::new();
        for effect in self.effects.iter().filter(|effect| effect.kind == "refund.create") {
            if let (Some(charge), Some(amount)) = (&effect.charge, effect.amount) {
                *back.entry(charge).or_default() += amount;
            }
        }
        for (charge, back) in back {
            if let Some(taken) = self.captured.get(charge).filter(|taken| back > **taken) {
                say("I5", format!("{charge} took {taken} and gave back {back}"));
            }
        }
    }

    /// I7: it happened on the account, and in the mode, that it was decided for.
    fn right_lane(&self, say: &mut impl FnMut(&'static str, String)) {
        for action in &self.actions {
            for effect in self.effects_of(action) {
                let mode = if effect.livemode { "live" } else { "test" };
                let lane = format!("{}/{mode}", effect.account);
                if lane != action.lane {
                    say(
                        "I7",
                        format!("{} is of {}, and {} of {lane}", action.id, action.lane, effect.object),
                    );
                }
                let account = action.execution.as_ref().and_then(|sent| sent.account.as_ref());
                if account.is_some_and(|account| *account != effect.account) {
                    say("I7", format!("{} was sent to {account:?}, and happened on {lane}", action.id));
                }
            }
        }
    }

    /// I8: nothing hangs. What waits for people may, and what is in doubt has called one.
    fn came_to_an_end(&self, say: &mut impl FnMut(&'static str, String)) {
        for action in &self.actions {
            match action.state {
                ProposalState::Approved => say("I8", format!("{} has not come to an end", action.id)),
                ProposalState::InDoubt if !action.escalated => {
                    say("I8", format!("{} is in doubt, and nobody was called", action.id));
                }
                _ => {}
            }
        }
        for job in &self.left {
            say("I8", job.clone());
        }
    }
}

impl Acted {
    /// Whether what happened is what was wanted.
    fn compare(&self, effect: &Effect, say: &mut impl FnMut(&'static str, String)) {
        if self.amount.is_some() && self.amount != effect.amount {
            let (wanted, got) = (self.amount, effect.amount);
            say("I4", format!("{} is over {wanted:?}, and {} over {got:?}", self.id, effect.object));
        }
        if self.verb == "refund.create" && self.target != effect.charge {
            let (wanted, got) = (&self.target, &effect.charge);
            say("I4", format!("{} is about {wanted:?}, and {} about {got:?}", self.id, effect.object));
        }
        if self.verb == "invoice.pay" && self.target.as_ref() != Some(&effect.object) {
            say("I4", format!("{} is about {:?}, and {} was paid", self.id, self.target, effect.object));
        }
        let object = self.execution.as_ref().and_then(|sent| sent.object.as_ref());
        if object.is_some_and(|object| *object != effect.object) {
            say("I4", format!("{} has a receipt for {object:?}, and {} happened", self.id, effect.object));
        }
    }
}

impl Asked {
    /// Counted anew, and not by those who counted the first time.
    fn is_met(&self, digest: &str) -> bool {
        let counts = |yes: &&Yes| yes.digest == digest && !self.makers.contains(&yes.person);
        let seat = |requirement: &Requirement| {
            let holders = self.yes.iter().filter(counts).filter(|yes| yes.roles.contains(&requirement.role));
            let people: BTreeSet<&str> = holders.map(|yes| yes.person.as_str()).collect();
            u32::try_from(people.len()).is_ok_and(|people| people >= requirement.quorum)
        };
        self.digest == digest && !self.requirements.is_empty() && self.requirements.iter().all(seat)
    }
}

#[cfg(test)]
mod tests;
