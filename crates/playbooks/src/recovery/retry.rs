//! When Bursar itself pays the invoice again: in the gaps of Stripe's own schedule, inside the networks' limits, and only
//! with a method that may work.

use std::time::Duration;

use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;

use super::attempts::DECLINES_MAX;
use super::classify;
use super::history::PAY;
use super::settings::Settings;
use super::situation::Situation;

/// We keep this far from an attempt of Stripe's own, on both sides.
const STRIPE_GAP: Duration = Duration::from_hours(24);

/// What became of an attempt of Stripe's is known this long after it.
const AFTER_STRIPE: Duration = Duration::from_hours(3);

/// Under billing automations `next_payment_attempt` is still absent when a payment fails and comes in a later
/// `invoice.updated`. Only after this long does its absence mean that Stripe gave up.
const HANDOFF: Duration = Duration::from_hours(1);

/// By then the absence counts even if our copy of the invoice was not renewed: execution reads it again.
const HANDOFF_AT_LAST: Duration = Duration::from_hours(24);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Now {
        why: String,
    },
    /// A proposal to pay is open and still right.
    Standing,
    /// Not yet: look again then.
    At(BusinessTime),
    No(NoRetry),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRetry {
    /// What is on file was refused in a way that trying again does not help.
    Refused,
    /// The customer pays by the invoice's page or by transfer.
    SentInvoice,
    /// Nobody knows yet whether an earlier try took the money.
    InDoubt,
    /// People said no.
    Rejected,
    LimitReached,
    /// Not every charge of the last 30 days could be read.
    Uncounted,
    TriesUsed,
}

impl NoRetry {
    pub(super) fn sentence(self) -> &'static str {
        match self {
            NoRetry::Refused => "trying the same method again does not help",
            NoRetry::SentInvoice => "the invoice is not charged automatically",
            NoRetry::InDoubt => "nobody knows yet whether an earlier try took the money",
            NoRetry::Rejected => "people rejected an earlier try",
            NoRetry::LimitReached => "the card was declined too often in 30 days",
            NoRetry::Uncounted => "not every charge of the last 30 days could be read",
            NoRetry::TriesUsed => "all tries are used",
        }
    }
}

pub(super) fn retry(situation: &Situation<'_>, settings: &Settings) -> Retry {
    let fresh = is_new_chance(situation);
    match forbidden(situation, settings, fresh) {
        Some(reason) => Retry::No(reason),
        None => when(situation, settings, fresh),
    }
}

fn forbidden(situation: &Situation<'_>, settings: &Settings, fresh: bool) -> Option<NoRetry> {
    let tried = |state| situation.history.tries().any(|past| past.state == state);
    let declines = situation.attempts.declines_in_window(&situation.method, situation.now);
    [
        (!situation.is_charged_automatically(), NoRetry::SentInvoice),
        (situation.method.id().is_none(), NoRetry::Refused),
        (tried(ProposalState::InDoubt), NoRetry::InDoubt),
        (tried(ProposalState::Rejected) && !fresh, NoRetry::Rejected),
        (declines >= DECLINES_MAX, NoRetry::LimitReached),
        (!situation.attempts.cover_window(situation.now), NoRetry::Uncounted),
        (
            situation.history.tries().count() >= settings.retries_max && !has_open_try(situation) && !fresh,
            NoRetry::TriesUsed,
        ),
    ]
    .into_iter()
    .find_map(|(holds, reason)| holds.then_some(reason))
}

fn has_open_try(situation: &Situation<'_>) -> bool {
    situation.history.open(PAY).next().is_some()
}

/// A fresh method for which nothing was proposed yet: it has its own first try, whatever was used up before.
fn is_new_chance(situation: &Situation<'_>) -> bool {
    let last_try = situation.history.tries().map(|past| past.proposed_at).max();
    let untried = match (last_try, situation.method.since()) {
        (None, _) => true,
        (Some(last_try), Some(since)) => last_try < since,
        (Some(_), None) => false,
    };
    untried && situation.has_fresh_method()
}

