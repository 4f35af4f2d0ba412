//! Why a verdict is what it is. A comparison is claimed only if moving its number over the limit, and nothing else,
//! was seen to change whether its policy is satisfied; what would happen beyond the limit is claimed only if the whole
//! set was seen to say so there.

use std::cmp::Reverse;

use bursar_domain::facts::{FactName, FactValue};
use bursar_domain::verdict::{Comparison, DecidingPolicy, Ruling};
use bursar_stripe::money::Money;
use cedar_policy::{Decision, Request};

use crate::path::{Path, View};
use crate::question::Asked;
use crate::set::{Docket, PolicySet, Rule};
use crate::threshold::{Operator, Threshold};

/// Comparisons looked at for one policy; more than that nobody reads.
const COMPARISONS_MAX: usize = 16;
/// Questions asked to find the nearest limit.
const TRIALS_MAX: usize = 32;

pub(crate) struct Explainer<'a> {
    pub set: &'a PolicySet,
    pub docket: &'a Docket,
    pub asked: &'a Asked<'a>,
    pub view: View<'a>,
    pub ruling: Ruling,
}

/// A comparison that was confirmed, and the ruling of the whole set beyond its limit where that is another.
struct Claim {
    comparison: Comparison,
    beyond: Option<Ruling>,
}

/// What lies on the other side of a limit.
enum Beyond {
    /// What holds there, and how the whole set rules.
    Ruled(Operator, Ruling),
    /// Of an equality there are two, and nothing is said of either.
    TwoSides,
}

