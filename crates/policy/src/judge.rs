//! Facts in, verdict out. Promises: allow or ask only if Cedar allows and no policy failed to evaluate; nothing permits
//! means deny; a write whose effects are not known is denied.
//!
//! Cedar by itself skips a policy that fails to evaluate, a `forbid` too, and may then answer allow. Here a failure is a
//! denial and an alarm.

use std::collections::BTreeSet;

use bursar_domain::action::effects_of;
use bursar_domain::effect::Effect;
use bursar_domain::verdict::{Ruling, Verdict, merge_requirements};
use cedar_policy::{Decision, Request};

use crate::annotation::EXPIRES_DEFAULT_S;
use crate::explain::Explainer;
use crate::path::View;
use crate::question::{Asked, Question};
use crate::schema::MODEL;
use crate::set::{Docket, PolicySet};
use crate::stack::with_room;

/// A verdict, and whether somebody should look at how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Set when policies or facts are broken, not when they say no. The verdict is then a denial.
    pub alarm: Option<String>,
}

/// What the policies of a docket say to one request.
pub(crate) struct Answer {
    pub ruling: Ruling,
    /// Indices of the rules that decided.
    pub deciding: Vec<usize>,
    pub errors: Vec<String>,
}

impl PolicySet {
    /// Judges one question.
    pub fn judge(&self, question: &Question<'_>) -> Judgement {
        let known: BTreeSet<&Effect> = effects_of(question.verb).iter().collect();
        let given: BTreeSet<&Effect> = question.effects.iter().collect();
        let Some(docket) = self.by_verb.get(question.verb).filter(|_| !known.is_empty()) else {
            return self.denied(format!("the effects of `{}` are not known", question.verb), None);
        };
        if given != known {
            let note = format!("the effects given for `{}` are not those it has", question.verb);
            return self.denied(note.clone(), Some(note));
        }
        with_room(|| match put(question) {
            Ok((asked, request)) => {
                let answer = self.answer(docket, &asked, &request);
                let view = View::of(question.facts);
                let explainer = Explainer { set: self, docket, asked: &asked, view, ruling: answer.ruling };
                self.judgement(&answer, &explainer)
            }
            Err(error) => {
                let note = format!("the facts do not fit the schema: {error}");
                self.denied(note.clone(), Some(note))
            }
        })
    }

    /// What a docket says, without the reasons.
    pub(crate) fn answer(&self, docket: &Docket, asked: &Asked<'_>, request: &Request) -> Answer {
        let response = MODEL.authorizer.is_authorized(request, &docket.cedar, &asked.entities);
        let diagnostics = response.diagnostics();
        let errors: Vec<String> = diagnostics.errors().map(ToString::to_string).collect();
        let mut satisfied: Vec<usize> =
            diagnostics.reason().filter_map(|id| docket.rule_of(self, id)).collect();
        satisfied.sort_unstable();
        let asking: Vec<usize> =
            satisfied.iter().copied().filter(|index| self.rules[*index].asking.is_some()).collect();
        let (ruling, deciding) = match response.decision() {
            Decision::Deny => (Ruling::Deny, satisfied),
            Decision::Allow if !errors.is_empty() => (Ruling::Deny, Vec::new()),
            Decision::Allow if asking.is_empty() => (Ruling::Allow, satisfied),
            Decision::Allow => (Ruling::Ask, asking),
        };
        Answer { ruling, deciding, errors }
    }

    fn judgement(&self, answer: &Answer, explainer: &Explainer<'_>) -> Judgement {
        let (policies, notes) = explainer.told(&answer.deciding);
        let mut verdict = Verdict { ruling: answer.ruling, policies, notes, ..self.blank() };
        if answer.ruling == Ruling::Ask {
            let asking = || answer.deciding.iter().filter_map(|index| self.rules[*index].asking.as_ref());
            verdict.requirements =
                merge_requirements(asking().flat_map(|asking| asking.requirements.clone()));
            verdict.expires_s =
                Some(asking().map(|asking| asking.expires_s).min().unwrap_or(EXPIRES_DEFAULT_S));
        }
        if answer.errors.is_empty() {
            return Judgement { verdict, alarm: None };
        }
        let alarm = format!("policies failed to evaluate: {}", answer.errors.join("; "));
        verdict.notes = vec![alarm.clone()];
        Judgement { verdict, alarm: Some(alarm) }
    }

    fn denied(&self, note: String, alarm: Option<String>) -> Judgement {
        Judgement { verdict: Verdict { notes: vec![note], ..self.blank() }, alarm }
    }

    fn blank(&self) -> Verdict {
        Verdict {
            ruling: Ruling::Deny,
            policies: Vec::new(),
            requirements: Vec::new(),
            expires_s: None,
            notes: Vec::new(),
            policy_set: self.hash().to_owned(),
        }
    }
}

/// The question in Cedar's terms, checked against the schema.
fn put<'a>(question: &Question<'a>) -> Result<(Asked<'a>, Request), String> {
    let asked = Asked::new(question)?;
    let request = asked.request(&View::of(question.facts), Some(&MODEL.schema))?;
    Ok((asked, request))
}

#[cfg(test)]
mod tests;
