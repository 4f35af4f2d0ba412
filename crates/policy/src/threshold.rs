//! Comparisons of numbers in a policy's syntax tree: a sum of facts against a sum of facts or a literal. They are what
//! an explanation may claim, once evaluation has confirmed them.

use std::collections::BTreeSet;

use bursar_domain::facts::FactName;
use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, UnaryOp, Var};

use crate::path::{Part, Path, View};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Less,
    LessEq,
    Greater,
    GreaterEq,
    Equal,
}

impl Operator {
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Less => "<",
            Operator::LessEq => "<=",
            Operator::Greater => ">",
            Operator::GreaterEq => ">=",
            Operator::Equal => "==",
        }
    }

    /// Where the left side may lie, in words: `at or below`.
    pub fn words(self) -> &'static str {
        match self {
            Operator::Less => "below",
            Operator::LessEq => "at or below",
            Operator::Greater => "above",
            Operator::GreaterEq => "at or above",
            Operator::Equal => "at exactly",
        }
    }

    pub fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Operator::Less => left < right,
            Operator::LessEq => left <= right,
            Operator::Greater => left > right,
            Operator::GreaterEq => left >= right,
            Operator::Equal => left == right,
        }
    }

    /// What holds when this does not; nothing for equality, whose opposite has two sides.
    pub fn opposite(self) -> Option<Operator> {
        match self {
            Operator::Less => Some(Operator::GreaterEq),
            Operator::LessEq => Some(Operator::Greater),
            Operator::Greater => Some(Operator::LessEq),
            Operator::GreaterEq => Some(Operator::Less),
            Operator::Equal => None,
        }
    }

    fn mirrored(self) -> Operator {
        match self {
            Operator::Less => Operator::Greater,
            Operator::LessEq => Operator::GreaterEq,
            Operator::Greater => Operator::Less,
            Operator::GreaterEq => Operator::LessEq,
            Operator::Equal => Operator::Equal,
        }
    }

    /// How far left minus right is from zero where this only just holds.
    pub fn edge(self) -> i64 {
        match self {
            Operator::Less => -1,
            Operator::LessEq | Operator::GreaterEq | Operator::Equal => 0,
            Operator::Greater => 1,
        }
    }
}

/// A sum of numbers within the facts, and a literal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub terms: Vec<(Sign, Path)>,
    pub constant: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    fn times(self, other: Sign) -> Sign {
        if self == other { Sign::Plus } else { Sign::Minus }
    }

    fn of(self, value: i64) -> Option<i64> {
        match self {
            Sign::Plus => Some(value),
            Sign::Minus => value.checked_neg(),
        }
    }
}

impl Sum {
    fn read_from(expression: &Expr) -> Option<Sum> {
        let mut sum = Sum::default();
        sum.add(expression, Sign::Plus)?;
        Some(sum)
    }

    fn add(&mut self, expression: &Expr, sign: Sign) -> Option<()> {
        match expression {
            Expr::Literal(Literal::Long(value)) => {
                self.constant = self.constant.checked_add(sign.of(*value)?)?;
            }
            Expr::UnaryOp { op: UnaryOp::Neg, expr } => self.add(expr, sign.times(Sign::Minus))?,
            Expr::BinaryOp { op: BinaryOp::Add, left, right } => {
                self.add(left, sign)?;
                self.add(right, sign)?;
            }
            Expr::BinaryOp { op: BinaryOp::Sub, left, right } => {
                self.add(left, sign)?;
                self.add(right, sign.times(Sign::Minus))?;
            }
            other => self.terms.push((sign, path_of(other)?)),
        }
        Some(())
    }

    pub fn value(&self, view: &View<'_>) -> Option<i64> {
        self.terms
            .iter()
            .try_fold(self.constant, |sum, (sign, path)| sum.checked_add(sign.of(path.read(view)?)?))
    }

    /// `spent_today.amount_home + amount_home`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (sign, path) in &self.terms {
            text.push_str(match (text.is_empty(), sign) {
                (true, Sign::Plus) => "",
                (true, Sign::Minus) => "-",
                (false, Sign::Plus) => " + ",
                (false, Sign::Minus) => " - ",
            });
            text.push_str(&path.text());
        }
        let sign = match (text.is_empty(), self.constant) {
            (false, 0) => return text,
            (true, constant) => return constant.to_string(),
            (false, constant) if constant < 0 => " - ",
            (false, _) => " + ",
        };
        text.push_str(sign);
        text.push_str(&self.constant.unsigned_abs().to_string());
        text
    }
}

