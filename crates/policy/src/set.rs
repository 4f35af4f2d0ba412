//! A policy set that was checked, ready to judge. It is known by its content hash and never changes.

use std::collections::{BTreeMap, BTreeSet};

use bursar_domain::action::{VERBS, effects_of};
use bursar_domain::canonical;
use bursar_domain::facts::FactName;
use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PolicyId};

use crate::annotation::Asking;
use crate::schema;
use crate::source::PolicyFile;
use crate::threshold::Threshold;

/// Policies that belong together. Made by [`PolicySet::load`] only.
#[derive(Debug)]
pub struct PolicySet {
    pub(crate) rules: Vec<Rule>,
    /// For each verb the policies whose scope it is in: the others cannot be satisfied and cannot fail.
    pub(crate) by_verb: BTreeMap<&'static str, Docket>,
    hash: String,
}

/// The policies that one verb is judged by.
#[derive(Debug, Default)]
pub(crate) struct Docket {
    pub cedar: cedar_policy::PolicySet,
    /// Indices into the set's rules.
    pub rules: Vec<usize>,
}

/// One policy of a set.
#[derive(Debug)]
pub struct Rule {
    pub id: String,
    pub file: String,
    pub line: u32,
    pub effect: Effect,
    /// Who is asked, where it is a permit that asks.
    pub asking: Option<Asking>,
    /// Its clauses as written, or its scope where it has none.
    pub condition: String,
    pub(crate) policy: Policy,
    /// The policy as a set of its own, to see whether it is satisfied.
    pub(crate) alone: cedar_policy::PolicySet,
    pub(crate) thresholds: Vec<Threshold>,
    /// What the clauses look at.
    pub(crate) facts: BTreeSet<FactName>,
}

impl Rule {
    /// A permit that asks nobody.
    pub fn is_automatic(&self) -> bool {
        self.effect == Effect::Permit && self.asking.is_none()
    }

    /// `refunds.automatic (policies/refunds.cedar:12)`.
    pub fn place(&self) -> String {
        format!("{} ({}:{})", self.id, self.file, self.line)
    }

    /// Whether the scope takes the verb in.
    pub(crate) fn concerns(&self, verb: &str) -> bool {
        let takes_in = |entity: &EntityUid| {
            *entity == schema::action_uid(verb)
                || effects_of(verb).iter().any(|effect| *entity == schema::action_uid(effect.as_str()))
        };
        match self.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(entity) => entity == schema::action_uid(verb),
            ActionConstraint::In(entities) => entities.iter().any(takes_in),
        }
    }
}

impl PolicySet {
    /// The set that permits nothing.
    pub fn empty() -> PolicySet {
        PolicySet::of(Vec::new(), &[])
    }

    pub(crate) fn of(rules: Vec<Rule>, files: &[PolicyFile]) -> PolicySet {
        let by_verb = VERBS.iter().map(|verb| (*verb, Docket::of(verb, &rules))).collect();
        PolicySet { by_verb, rules, hash: content_hash(files) }
    }

    /// SHA-256 over the paths and texts of the files, in whatever order they came.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The policies, file by file.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl Docket {
    fn of(verb: &str, rules: &[Rule]) -> Docket {
        let concerned: Vec<usize> = (0..rules.len()).filter(|index| rules[*index].concerns(verb)).collect();
        let policies = concerned.iter().map(|index| rules[*index].policy.clone());
        let cedar = cedar_policy::PolicySet::from_policies(policies)
            .expect("ids are unique: the loader refuses others");
        Docket { cedar, rules: concerned }
    }

    pub fn rule_of(&self, set: &PolicySet, id: &PolicyId) -> Option<usize> {
        self.rules.iter().copied().find(|index| set.rules[*index].policy.id() == id)
    }
}

fn content_hash(files: &[PolicyFile]) -> String {
    let contents: BTreeMap<&str, &str> =
        files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    canonical::digest(&contents).expect("a map of strings is JSON without numbers")
}
