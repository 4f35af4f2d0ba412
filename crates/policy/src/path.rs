//! A number within the facts, as policies name it: `amount_home`, `refundable.amount`, `attempts_thirty_days`.

use bursar_domain::facts::{FactKind, FactName, FactValue, Facts};
use bursar_domain::time::BusinessTime;
use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;

/// The facts, one of which may be imagined to be different.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub facts: &'a Facts,
    pub changed: Option<(FactName, &'a FactValue)>,
}

impl<'a> View<'a> {
    pub fn of(facts: &'a Facts) -> Self {
        Self { facts, changed: None }
    }

    pub fn get(&self, name: FactName) -> Option<&'a FactValue> {
        match self.changed {
            Some((changed, value)) if changed == name => Some(value),
            _ => self.facts.get(name).map(|fact| &fact.value),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A count or a time.
    Whole,
    /// Minor units of the money's own currency.
    Amount,
    /// Minor units of the home currency.
    Home,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    pub name: FactName,
    pub part: Part,
}

impl Path {
    /// The path that `context.a` or `context.a.b` names, where it names a number.
    pub fn named(first: &str, second: Option<&str>) -> Option<Path> {
        let own = |part| Some(Path { name: FactName::Amount, part });
        match (first, second) {
            ("amount", None) => return own(Part::Amount),
            ("amount_home", None) => return own(Part::Home),
            _ => {}
        }
        let name = *FactName::ALL.iter().find(|name| name.as_str() == first)?;
        let part = match (name, name.kind(), second) {
            (FactName::Amount, ..) => return None,
            (_, FactKind::Money, Some("amount")) => Part::Amount,
            (_, FactKind::Money, Some("amount_home")) => Part::Home,
            (_, FactKind::Count | FactKind::Time, None) => Part::Whole,
            _ => return None,
        };
        Some(Path { name, part })
    }

    pub fn text(self) -> String {
        match (self.name, self.part) {
            (name, Part::Whole) | (name @ FactName::Amount, Part::Amount) => name.as_str().to_owned(),
            (FactName::Amount, Part::Home) => "amount_home".to_owned(),
            (name, Part::Amount) => format!("{}.amount", name.as_str()),
            (name, Part::Home) => format!("{}.amount_home", name.as_str()),
        }
    }

    pub fn read(self, view: &View<'_>) -> Option<i64> {
        match (view.get(self.name)?, self.part) {
            (FactValue::Count(count), Part::Whole) => Some(*count),
            (FactValue::Time(time), Part::Whole) => Some(time.unix_s()),
            (FactValue::Money { money, .. }, Part::Amount) => Some(money.amount),
            (FactValue::Money { home, .. }, Part::Home) => home.as_ref().map(|home| home.money.amount),
            _ => None,
        }
    }

    /// The currency a number at this path is in, where it is money.
    pub fn currency(self, view: &View<'_>) -> Option<Currency> {
        match (view.get(self.name)?, self.part) {
            (FactValue::Money { money, .. }, Part::Amount) => Some(money.currency),
            (FactValue::Money { home, .. }, Part::Home) => home.as_ref().map(|home| home.money.currency),
            _ => None,
        }
    }

    /// The fact with another number at this path. Money moves whole: its worth at home moves at the same rate.
    pub fn moved(self, view: &View<'_>, to: i64) -> Option<FactValue> {
        let mut value = view.get(self.name)?.clone();
        match (&mut value, self.part) {
            (FactValue::Count(count), Part::Whole) => *count = to,
            (FactValue::Time(time), Part::Whole) => *time = BusinessTime::from_unix_s(to),
            (FactValue::Money { money, home }, Part::Amount) => {
                if let Some(home) = home {
                    home.money.amount = at_rate(to, &home.money, money, div_up)?;
                }
                money.amount = to;
            }
            (FactValue::Money { money, home: Some(home) }, Part::Home) => {
                money.amount = at_rate(to, money, &home.money, i128::div_euclid)?;
                home.money.amount = to;
            }
            _ => return None,
        }
        Some(value)
    }
}

/// `to`, an amount of `own`'s currency, in that of `other` at the rate the two amounts show.
fn at_rate(to: i64, other: &Money, own: &Money, divide: fn(i128, i128) -> i128) -> Option<i64> {
    if other.currency == own.currency {
        return Some(to);
    }
    if own.amount == 0 {
        // Nothing shows no rate.
        return Some(other.amount);
    }
    i64::try_from(divide(i128::from(to) * i128::from(other.amount), i128::from(own.amount))).ok()
}

/// Rounded up, as a worth at home is.
fn div_up(dividend: i128, divisor: i128) -> i128 {
    -((-dividend).div_euclid(divisor))
}

#[cfg(test)]
mod tests {
    use bursar_domain::facts::{HomeAmount, Source};

    use super::*;

    fn euros(amount: i64, home: i64) -> Facts {
        let mut facts = Facts::default();
        let home = HomeAmount { money: Money::new(home, Currency::USD), rate: "a rate".to_owned() };
        let value = FactValue::Money { money: Money::new(amount, Currency::EUR), home: Some(home) };
        facts.insert(FactName::Amount, value, Source::Derived, BusinessTime::from_unix_s(0));
        facts
    }

    #[test]
    fn names_and_back() {
        for (first, second) in [
            ("amount", None),
            ("amount_home", None),
            ("refundable", Some("amount")),
            ("spent_today", Some("amount_home")),
            ("attempt_count", None),
            ("next_payment_attempt", None),
        ] {
            let text = second.map_or(first.to_owned(), |second| format!("{first}.{second}"));
            assert_eq!(Path::named(first, second).unwrap().text(), text);
        }
        for (first, second) in [
            ("refundable", None),
            ("disputed", None),
            ("amount", Some("amount")),
            ("nope", None),
            ("template", None),
        ] {
            assert_eq!(Path::named(first, second), None, "{first}");
        }
    }

    #[test]
    fn money_moves_whole_and_its_worth_rounds_up() {
        let facts = euros(10_000, 10_850);
        let view = View::of(&facts);
        let home = Path::named("amount_home", None).unwrap().moved(&view, 5_000).unwrap();
        let changed = View { facts: &facts, changed: Some((FactName::Amount, &home)) };
        assert_eq!(Path::named("amount", None).unwrap().read(&changed), Some(4_608), "rounded down");
        let own = Path::named("amount", None).unwrap().moved(&view, 4_609).unwrap();
        let changed = View { facts: &facts, changed: Some((FactName::Amount, &own)) };
        assert_eq!(Path::named("amount_home", None).unwrap().read(&changed), Some(5_001), "rounded up");
        assert_eq!(Path::named("amount_home", None).unwrap().currency(&view), Some(Currency::USD));
    }
}