impl Explainer<'_> {
    /// The rules that decided, each with its reason, and what else there is to say about a denial.
    pub fn told(&self, deciding: &[usize]) -> (Vec<DecidingPolicy>, Vec<String>) {
        let mut automatic_beyond = false;
        let policies = deciding.iter().map(|index| &self.set.rules[*index]).map(|rule| {
            let claims = self.claims(rule);
            automatic_beyond |= claims.iter().any(|claim| claim.beyond == Some(Ruling::Allow));
            DecidingPolicy {
                id: rule.id.clone(),
                file: rule.file.clone(),
                line: rule.line,
                effect: rule.effect.to_string(),
                condition: claims.is_empty().then(|| rule.condition.clone()),
                comparisons: claims.into_iter().map(|claim| claim.comparison).collect(),
            }
        });
        let policies: Vec<DecidingPolicy> = policies.collect();
        let mut notes = Vec::new();
        if self.ruling == Ruling::Deny {
            if policies.is_empty() {
                notes.push("no policy permits this".to_owned());
                notes.extend(self.unknown());
            }
            if !automatic_beyond {
                notes.extend(self.nearest_automatic());
            }
        }
        (policies, notes)
    }

    fn claims(&self, rule: &Rule) -> Vec<Claim> {
        let mut claims: Vec<Claim> = Vec::new();
        for threshold in rule.thresholds.iter().take(COMPARISONS_MAX) {
            let found = self.claim(rule, threshold);
            let new = |found: &Claim| claims.iter().all(|known| known.comparison != found.comparison);
            // Beyond a limit that keeps things from getting worse lies no reason for asking or denying.
            let telling = |found: &Claim| {
                self.ruling == Ruling::Allow || found.beyond.is_none_or(|beyond| beyond > self.ruling)
            };
            if let Some(found) = found.filter(new).filter(telling) {
                claims.push(found);
            }
        }
        // Those come first beyond which more would be allowed; those that would change nothing, last.
        claims.sort_by_key(|claim| Reverse(claim.beyond));
        claims
    }

    fn claim(&self, rule: &Rule, threshold: &Threshold) -> Option<Claim> {
        let (left, right) = (threshold.left.value(&self.view)?, threshold.right.value(&self.view)?);
        // Under a `!` or an `unless` it is the opposite that holds.
        let holding = if threshold.operator.holds(left, right) {
            threshold.operator
        } else {
            threshold.operator.opposite()?
        };
        let beyond = match self.confirmed(rule, threshold, holding)? {
            Beyond::Ruled(operator, ruling) if ruling != self.ruling => {
                let limit = self.amount(threshold.mover, threshold.mover_at(&self.view, 0)?);
                Some((ruling, format!("{} {} {limit}", outcome(ruling), operator.words())))
            }
            Beyond::Ruled(..) | Beyond::TwoSides => None,
        };
        let (fact, actual, limit) = if threshold.left.terms.iter().any(|(_, path)| *path == threshold.mover) {
            (threshold.left.text(), left, right)
        } else {
            let mover = threshold.mover;
            (mover.text(), mover.read(&self.view)?, threshold.mover_at(&self.view, 0)?)
        };
        let (beyond, counterfactual) = beyond.unzip();
        let operator = holding.as_str().to_owned();
        Some(Claim { comparison: Comparison { fact, operator, actual, limit, counterfactual }, beyond })
    }

    /// Nothing unless the policy is satisfied while the comparison only just holds and not when it only just does not.
    fn confirmed(&self, rule: &Rule, threshold: &Threshold, holding: Operator) -> Option<Beyond> {
        let satisfied = |gap| self.imagine(threshold, gap, |request| satisfies(rule, self.asked, request));
        if satisfied(holding.edge()) != Some(true) {
            return None;
        }
        let Some(opposite) = holding.opposite() else {
            return [-1, 1].into_iter().all(|gap| satisfied(gap) == Some(false)).then_some(Beyond::TwoSides);
        };
        self.imagine(threshold, opposite.edge(), |request| {
            let unsatisfied = !satisfies(rule, self.asked, request);
            unsatisfied.then(|| Beyond::Ruled(opposite, self.ruling(request)))
        })?
    }

    /// What permits look at and nobody knows.
    fn unknown(&self) -> Option<String> {
        let permits = self.docket.rules.iter().map(|index| &self.set.rules[*index]);
        let mut names: Vec<_> = permits
            .filter(|rule| rule.effect == cedar_policy::Effect::Permit)
            .flat_map(|rule| rule.facts.iter().copied())
            .filter(|name| self.view.get(*name).is_none())
            .collect();
        names.sort_unstable();
        names.dedup();
        let names: Vec<&str> = names.into_iter().map(FactName::as_str).collect();
        (!names.is_empty()).then(|| format!("not known, though permits look at it: {}", names.join(", ")))
    }

    /// The limit nearest to the number as it is, of those automatic permits that one number alone holds back.
    fn nearest_automatic(&self) -> Option<String> {
        let automatic =
            self.docket.rules.iter().map(|index| &self.set.rules[*index]).filter(|rule| rule.is_automatic());
        let candidates =
            automatic.flat_map(|rule| rule.thresholds.iter().map(move |threshold| (rule, threshold)));
        let mut nearest = None;
        for (rule, threshold) in candidates.take(TRIALS_MAX) {
            let Some(gap) = threshold.gap(&self.view) else { continue };
            let operator = threshold.operator;
            if operator.holds(gap, 0)
                || self.imagine(threshold, operator.edge(), |request| self.ruling(request))
                    != Some(Ruling::Allow)
            {
                continue;
            }
            let Some(limit) = threshold.mover_at(&self.view, 0) else { continue };
            let distance = gap.unsigned_abs();
            if nearest.as_ref().is_none_or(|(known, _)| distance < *known) {
                let text = format!(
                    "automatic with {} {} {}: {}",
                    threshold.mover.text(),
                    operator.words(),
                    self.amount(threshold.mover, limit),
                    rule.place()
                );
                nearest = Some((distance, text));
            }
        }
        nearest.map(|(_, text)| text)
    }

    fn ruling(&self, request: &Request) -> Ruling {
        self.set.answer(self.docket, self.asked, request).ruling
    }

    /// Looks at the world in which the moving number, and nothing else, makes the gap `gap`.
    fn imagine<T>(&self, threshold: &Threshold, gap: i64, look: impl FnOnce(&Request) -> T) -> Option<T> {
        let to = threshold.mover_at(&self.view, gap)?;
        let changed: FactValue = threshold.mover.moved(&self.view, to)?;
        let view = View { changed: Some((threshold.mover.name, &changed)), ..self.view };
        Some(look(&self.asked.request(&view, None).ok()?))
    }

    /// `100.00 USD` where the number is money, else the plain number.
    fn amount(&self, path: Path, number: i64) -> String {
        match path.currency(&self.view) {
            Some(currency) => Money::new(number, currency).to_string(),
            None => number.to_string(),
        }
    }
}

/// Whether a policy by itself is satisfied, permit or forbid.
pub(crate) fn satisfies(rule: &Rule, asked: &Asked<'_>, request: &Request) -> bool {
    let response = crate::schema::MODEL.authorizer.is_authorized(request, &rule.alone, &asked.entities);
    match rule.effect {
        cedar_policy::Effect::Permit => response.decision() == Decision::Allow,
        cedar_policy::Effect::Forbid => response.diagnostics().reason().next().is_some(),
    }
}

/// How a counterfactual begins.
fn outcome(ruling: Ruling) -> &'static str {
    match ruling {
        Ruling::Allow => "automatic",
        Ruling::Ask => "asks a person",
        Ruling::Deny => "denied",
        Ruling::Observe => "observed",
    }
}
