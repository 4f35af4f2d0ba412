//! What a lane gave out on a day, counted in each currency and, where a currency has a worth at home, in home currency too.
//! A day begins at midnight in the installation's zone. A reservation is made in the transaction of the intent.

use bursar_domain::action::Action;
use bursar_domain::facts::{FactName, FactValue, Facts, HomeAmount, Source};
use bursar_domain::id::ExecutionId;
use bursar_domain::time::BusinessTime;
use bursar_store::budgets::{self, Counter};
use bursar_store::executions::{self, Reserved};
use bursar_store::{Db, Result, Tx};
use bursar_stripe::money::Money;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::settings::Settings;

/// Everything that has a worth at home, in home currency.
const AT_HOME: &str = "lane:money_out";
/// Each currency by itself, also those without a rate.
const BY_CURRENCY: &str = "lane:money_out_by_currency";

/// The budgets that an action on a lane takes from at a time.
#[derive(Clone, Copy)]
pub(crate) struct Budget<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) lane: &'a str,
    pub(crate) action: &'a Action,
    pub(crate) at: BusinessTime,
}

impl Budget<'_> {
    /// Adds what this lane has already given out today: in the action's currency, and at home over all currencies.
    pub(crate) async fn add_spent(&self, db: &mut Db, facts: &mut Facts) -> Result<()> {
        let home = self.settings.home.currency;
        let currency = self.action.amount().map_or(home, |amount| amount.currency);
        let day = self.day();
        let mut used = async |name, currency: bursar_stripe::currency::Currency| -> Result<Money> {
            let counter = Counter { lane: self.lane, name, day: &day, currency: currency.as_str() };
            Ok(Money::new(budgets::used(db, counter).await?, currency))
        };
        let money = used(BY_CURRENCY, currency).await?;
        let worth = used(AT_HOME, home).await?;
        let home = Some(HomeAmount { money: worth, rate: "counted day by day".to_owned() });
        facts.insert(FactName::SpentToday, FactValue::Money { money, home }, Source::Derived, self.at);
        Ok(())
    }

    /// Nobody else takes anything of these budgets before this transaction ends: what is read of them now holds.
    pub(crate) async fn hold(&self, tx: &mut Tx) -> Result<()> {
        let day = self.day();
        for (name, cost) in self.costs() {
            let counter =
                Counter { lane: self.lane, name: &name, day: &day, currency: cost.currency.as_str() };
            budgets::hold(tx, counter).await?;
        }
        Ok(())
    }

    /// Takes the action's amount from the day's budgets, and notes with the execution what that was.
    pub(crate) async fn reserve(&self, tx: &mut Tx, execution: &ExecutionId) -> Result<()> {
        let reserved = Reserved { day: self.day(), taken: self.costs() };
        if reserved.taken.is_empty() {
            return Ok(());
        }
        executions::reserve(tx, execution, &reserved).await?;
        count(tx, self.lane, &reserved, 1).await
    }

    fn costs(&self) -> Vec<(String, Money)> {
        let Action::RefundCharge { amount, .. } = self.action else { return Vec::new() };
        let at_home = self.settings.home.of(*amount).map(|worth| (AT_HOME.to_owned(), worth.money));
        std::iter::once((BY_CURRENCY.to_owned(), *amount)).chain(at_home).collect()
    }

    fn day(&self) -> String {
        day(self.at, &self.settings.zone)
    }
}

/// Gives back what an execution holds of a day, exactly that and once, whatever rates and zones have become.
pub(crate) async fn give_back(tx: &mut Tx, lane: &str, execution: &ExecutionId) -> Result<()> {
    match executions::release(tx, execution).await? {
        Some(reserved) => count(tx, lane, &reserved, -1).await,
        None => Ok(()),
    }
}

/// Takes from its day what an action took that no execution here stands for.
pub(crate) async fn take(
    tx: &mut Tx,
    settings: &Settings,
    lane: &str,
    action: &Action,
    at: BusinessTime,
) -> Result<()> {
    let budget = Budget { settings, lane, action, at };
    let taken = Reserved { day: budget.day(), taken: budget.costs() };
    count(tx, lane, &taken, 1).await
}

async fn count(tx: &mut Tx, lane: &str, reserved: &Reserved, sign: i64) -> Result<()> {
    for (name, money) in &reserved.taken {
        let counter = Counter { lane, name, day: &reserved.day, currency: money.currency.as_str() };
        budgets::add(tx, counter, sign * money.amount).await?;
    }
    Ok(())
}

/// The day of business time in a zone, `2026-11-21`.
pub(crate) fn day(at: BusinessTime, zone: &TimeZone) -> String {
    timestamp(at).to_zoned(zone.clone()).date().to_string()
}

/// Within the years that calendars know.
pub(crate) fn timestamp(at: BusinessTime) -> Timestamp {
    let edge = if at.unix_s() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(at.unix_s()).unwrap_or(edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_the_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let kathmandu = TimeZone::get("Asia/Kathmandu").unwrap();
        for (seconds, zone, expected) in [
            (0, &TimeZone::UTC, "1970-01-01"),
            (951_782_400, &TimeZone::UTC, "2000-02-29"),
            (1_795_219_199, &TimeZone::UTC, "2026-11-20"),
            (1_795_219_200, &TimeZone::UTC, "2026-11-21"),
            // Winter: an hour ahead; summer: two.
            (1_795_215_599, &berlin, "2026-11-20"),
            (1_795_215_600, &berlin, "2026-11-21"),
            (1_782_079_199, &berlin, "2026-06-21"),
            (1_782_079_200, &berlin, "2026-06-22"),
            (1_795_198_499, &kathmandu, "2026-11-20"),
            (1_795_198_500, &kathmandu, "2026-11-21"),
            (i64::MAX, &TimeZone::UTC, "9999-12-30"),
        ] {
            assert_eq!(day(BusinessTime::from_unix_s(seconds), zone), expected, "{seconds}");
        }
    }
}