/// One comparison, turned so that the number to imagine different stands on the left with a plus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    pub left: Sum,
    pub operator: Operator,
    pub right: Sum,
    /// Occurs once.
    pub mover: Path,
}

impl Threshold {
    pub fn read_from(expression: &Expr) -> Option<Threshold> {
        let Expr::BinaryOp { op, left, right } = expression else { return None };
        let operator = match op {
            BinaryOp::Less => Operator::Less,
            BinaryOp::LessEq => Operator::LessEq,
            BinaryOp::Greater => Operator::Greater,
            BinaryOp::GreaterEq => Operator::GreaterEq,
            BinaryOp::Eq => Operator::Equal,
            _ => return None,
        };
        let (left, right) = (Sum::read_from(left)?, Sum::read_from(right)?);
        let mover = mover_of(&left, &right)?;
        let plus_on_the_left = left.terms.contains(&(Sign::Plus, mover));
        let minus_on_the_right = right.terms.contains(&(Sign::Minus, mover));
        Some(if plus_on_the_left || minus_on_the_right {
            Threshold { left, operator, right, mover }
        } else {
            Threshold { left: right, operator: operator.mirrored(), right: left, mover }
        })
    }

    /// Left minus right.
    pub fn gap(&self, view: &View<'_>) -> Option<i64> {
        self.left.value(view)?.checked_sub(self.right.value(view)?)
    }

    /// What the moving number must be for the gap to become `gap`.
    pub fn mover_at(&self, view: &View<'_>, gap: i64) -> Option<i64> {
        self.mover.read(view)?.checked_add(gap.checked_sub(self.gap(view)?)?)
    }
}

/// The action's own amount if it takes part, else the first number; it must take part once.
fn mover_of(left: &Sum, right: &Sum) -> Option<Path> {
    let all = || left.terms.iter().chain(&right.terms).map(|(_, path)| *path);
    let own = |part| all().find(|path| *path == Path { name: FactName::Amount, part });
    let mover = own(Part::Home).or_else(|| own(Part::Amount)).or_else(|| all().next())?;
    (all().filter(|path| path.name == mover.name).count() == 1).then_some(mover)
}

fn path_of(expression: &Expr) -> Option<Path> {
    let Expr::GetAttr { expr, attr } = expression else { return None };
    match expr.as_ref() {
        Expr::Var(Var::Context) => Path::named(attr, None),
        Expr::GetAttr { expr: inner, attr: first } if **inner == Expr::Var(Var::Context) => {
            Path::named(first, Some(attr))
        }
        _ => None,
    }
}

/// Every comparison of numbers in the clauses, in the order written.
pub(crate) fn thresholds(clauses: &[Clause]) -> Vec<Threshold> {
    let mut found = Vec::new();
    for clause in clauses {
        let (Clause::When(expression) | Clause::Unless(expression)) = clause;
        visit(expression, &mut |part| found.extend(Threshold::read_from(part)));
    }
    found
}

/// The attributes of the context that the clauses look at.
pub(crate) fn attributes_named(clauses: &[Clause]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for clause in clauses {
        let (Clause::When(expression) | Clause::Unless(expression)) = clause;
        visit(expression, &mut |part| match part {
            Expr::GetAttr { expr, attr } if **expr == Expr::Var(Var::Context) => {
                found.insert(attr.to_string());
            }
            Expr::HasAttr { expr, attrs } if **expr == Expr::Var(Var::Context) => {
                found.insert(attrs.head.to_string());
            }
            _ => {}
        });
    }
    found
}

/// The fact that an attribute of the context belongs to.
pub(crate) fn fact_named(attribute: &str) -> Option<FactName> {
    match attribute {
        "currency" | "amount_home" => Some(FactName::Amount),
        _ => FactName::ALL.iter().copied().find(|name| name.as_str() == attribute),
    }
}

/// Calls `look` with an expression and everything within it, outer before inner and left before right.
pub(crate) fn visit(expression: &Expr, look: &mut impl FnMut(&Expr)) {
    look(expression);
    match expression {
        Expr::UnaryOp { expr, .. }
        | Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::Like { expr, .. }
        | Expr::Is { expr, .. } => visit(expr, look),
        Expr::BinaryOp { left, right, .. } => {
            visit(left, look);
            visit(right, look);
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            visit(cond, look);
            visit(then_expr, look);
            visit(else_expr, look);
        }
        Expr::Set(items) => items.iter().for_each(|item| visit(item, look)),
        Expr::Record(entries) => entries.values().for_each(|entry| visit(entry, look)),
        _ => {}
    }
}