fn when(situation: &Situation<'_>, settings: &Settings, fresh: bool) -> Retry {
    let now = situation.now;
    if let Some(next) = situation.next_attempt().filter(|next| is_near(*next, now)) {
        return Retry::At(next.plus(AFTER_STRIPE));
    }
    if let Some(at) = unconfirmed_handoff(situation) {
        return Retry::At(at);
    }
    // An open proposal older than the fresh method names the other one.
    if has_open_try(situation) && !fresh {
        return Retry::Standing;
    }
    let earliest = if fresh { now } else { earliest(situation, settings) };
    if earliest > now {
        return Retry::At(behind_stripe(situation, earliest));
    }
    Retry::Now { why: reason(situation, fresh) }
}

/// Not before a pause since the last failure, and another since our own last try.
fn earliest(situation: &Situation<'_>, settings: &Settings) -> BusinessTime {
    let last_try = situation.history.tries().map(|past| past.settled_at.unwrap_or(past.proposed_at)).max();
    let pause = if last_try.is_some() { settings.retry_every } else { settings.first_retry_after };
    let after_failure = situation.attempts.last_failure_at().map(|failed| failed.plus(pause));
    let after_try = last_try.map(|tried| tried.plus(settings.retry_every));
    after_failure.max(after_try).unwrap_or(situation.now)
}

/// A time that falls near Stripe's next attempt moves behind it.
fn behind_stripe(situation: &Situation<'_>, at: BusinessTime) -> BusinessTime {
    situation.next_attempt().filter(|next| is_near(*next, at)).map_or(at, |next| next.plus(AFTER_STRIPE))
}

/// Less than the gap away on either side.
fn is_near(next: BusinessTime, at: BusinessTime) -> bool {
    next.since(at).max(at.since(next)) < STRIPE_GAP
}

/// When to look again, if the absence of a next attempt may not be Stripe's last word.
fn unconfirmed_handoff(situation: &Situation<'_>) -> Option<BusinessTime> {
    if situation.next_attempt().is_some() {
        return None;
    }
    let now = situation.now;
    let failed = situation.attempts.last_failure_at();
    let failed = failed.or((situation.signal == "invoice.payment_failed").then_some(now))?;
    let settled = failed.plus(HANDOFF);
    if now < settled {
        return Some(settled);
    }
    let confirmed = situation.invoice_as_of >= settled || now >= failed.plus(HANDOFF_AT_LAST);
    (!confirmed).then(|| now.plus(HANDOFF))
}

fn reason(situation: &Situation<'_>, fresh: bool) -> String {
    let schedule = match situation.next_attempt() {
        Some(next) => format!("Stripe's own next attempt is {} h away", hours_between(situation.now, next)),
        None => "Stripe has no attempt scheduled".to_owned(),
    };
    if fresh {
        return format!(
            "a payment method is on file that this invoice was not tried with yet, and {schedule}"
        );
    }
    let code = situation
        .decline()
        .map_or_else(|| "an unknown reason".to_owned(), |decline| classify::plain(decline.word()));
    let when = situation.attempts.last_failure_at();
    let ago =
        when.map(|failed| format!(" {} h ago", hours_between(failed, situation.now))).unwrap_or_default();
    format!("the last attempt failed{ago} for {code}, which may work another day, and {schedule}")
}

/// Whole hours.
pub(super) fn hours_between(earlier: BusinessTime, later: BusinessTime) -> u64 {
    later.since(earlier).as_secs() / 3600
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_less_than_a_day_on_either_side() {
        let at = BusinessTime::from_unix_s(1_000_000);
        for (offset_s, near) in
            [(0, true), (86_399, true), (86_400, false), (-86_399, true), (-86_400, false)]
        {
            assert_eq!(is_near(BusinessTime::from_unix_s(1_000_000 + offset_s), at), near, "{offset_s}");
        }
    }
}
