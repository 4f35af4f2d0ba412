//! Permits that ask where another permits automatically. When any satisfied permit asks, the verdict is ask; so a permit
//! that asks takes away whatever an automatic one gives wherever both are satisfied. To narrow an automatic permit by
//! something it does not look at is fine (`refund_reason == "fraudulent"`). To contradict its own limit is a mistake
//! that nobody sees, and is refused: an automatic permit has an upper bound, and the permit that asks has the matching
//! lower bound.
//!
//! Two checks, one by reading and one by trying. Reading: every condition of the asking permit stands in the automatic
//! one or holds at its bounds. Trying (see `witness`): facts are made up that the automatic permit is just satisfied
//! by, once with nothing else known and once with everything else known and harmless; the asking permit must be
//! unsatisfied for some actor.

use cedar_policy::pst::{BinaryOp, Clause, Expr, UnaryOp, Var};
use cedar_policy::{ActionConstraint, PrincipalConstraint};

use crate::error::LoadError;
use crate::set::Rule;
use crate::threshold::{Operator, Threshold};

mod witness;

/// One of the conditions that must all hold for a policy to be satisfied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// `context has refundable.amount_home`, as its steps.
    Has(Vec<String>),
    /// A comparison of numbers that must hold.
    Bound(Threshold),
    Other(Expr),
    Not(Expr),
}

/// One complaint for each automatic permit that a permit that asks takes the effect from.
pub(crate) fn complaints(rules: &[Rule]) -> Vec<LoadError> {
    let mut errors = Vec::new();
    for automatic in rules.iter().filter(|rule| rule.is_automatic()) {
        let conditions = conditions(automatic);
        let witnesses = witness::witnesses(automatic, &conditions);
        for asking in rules.iter().filter(|rule| rule.asking.is_some()) {
            let read = scope_covers(asking, automatic) && holds_wherever(asking, &conditions);
            if read || witnesses.all_satisfy(asking) {
                errors.push(complaint(automatic, asking));
            }
        }
    }
    errors
}

fn complaint(automatic: &Rule, asking: &Rule) -> LoadError {
    LoadError {
        file: asking.file.clone(),
        line: asking.line,
        column: 1,
        message: format!(
            "`{}` asks where {} permits automatically, up to its limits",
            asking.id,
            automatic.place()
        ),
        help: Some(
            "give the automatic permit an upper bound and this one the matching lower bound, \
             `amount_home <= 10000` there and `amount_home > 10000` here"
                .to_owned(),
        ),
    }
}

/// Whether one scope takes in all that another does, by its form.
fn scope_covers(wider: &Rule, narrower: &Rule) -> bool {
    let (wide, narrow) = (wider.policy.principal_constraint(), narrower.policy.principal_constraint());
    let principals = wide == PrincipalConstraint::Any || wide == narrow;
    let (wide, narrow) = (wider.policy.action_constraint(), narrower.policy.action_constraint());
    let actions = wide == ActionConstraint::Any
        || wide == narrow
        || matches!(&narrow, ActionConstraint::Eq(action) if wider.concerns(action.id().unescaped()));
    let (wide, narrow) = (wider.policy.resource_constraint(), narrower.policy.resource_constraint());
    let resources = wide == cedar_policy::ResourceConstraint::Any || wide == narrow;
    principals && actions && resources
}

/// Whether every condition of the asking permit holds at the bounds of these.
fn holds_wherever(asking: &Rule, known: &[Condition]) -> bool {
    conditions(asking).iter().all(|wanted| match wanted {
        Condition::Has(path) => known
            .iter()
            .any(|condition| matches!(condition, Condition::Has(other) if other.starts_with(path))),
        Condition::Bound(bound) => known.contains(wanted) || holds_at_bound(bound, known),
        Condition::Other(_) | Condition::Not(_) => known.contains(wanted),
    })
}

/// Whether a comparison with a literal holds at the upper bound that the others set for the same numbers, or at the
/// lower one where there is no upper.
fn holds_at_bound(wanted: &Threshold, known: &[Condition]) -> bool {
    let bounds = |operators: [Operator; 2]| {
        known.iter().filter_map(move |condition| match condition {
            Condition::Bound(bound)
                if bound.left == wanted.left
                    && bound.right.terms.is_empty()
                    && operators.contains(&bound.operator) =>
            {
                bound.right.constant.checked_add(bound.operator.edge())
            }
            _ => None,
        })
    };
    let upper = bounds([Operator::Less, Operator::LessEq]).min();
    let bound = upper.or_else(|| bounds([Operator::Greater, Operator::GreaterEq]).max());
    wanted.right.terms.is_empty()
        && bound.is_some_and(|bound| wanted.operator.holds(bound, wanted.right.constant))
}

/// The conditions of a policy's clauses, as far as `&&` takes them apart.
pub(crate) fn conditions(rule: &Rule) -> Vec<Condition> {
    let mut found = Vec::new();
    // The loader has read the tree once already.
    let Ok(tree) = rule.policy.to_pst() else { return found };
    for clause in tree.body().clauses() {
        match clause {
            Clause::When(expression) => collect(expression, &mut found),
            Clause::Unless(expression) => found.push(negated(expression)),
        }
    }
    found
}

fn collect(expression: &Expr, found: &mut Vec<Condition>) {
    match expression {
        Expr::BinaryOp { op: BinaryOp::And, left, right } => {
            collect(left, found);
            collect(right, found);
        }
        Expr::UnaryOp { op: UnaryOp::Not, expr } => found.push(negated(expr)),
        Expr::HasAttr { expr, attrs } if **expr == Expr::Var(Var::Context) => {
            found.push(Condition::Has(attrs.iter().map(ToString::to_string).collect()));
        }
        Expr::HasAttr { expr, attrs } => match expr.as_ref() {
            Expr::GetAttr { expr: inner, attr } if **inner == Expr::Var(Var::Context) => {
                let steps = std::iter::once(attr.to_string()).chain(attrs.iter().map(ToString::to_string));
                found.push(Condition::Has(steps.collect()));
            }
            _ => found.push(Condition::Other(expression.clone())),
        },
        _ => found.push(match Threshold::read_from(expression) {
            Some(threshold) => Condition::Bound(threshold),
            None => Condition::Other(expression.clone()),
        }),
    }
}

fn negated(expression: &Expr) -> Condition {
    let opposite = Threshold::read_from(expression)
        .and_then(|threshold| Some(Threshold { operator: threshold.operator.opposite()?, ..threshold }));
    match opposite {
        Some(threshold) => Condition::Bound(threshold),
        None => Condition::Not(expression.clone()),
    }
}
