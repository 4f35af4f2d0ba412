//! Money is due and something may help: pay again, write to the customer, and when neither goes on, a person.

use std::time::Duration;

use bursar_domain::action::Action;
use bursar_domain::time::BusinessTime;
use bursar_stripe::id::PaymentMethodId;

use super::classify::Class;
use super::history::{MAIL, PAY};
use super::letters::{self, Letter};
use super::method;
use super::propose::Desk;
use super::retry::{self, NoRetry, Retry};
use super::situation::{Collection, Party};
use super::templates::Template;
use crate::{Plan, Wanted};

/// How long a customer has to answer the last letter before a person takes over.
const ANSWER_WITHIN: Duration = Duration::from_hours(7 * 24);

pub(super) fn chase(desk: &Desk<'_>, class: &Class) -> Plan {
    let situation = &desk.situation;
    if situation.collection == Collection::Paused || situation.attempts.processing {
        return desk.hand_over();
    }
    let mut plan = Plan { wake_at: Some(desk.in_a_day()), ..Plan::default() };
    let retry = match class {
        Class::TemporaryFailure => retry::retry(situation, &desk.settings),
        _ => Retry::No(NoRetry::Refused),
    };
    pay(desk, &retry, &mut plan);
    let template = template(desk, class, &retry);
    let letter = template.map(|template| letters::letter(template, situation, &desk.settings));
    write(desk, &retry, letter.as_ref(), &mut plan);
    plan.wanted.extend(last_resort(desk, &retry, letter.as_ref()));
    plan
}

fn pay(desk: &Desk<'_>, retry: &Retry, plan: &mut Plan) {
    if *retry != Retry::Standing && desk.has_open(PAY) {
        plan.withdraw.push(PAY);
    }
    match retry {
        Retry::Now { why } => {
            let invoice = &desk.situation.invoice;
            let action = Action::PayInvoice {
                invoice: invoice.id.clone(),
                amount: invoice.amount_remaining,
                payment_method: named_method(desk),
            };
            plan.wanted.push(desk.wanted(action, format!("Try the payment again: {why}.")));
        }
        Retry::At(at) => wake_by(plan, *at, desk.situation.now),
        Retry::Standing | Retry::No(_) => {}
    }
}

/// Sources and bank accounts cannot be named in a payment; Stripe then takes its own default.
fn named_method(desk: &Desk<'_>) -> Option<PaymentMethodId> {
    desk.situation.method.id().filter(|id| method::can_be_read(id)).cloned()
}

/// Which letter fits. None while a try of ours is on its way: it may make the letter untrue. None where people decide.
fn template(desk: &Desk<'_>, class: &Class, retry: &Retry) -> Option<Template> {
    match (class, retry) {
        (Class::NeedsNewPaymentMethod | Class::HardDecline, _) => Some(Template::UpdatePaymentMethod),
        (Class::NeedsAuthentication, _) => Some(Template::AuthenticatePayment),
        (_, Retry::Now { .. } | Retry::Standing | Retry::No(NoRetry::InDoubt | NoRetry::Rejected)) => None,
        (_, Retry::No(NoRetry::SentInvoice)) => Some(Template::PaymentFailed),
        (_, Retry::No(_)) => Some(Template::UpdatePaymentMethod),
        (_, Retry::At(_)) if desk.situation.has_fresh_method() => None,
        (_, Retry::At(_)) => Some(Template::PaymentFailed),
    }
}

fn write(desk: &Desk<'_>, retry: &Retry, letter: Option<&Letter>, plan: &mut Plan) {
    if desk.has_open(MAIL) && letter != Some(&Letter::Standing) {
        plan.withdraw.push(MAIL);
    }
    match letter {
        Some(Letter::Ready(mail)) => {
            let reason = match retry {
                Retry::No(no) if *no != NoRetry::Refused => format!("{}; {}", desk.rule, no.sentence()),
                _ => desk.rule.to_owned(),
            };
            let reason = format!("Write to the customer: {reason}.");
            plan.wanted.push(desk.wanted(Action::SendMail((**mail).clone()), reason));
        }
        Some(Letter::Later { at }) => wake_by(plan, *at, desk.situation.now),
        Some(Letter::Standing | Letter::Spent | Letter::Impossible { .. }) | None => {}
    }
}

/// A person, when neither paying nor writing can go on.
fn last_resort(desk: &Desk<'_>, retry: &Retry, letter: Option<&Letter>) -> Option<Wanted> {
    let Retry::No(no) = retry else {
        return None;
    };
    let id = &desk.situation.invoice.id;
    let decide = format!("Decide what becomes of invoice {id}");
    match letter {
        Some(Letter::Impossible { .. }) if desk.situation.party == Party::Deleted => {
            desk.task(decide, &format!("Nobody is left to charge or to write to: {}.", desk.rule))
        }
        Some(Letter::Impossible { why }) => {
            let title = format!("Reach the customer of invoice {id} another way");
            desk.task(title, &format!("No letter can be written ({why}): {}.", desk.rule))
        }
        Some(Letter::Spent) | None if is_out_of_steps(desk) => {
            let why =
                format!("Every step was taken and nothing came of it: {}; {}.", desk.rule, no.sentence());
            desk.task(decide, &why)
        }
        _ => None,
    }
}

/// Nothing was proposed for long, and Stripe does not go on by itself.
fn is_out_of_steps(desk: &Desk<'_>) -> bool {
    let situation = &desk.situation;
    let quiet = situation.history.last_step_at().is_none_or(|at| situation.now.since(at) >= ANSWER_WITHIN);
    quiet && situation.next_attempt().is_none_or(|next| next <= situation.now)
}

/// Moves the next look forward to `at`, never into the past.
fn wake_by(plan: &mut Plan, at: BusinessTime, now: BusinessTime) {
    let at = at.max(now.plus(Duration::from_mins(1)));
    plan.wake_at = Some(plan.wake_at.map_or(at, |other| other.min(at)));
}
