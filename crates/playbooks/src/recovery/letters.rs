//! Whether a letter can be written now, and the exact letter. Frequency caps stand here: no template twice in one case, one
//! letter a day to a customer over all cases, and no more in a case than the settings allow.

use std::time::Duration;

use bursar_domain::action::Mail;
use bursar_domain::proposal::ProposalState;
use bursar_domain::time::BusinessTime;

use super::addressee;
use super::history::MAIL;
use super::settings::Settings;
use super::situation::{Party, Situation};
use super::templates::{self, Locale, Template, Values};

/// Between two letters to one customer.
const PAUSE: Duration = Duration::from_hours(24);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    Ready(Box<Mail>),
    /// This letter is proposed and still open.
    Standing,
    /// The customer had one less than a day ago.
    Later {
        at: BusinessTime,
    },
    /// Nothing more to write in this case.
    Spent,
    /// It cannot be written at all, and why.
    Impossible {
        why: String,
    },
}

pub(super) fn letter(template: Template, situation: &Situation<'_>, settings: &Settings) -> Letter {
    let history = situation.history;
    if history.open(MAIL).any(|past| same_letter(&past.subject, template)) {
        return Letter::Standing;
    }
    let kept = || history.letters().filter(|past| !past.state.is_open());
    if kept().any(|past| same_letter(&past.subject, template)) || kept().count() >= settings.letters_max {
        return Letter::Spent;
    }
    if let Some(at) = last_letter_at(situation).map(|sent| sent.plus(PAUSE)).filter(|at| *at > situation.now)
    {
        return Letter::Later { at };
    }
    match write(template, situation, settings) {
        Ok(mail) => Letter::Ready(Box::new(mail)),
        Err(why) => Letter::Impossible { why },
    }
}

/// Whatever its version.
fn same_letter(subject: &str, template: Template) -> bool {
    let base = |name: &'_ str| name.split('@').next().map(str::to_owned);
    base(subject) == base(template.name())
}

fn last_letter_at(situation: &Situation<'_>) -> Option<BusinessTime> {
    let over_all_cases = situation.messages.iter().map(|message| message.sent_at);
    let left =
        |state| matches!(state, ProposalState::Done | ProposalState::InDoubt | ProposalState::Observed);
    let of_case = situation.history.letters().filter(|past| left(past.state));
    over_all_cases.chain(of_case.map(|past| past.settled_at.unwrap_or(past.proposed_at))).max()
}

fn write(template: Template, situation: &Situation<'_>, settings: &Settings) -> Result<Mail, String> {
    let customer = match &situation.party {
        Party::Known(customer) => customer,
        Party::Deleted => return Err("the customer was deleted".to_owned()),
        Party::Nobody => return Err("the invoice names no customer that can be read".to_owned()),
    };
    let to = customer.email.as_deref().and_then(addressee::address);
    let to = to.ok_or_else(|| format!("customer {} has no usable e-mail address", customer.id))?;
    let invoice = &situation.invoice;
    let link = invoice.hosted_invoice_url.as_deref().and_then(addressee::link);
    let link = link.ok_or_else(|| format!("invoice {} has no page where it can be paid", invoice.id))?;
    let locale = Locale::preferred(&customer.preferred_locales);
    let values = Values {
        company: settings.company.clone(),
        support_address: settings.support_address.clone(),
        name: customer.name.as_deref().and_then(addressee::greeting),
        amount: locale.money(invoice.amount_remaining),
        invoice_number: invoice.number.clone().filter(|number| is_number(number)),
        link: link.to_owned(),
        next_attempt: next_attempt(situation, locale),
        told: situation.decline().and_then(|decline| locale.told(decline.word())),
    };
    let rendered = templates::render(template, locale, &values)?;
    Ok(Mail {
        to: to.to_owned(),
        customer: customer.id.clone(),
        invoice: Some(invoice.id.clone()),
        template: template.name().to_owned(),
        locale: locale.as_str().to_owned(),
        subject: rendered.subject,
        text: rendered.text,
        html: Some(rendered.html),
    })
}

/// Only an attempt that is still to come. Only letters about failures that may pass show it: after a refusal for good Stripe
/// goes on scheduling attempts and skips them.
fn next_attempt(situation: &Situation<'_>, locale: Locale) -> Option<String> {
    let next = situation.next_attempt().filter(|next| *next > situation.now)?;
    locale.date(next.unix_s())
}

/// Merchants choose the prefix of invoice numbers; what is no number is left out.
fn is_number(number: &str) -> bool {
    !number.is_empty()
        && number.len() <= 40
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
