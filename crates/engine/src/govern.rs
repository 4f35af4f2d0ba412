//! The one gate: every action, whoever wants it, is judged here. Policy speaks first; then the mode of the playbook and
//! the kill switches clamp what it said.

use bursar_domain::action::Action;
use bursar_domain::actor::Actor;
use bursar_domain::facts::{FactName, FactValue, Facts, HomeAmount, Source};
use bursar_domain::lane::Lane;
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_domain::verdict::{Clamp, Verdict};
use bursar_policy::{PolicySet, Question};
use bursar_store::proposals::Proposal;
use bursar_store::{Db, Tx, budgets, modes};
use bursar_stripe::money::Money;

use crate::home_money::HomeMoney;
use crate::start::Engine;
use crate::{Error, Result};

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Motion<'a> {
    pub(crate) actor: &'a Actor,
    pub(crate) roles: &'a [Role],
    pub(crate) lane: &'a Lane,
    pub(crate) action: &'a Action,
    pub(crate) facts: &'a Facts,
}

/// What policy said, and what holds after mode and kill switch.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) policy: Verdict,
    pub(crate) effective: Verdict,
}

/// The counter of money that left a lane on a day.
pub(crate) const MONEY_OUT: &str = "lane:money_out";

/// Judges a motion against a set. The database answers within the caller's transaction or read.
pub(crate) async fn judge(
    db: &mut Db,
    policy: &PolicySet,
    motion: Motion<'_>,
    standing: &Standing,
) -> Result<Judged> {
    let question = Question::about(motion.action, motion.actor, motion.roles, motion.lane, motion.facts);
    let judgement = policy.judge(&question);
    if let Some(alarm) = &judgement.alarm {
        tracing::error!(verb = motion.action.verb(), %alarm, "a policy failed to evaluate; denied");
        metrics::counter!("bursar_policy_alarms_total").increment(1);
    }
    let clamp = clamp(db, motion, standing).await?;
    let effective = judgement.verdict.clamped(&clamp, motion.actor, motion.action.effects());
    metrics::counter!("bursar_decisions_total", "effect" => motion.action.effects().first().map_or("none", |effect| effect.as_str()),
        "outcome" => effective.ruling.as_str())
    .increment(1);
    Ok(Judged { policy: judgement.verdict, effective })
}

/// What holds for a lane where nobody has set anything else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) mode: Mode,
    pub(crate) assist_role: Role,
}

async fn clamp(db: &mut Db, motion: Motion<'_>, standing: &Standing) -> Result<Clamp> {
    let lane = motion.lane.to_string();
    let mode = match motion.actor {
        Actor::Playbook { name, .. } => modes::get(db, &lane, name).await?.unwrap_or(standing.mode),
        _ => standing.mode,
    };
    let scopes = scopes(&lane, motion.actor);
    let killed = modes::killed(db).await?.into_iter().find(|(scope, _)| scopes.contains(scope));
    Ok(Clamp {
        mode,
        assist_role: standing.assist_role,
        killed: killed.map(|(scope, reason)| format!("{scope}: {reason}")),
    })
}

/// The kill switch that stops an actor on a lane, and why it was thrown.
pub(crate) async fn stopped(
    db: &mut Db,
    lane: &str,
    actor: &Actor,
) -> bursar_store::Result<Option<(String, String)>> {
    let scopes = scopes(lane, actor);
    Ok(modes::killed(db).await?.into_iter().find(|(scope, _)| scopes.contains(scope)))
}

/// The kill switches that stop an actor on a lane.
pub(crate) fn scopes(lane: &str, actor: &Actor) -> [String; 3] {
    ["all".to_owned(), format!("lane:{lane}"), actor.key()]
}

/// The UTC day of business time, `2026-11-21`.
pub(crate) fn day(now: BusinessTime) -> String {
    // Days since 1970 to a civil date: Howard Hinnant, "chrono-compatible low-level date algorithms".
    let days = now.unix_s().div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Adds what this lane has already given out today, in home currency.
pub(crate) async fn add_spent_today(
    db: &mut Db,
    facts: &mut Facts,
    lane: &str,
    home: &HomeMoney,
    now: BusinessTime,
) -> Result<()> {
    let day = day(now);
    let counter = budgets::Counter { lane, name: MONEY_OUT, day: &day, currency: home.currency.as_str() };
    let money = Money::new(budgets::used(db, counter).await?, home.currency);
    let home = Some(HomeAmount { money, rate: "same currency".to_owned() });
    facts.insert(FactName::SpentToday, FactValue::Money { money, home }, Source::Derived, now);
    Ok(())
}

/// What an action takes from the day's budget, where it takes something that has a worth at home.
pub(crate) fn home_cost(action: &Action, facts: &Facts) -> Option<Money> {
    if !matches!(action, Action::RefundCharge { .. }) {
        return None;
    }
    match facts.get(FactName::Amount).map(|fact| &fact.value) {
        Some(FactValue::Money { home: Some(home), .. }) => Some(home.money),
        _ => None,
    }
}

impl Engine {
    pub(crate) fn standing(&self, lane: &str) -> Standing {
        Standing { mode: self.inner.lanes.default_mode(lane), assist_role: self.inner.settings.assist_role }
    }
}

/// A lane as a row has it.
pub(crate) fn parse_lane(text: &str) -> Result<Lane> {
    text.parse().map_err(|_| Error::Broken(format!("`{text}` is no lane")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_795_219_199, "2026-11-20"),
            (1_795_219_200, "2026-11-21"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day(BusinessTime::from_unix_s(seconds)), expected);
        }
    }
}
