//! Facts made up so that an automatic permit is just satisfied, at its bounds, for every kind of actor and lane.

use bursar_domain::action::{VERBS, effects_of};
use bursar_domain::actor::Actor;
use bursar_domain::facts::{FactKind, FactName, FactValue, Facts, HomeAmount, Source};
use bursar_domain::id::{PersonId, TokenId};
use bursar_domain::lane::Lane;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use cedar_policy::Request;
use cedar_policy::pst::{BinaryOp, Expr, Literal, Var};

use super::Condition;
use crate::explain::satisfies;
use crate::path::View;
use crate::question::{Asked, Question};
use crate::set::Rule;
use crate::threshold::{Operator, Threshold, fact_named};

/// Whether the facts that a permit does not look at are known.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    Unknown,
    Harmless,
}

/// Requests that satisfy one automatic permit.
pub(super) struct Witnesses {
    found: Vec<(Asked<'static>, Request)>,
}

impl Witnesses {
    /// Whether a policy is satisfied by all of them, there being some.
    pub fn all_satisfy(&self, rule: &Rule) -> bool {
        !self.found.is_empty() && self.found.iter().all(|(asked, request)| satisfies(rule, asked, request))
    }
}

pub(super) fn witnesses(rule: &Rule, conditions: &[Condition]) -> Witnesses {
    let mut found = Vec::new();
    for others in [Others::Unknown, Others::Harmless] {
        let facts = made_up(conditions, others);
        for verb in VERBS.into_iter().filter(|verb| rule.concerns(verb)) {
            for (actor, roles) in actors() {
                for lane in ["acct_1/live", "acct_1/test"] {
                    let lane: Lane = lane.parse().expect("a lane as lanes are written");
                    let effects = effects_of(verb);
                    let question = Question {
                        actor: &actor,
                        roles: &roles,
                        verb,
                        effects,
                        lane: &lane,
                        target: None,
                        facts: &facts,
                    };
                    let Ok(asked) = Asked::new(&question).map(Asked::without_target) else { continue };
                    let Ok(request) = asked.request(&View::of(&facts), None) else { continue };
                    if satisfies(rule, &asked, &request) {
                        found.push((asked, request));
                    }
                }
            }
        }
    }
    Witnesses { found }
}

/// One actor of each kind, people and their tools with no role and with each.
fn actors() -> Vec<(Actor, Vec<Role>)> {
    let (person, token) = (PersonId::from_entropy([0; 16]), TokenId::from_entropy([0; 16]));
    let name = String::new;
    let mut all = vec![
        (Actor::Playbook { name: "recovery".to_owned(), author: None }, vec![]),
        (Actor::Engine, vec![]),
    ];
    for roles in std::iter::once(vec![]).chain(Role::ALL.map(|role| vec![role])) {
        all.push((Actor::Person { id: person.clone(), name: name() }, roles.clone()));
        all.push((Actor::ApiKey { id: token.clone(), name: name(), owner: person.clone() }, roles.clone()));
        all.push((Actor::Agent { id: token.clone(), name: name(), owner: person.clone() }, roles));
    }
    all
}

fn made_up(conditions: &[Condition], others: Others) -> Facts {
    let mut facts = Facts::default();
    for name in FactName::ALL.iter().filter(|name| others == Others::Harmless || looks_at(conditions, **name))
    {
        put(&mut facts, *name, harmless(name.kind()));
    }
    for condition in conditions {
        match condition {
            Condition::Has(_) => {}
            Condition::Bound(bound) => meet(&mut facts, bound),
            Condition::Other(expression) => decide(&mut facts, expression, true),
            Condition::Not(expression) => decide(&mut facts, expression, false),
        }
    }
    facts
}

fn put(facts: &mut Facts, name: FactName, value: FactValue) {
    facts.insert(name, value, Source::Derived, BusinessTime::from_unix_s(0));
}

fn looks_at(conditions: &[Condition], name: FactName) -> bool {
    conditions.iter().any(|condition| match condition {
        Condition::Has(path) => path.first().and_then(|first| fact_named(first)) == Some(name),
        Condition::Bound(_) | Condition::Other(_) | Condition::Not(_) => false,
    })
}

fn harmless(kind: FactKind) -> FactValue {
    let nothing = Money::zero(Currency::USD);
    match kind {
        FactKind::Money => FactValue::Money {
            money: nothing,
            home: Some(HomeAmount { money: nothing, rate: String::new() }),
        },
        FactKind::Count => FactValue::Count(0),
        FactKind::Flag => FactValue::Flag(false),
        FactKind::Text => FactValue::Text(String::new()),
        FactKind::Time => FactValue::Time(BusinessTime::from_unix_s(0)),
    }
}

/// Brings a bound with a literal to its edge, and any other comparison to hold.
fn meet(facts: &mut Facts, bound: &Threshold) {
    let view = View::of(facts);
    let single = bound.left.terms.len() == 1 && bound.right.terms.is_empty();
    let held = bound.gap(&view).is_some_and(|gap| bound.operator.holds(gap, 0));
    let upper = matches!(bound.operator, Operator::Less | Operator::LessEq);
    if held && !(single && upper) {
        return;
    }
    // What the amount is compared with gives way, not the amount.
    let other = bound.right.terms.first().map(|(_, path)| *path).filter(|_| bound.right.terms.len() == 1);
    let moved = match other {
        Some(path) => bound
            .left
            .value(&view)
            .and_then(|left| left.checked_sub(bound.operator.edge()))
            .and_then(|to| Some((path.name, path.moved(&view, to)?))),
        None => bound
            .mover_at(&view, bound.operator.edge())
            .and_then(|to| Some((bound.mover.name, bound.mover.moved(&view, to)?))),
    };
    if let Some((name, value)) = moved {
        put(facts, name, value);
    }
}

/// Makes a flag, or a text compared with a literal, be as a condition wants it.
fn decide(facts: &mut Facts, expression: &Expr, wanted: bool) {
    match expression {
        Expr::BinaryOp { op: BinaryOp::Eq, left, right } => match (named(left), right.as_ref()) {
            (Some(name), Expr::Literal(Literal::String(text))) if wanted && name.kind() == FactKind::Text => {
                put(facts, name, FactValue::Text(text.to_string()));
            }
            (Some(name), Expr::Literal(Literal::Bool(flag))) if name.kind() == FactKind::Flag => {
                put(facts, name, FactValue::Flag(*flag == wanted));
            }
            _ => {}
        },
        other => {
            if let Some(name) = named(other).filter(|name| name.kind() == FactKind::Flag) {
                put(facts, name, FactValue::Flag(wanted));
            }
        }
    }
}

fn named(expression: &Expr) -> Option<FactName> {
    let Expr::GetAttr { expr, attr } = expression else { return None };
    if **expr == Expr::Var(Var::Context) { fact_named(attr) } else { None }
}
