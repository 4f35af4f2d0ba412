//! What the merchant decides, from the playbook's settings file. Everything is required: a default that nobody reads is
//! no decision.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use bursar_stripe::currency::Currency;
use bursar_stripe::money::Money;
use serde::Deserialize;
use serde_json::Value;

use super::{NAME, addressee};
use crate::InvalidSettings;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Signs the letters.
    pub(super) company: String,
    /// Where customers can write to.
    pub(super) support_address: String,
    /// From the failure to our first try.
    pub(super) first_retry_after: Duration,
    /// Between our tries.
    pub(super) retry_every: Duration,
    pub(super) retries_max: usize,
    pub(super) letters_max: usize,
    /// From here on a person decides.
    pub(super) high_value: BTreeMap<Currency, Money>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    company: String,
    support_address: String,
    first_retry_after_h: i64,
    retry_every_h: i64,
    retries_max: i64,
    letters_max: i64,
    high_value: BTreeMap<String, String>,
}

/// Longest name of a company that letters can bear in their subject.
const COMPANY_CHARACTERS_MAX: usize = 80;

pub(super) fn check(settings: &Value) -> Result<(), InvalidSettings> {
    Settings::read(settings).map(drop)
}

impl Settings {
    pub(super) fn read(settings: &Value) -> Result<Settings, InvalidSettings> {
        let written: Written = serde_path_to_error::deserialize(settings)
            .map_err(|error| invalid(format!("{}: {}", error.path(), error.inner())))?;
        written.judge().map_err(invalid)
    }

    pub(super) fn high_value(&self, currency: Currency) -> Option<Money> {
        self.high_value.get(&currency).copied()
    }
}

fn invalid(problem: String) -> InvalidSettings {
    InvalidSettings { playbook: NAME, problem }
}

impl Written {
    fn judge(self) -> Result<Settings, String> {
        let company = self.company.trim().to_owned();
        if company.is_empty()
            || company.chars().count() > COMPANY_CHARACTERS_MAX
            || company.chars().any(char::is_control)
        {
            return Err(format!("company: 1 to {COMPANY_CHARACTERS_MAX} characters on one line are needed"));
        }
        if addressee::address(&self.support_address).is_none() {
            return Err(
                "support_address: an e-mail address is needed, such as \"billing@example.com\"".to_owned()
            );
        }
        Ok(Settings {
            company,
            support_address: self.support_address,
            first_retry_after: hours("first_retry_after_h", self.first_retry_after_h, 1..=336)?,
            // Card networks count tries by day and by month; less than a day apart serves nobody.
            retry_every: hours("retry_every_h", self.retry_every_h, 24..=336)?,
            retries_max: count("retries_max", self.retries_max, 0..=10)?,
            letters_max: count("letters_max", self.letters_max, 0..=10)?,
            high_value: amounts(&self.high_value)?,
        })
    }
}

fn hours(key: &str, written: i64, allowed: RangeInclusive<i64>) -> Result<Duration, String> {
    let hours = within(key, written, allowed)?;
    Ok(Duration::from_hours(hours))
}

fn count(key: &str, written: i64, allowed: RangeInclusive<i64>) -> Result<usize, String> {
    let count = within(key, written, allowed)?;
    usize::try_from(count).map_err(|_| format!("{key}: {count} is too many"))
}

fn within(key: &str, written: i64, allowed: RangeInclusive<i64>) -> Result<u64, String> {
    let fits = allowed.contains(&written).then(|| u64::try_from(written).ok()).flatten();
    fits.ok_or_else(|| format!("{key}: {written} is not between {} and {}", allowed.start(), allowed.end()))
}

fn amounts(written: &BTreeMap<String, String>) -> Result<BTreeMap<Currency, Money>, String> {
    let mut amounts = BTreeMap::new();
    for (code, amount) in written {
        let problem = |error: &dyn std::fmt::Display| format!("high_value.{code}: {error}");
        let currency = Currency::parse(code).map_err(|error| problem(&error))?;
        let money = Money::parse_decimal(amount, currency).map_err(|error| problem(&error))?;
        if money.amount <= 0 {
            return Err(problem(&"an amount above zero is needed"));
        }
        amounts.insert(currency, money);
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "company": "Example Ltd", "support_address": "billing@example.com", "first_retry_after_h": 24,
            "retry_every_h": 72, "retries_max": 4, "letters_max": 3,
            "high_value": {"usd": "1000.00", "jpy": "150000", "kwd": "300.000"},
        })
    }

    #[test]
    fn the_file_that_ships_is_usable() {
        let file = include_str!("../../../../policies/playbooks/recovery.toml");
        let settings: Value = toml::from_str(file).unwrap();
        let settings = Settings::read(&settings).unwrap();
        assert_eq!(settings.high_value(Currency::USD), Some(Money::new(100_000, Currency::USD)));
        assert!(settings.high_value.contains_key(&Currency::JPY));
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_key() {
        let table = [
            ("company", json!("  "), "company: 1 to 80 characters on one line are needed"),
            ("company", json!("A\nB"), "company: 1 to 80 characters on one line are needed"),
            ("support_address", json!("nobody"), "support_address: an e-mail address is needed"),
            ("first_retry_after_h", json!(0), "first_retry_after_h: 0 is not between 1 and 336"),
            ("retry_every_h", json!(23), "retry_every_h: 23 is not between 24 and 336"),
            ("retries_max", json!(-1), "retries_max: -1 is not between 0 and 10"),
            ("letters_max", json!("three"), "letters_max: invalid type: string \"three\""),
            ("letters_max", json!(1.5), "letters_max: invalid type: floating point"),
            ("high_value", json!({"USD": "1.00"}), "high_value.USD: unknown currency"),
            ("high_value", json!({"jpy": "10.50"}), "high_value.jpy: an amount of jpy has at most 0 digits"),
            ("high_value", json!({"usd": "-1"}), "high_value.usd: an amount above zero is needed"),
            ("quiet_hours", json!("22-07"), "quiet_hours: unknown field `quiet_hours`"),
        ];
        for (key, value, problem) in table {
            let mut settings = good();
            settings[key] = value;
            let error = check(&settings).unwrap_err().to_string();
            assert!(error.starts_with(&format!("settings of playbook recovery: {problem}")), "{error}");
        }
        let mut settings = good();
        settings.as_object_mut().unwrap().remove("company");
        assert!(check(&settings).unwrap_err().problem.contains("missing field `company`"));
        assert_eq!(check(&good()), Ok(()));
    }
}
