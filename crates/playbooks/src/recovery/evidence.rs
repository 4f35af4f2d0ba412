//! The facts a proposal rests on, one line each, with ids and numbers. Never words of a customer.

use bursar_domain::time::BusinessTime;
use bursar_stripe::object::Card;
use jiff::Timestamp;

use super::attempts::{DECLINES_MAX, Decline};
use super::method::Method;
use super::retry::hours_between;
use super::settings::Settings;
use super::situation::Situation;

/// `2026-11-20 10:00 UTC`.
pub(super) fn instant(at: BusinessTime) -> String {
    written(at.unix_s(), "%Y-%m-%d %H:%M UTC")
}

/// `2026-11-20`, in UTC.
pub(super) fn date(at_s: i64) -> String {
    written(at_s, "%Y-%m-%d")
}

fn written(at_s: i64, format: &str) -> String {
    match Timestamp::from_second(at_s) {
        Ok(at) => at.strftime(format).to_string(),
        // Stripe's clock ends long before the calendar does.
        Err(_) => format!("second {at_s}"),
    }
}

pub(super) fn lines(situation: &Situation<'_>, settings: &Settings, rule: &str) -> Vec<String> {
    let mut lines = vec![format!("rule: {rule}"), invoice(situation)];
    lines.extend(situation.decline().map(decline));
    lines.extend(subscription(situation));
    lines.push(method(situation));
    lines.push(next_attempt(situation));
    lines.push(budget(situation));
    lines.push(format!(
        "own steps in this case: {} of at most {} tries, {} of at most {} letters",
        situation.history.tries().count(),
        settings.retries_max,
        situation.history.letters().count(),
        settings.letters_max
    ));
    lines
}

fn invoice(situation: &Situation<'_>) -> String {
    let invoice = &situation.invoice;
    format!(
        "invoice {}: {}, {} remaining of {}, attempt_count {}",
        invoice.id, invoice.status, invoice.amount_remaining, invoice.amount_due, invoice.attempt_count
    )
}

fn decline(decline: &Decline) -> String {
    let what = match &decline.charge {
        Some(charge) => format!("charge {charge}"),
        None => "the payment".to_owned(),
    };
    let verb = if decline.blocked { "was blocked by Stripe" } else { "was declined" };
    let when = decline.at.map(|at| format!(" on {}", instant(at))).unwrap_or_default();
    let card = decline.card.as_ref().map(|card| format!(", {}", self::card(card))).unwrap_or_default();
    let advice = decline.advice_code.as_ref().map(|advice| format!(", advice {advice}")).unwrap_or_default();
    format!("{what} {verb}{when}: {}{advice}{card}", decline.word())
}

/// `visa ending 4242, expires 4/2031`.
fn card(card: &Card) -> String {
    let plain = |text: &Option<String>| {
        text.clone().filter(|text| {
            text.len() <= 24 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b' ')
        })
    };
    let brand = plain(&card.brand).unwrap_or_else(|| "card".to_owned());
    let last4 = plain(&card.last4).unwrap_or_else(|| "????".to_owned());
    match card.exp_month.zip(card.exp_year) {
        Some((month, year)) => format!("{brand} ending {last4}, expires {month}/{year}"),
        None => format!("{brand} ending {last4}"),
    }
}

fn subscription(situation: &Situation<'_>) -> Option<String> {
    let subscription = situation.subscription.as_ref()?;
    Some(format!("subscription {}: {}", subscription.id, subscription.status))
}

fn method(situation: &Situation<'_>) -> String {
    match &situation.method {
        Method::None => "no usable payment method is on file".to_owned(),
        Method::Opaque(id) => format!("on file: {id}"),
        Method::Known(method) => {
            let details = method.card.as_ref().map_or_else(|| method.kind.clone(), card);
            let since =
                situation.method.since().map(|at| format!(", since {}", instant(at))).unwrap_or_default();
            format!("on file: {} ({details}){since}", method.id)
        }
    }
}

fn next_attempt(situation: &Situation<'_>) -> String {
    match situation.next_attempt() {
        None => "Stripe has no attempt scheduled".to_owned(),
        Some(at) if at >= situation.now => {
            format!("Stripe's next attempt: {}, in {} h", instant(at), hours_between(situation.now, at))
        }
        Some(at) => format!("Stripe's next attempt was due {}", instant(at)),
    }
}

fn budget(situation: &Situation<'_>) -> String {
    let declines = situation.attempts.declines_in_window(&situation.method, situation.now);
    let seen = if situation.attempts.cover_window(situation.now) {
        ""
    } else {
        " seen, and not all charges could be read"
    };
    format!("declines of the method on file in 30 days: {declines} of at most {DECLINES_MAX}{seen}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_utc_and_absurd_ones_do_not_panic() {
        assert_eq!(instant(BusinessTime::from_unix_s(1_795_168_800)), "2026-11-20 10:00 UTC");
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(i64::MAX), "second 9223372036854775807");
    }
}
