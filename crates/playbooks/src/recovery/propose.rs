//! What should happen next: chase the money, ask a person, wait, or close.

use std::time::Duration;

use bursar_domain::action::Action;
use bursar_domain::known::Known;
use bursar_domain::proposal::Rationale;
use bursar_domain::time::BusinessTime;
use serde_json::Value;

use super::classify::Class;
use super::history::{History, MAIL, PAY};
use super::settings::Settings;
use super::situation::{End, Gap, Situation};
use super::{addressee, chase, evidence, tasks};
use crate::{Classified, Plan, Wanted};

/// Without a better reason a case is looked at again after this long.
const RECHECK: Duration = Duration::from_hours(24);

/// What is incomplete at an event is often complete soon after.
const RECHECK_INCOMPLETE: Duration = Duration::from_hours(1);

pub(super) fn propose(known: &Known, classified: &Classified, settings: &Value) -> Plan {
    let class = Class::of(classified);
    let settings = match Settings::read(settings) {
        Ok(settings) => settings,
        Err(error) => return incomplete(known, &error.to_string()),
    };
    match Situation::of(known) {
        Ok(situation) => Desk { situation, settings, rule: &classified.rule }.plan(&class),
        Err(Gap::Gone) => close(known, End::InvoiceGone),
        Err(Gap::Unknown(what)) => incomplete(known, &what),
    }
}

/// One case on the desk: what is known, what the merchant wants, and the rule that classified it.
pub(super) struct Desk<'a> {
    pub(super) situation: Situation<'a>,
    pub(super) settings: Settings,
    pub(super) rule: &'a str,
}

impl Desk<'_> {
    fn plan(&self, class: &Class) -> Plan {
        let mut plan = match class {
            Class::Recovered => self.close(End::Recovered),
            Class::Ended => self.close(self.situation.end().unwrap_or(End::NothingDue)),
            Class::HighRisk => self.ask_person("high risk", "A person decides about this invoice"),
            Class::Unexplained => {
                self.ask_person("unexplained decline", "Nobody should act on this decline unseen")
            }
            Class::Incomplete { what } => self.look_closer(what),
            Class::TemporaryFailure
            | Class::NeedsNewPaymentMethod
            | Class::NeedsAuthentication
            | Class::HardDecline => chase::chase(self, class),
        };
        let invoice = &self.situation.invoice;
        plan.title = self.title(class);
        plan.amount =
            Some(if *class == Class::Recovered { invoice.amount_paid } else { invoice.amount_remaining });
        plan.customer = invoice.customer.as_ref().map(ToString::to_string);
        let name = self.situation.customer().and_then(|customer| customer.name.as_deref());
        plan.customer_name = name.or(invoice.customer_name.as_deref()).and_then(addressee::one_line);
        plan
    }

    /// For the inbox; nothing in it is a customer's word.
    fn title(&self, class: &Class) -> String {
        let invoice = &self.situation.invoice;
        let code = self.situation.decline().map_or("an unknown reason", |decline| decline.word());
        let unpaid = |why: &str| format!("{} unpaid: {why}", invoice.amount_remaining);
        match class {
            Class::Recovered => format!("{} recovered", invoice.amount_paid),
            Class::Ended => {
                let end = self.situation.end().unwrap_or(End::NothingDue);
                format!("{} given up: {}", invoice.amount_remaining, end.sentence())
            }
            Class::TemporaryFailure if self.situation.has_fresh_method() => {
                unpaid("another payment method is on file")
            }
            Class::TemporaryFailure => unpaid(&format!("declined for now ({code})")),
            Class::NeedsNewPaymentMethod => unpaid("needs a new payment method"),
            Class::NeedsAuthentication => unpaid("the customer must confirm the payment"),
            Class::HardDecline => unpaid("refused for good"),
            Class::HighRisk => unpaid("a person decides"),
            Class::Unexplained => unpaid(&format!("unexplained decline ({code})")),
            Class::Incomplete { .. } => unpaid("not enough is known"),
        }
    }

    fn close(&self, end: End) -> Plan {
        closed(self.situation.history, end)
    }

    /// A person's turn: whatever is open and leaves Bursar is taken back.
    pub(super) fn hand_over(&self) -> Plan {
        let withdraw = [PAY, MAIL].into_iter().filter(|verb| self.has_open(verb)).collect();
        Plan { withdraw, wake_at: Some(self.in_a_day()), ..Plan::default() }
    }

    fn ask_person(&self, what: &str, why: &str) -> Plan {
        let mut plan = self.hand_over();
        let title = format!("Look at invoice {}: {what}", self.situation.invoice.id);
        plan.wanted.extend(self.task(title, &format!("{why}: {}.", self.rule)));
        plan
    }

    fn look_closer(&self, what: &str) -> Plan {
        if self.situation.signal != "timer" {
            return Plan { wake_at: Some(self.situation.now.plus(RECHECK_INCOMPLETE)), ..Plan::default() };
        }
        let mut plan = self.hand_over();
        let title = format!("Look at invoice {}: not enough is known", self.situation.invoice.id);
        plan.wanted.extend(self.task(title, &format!("Bursar cannot tell what happened: {what}.")));
        plan
    }

    pub(super) fn task(&self, title: String, reason: &str) -> Option<Wanted> {
        let evidence = self.evidence();
        let action = tasks::task((self.situation.history, self.situation.now), title, reason, &evidence)?;
        Some(Wanted { action, rationale: Rationale { reason: reason.to_owned(), evidence, claimed: None } })
    }

    pub(super) fn wanted(&self, action: Action, reason: String) -> Wanted {
        Wanted { action, rationale: Rationale { reason, evidence: self.evidence(), claimed: None } }
    }

    fn evidence(&self) -> Vec<String> {
        evidence::lines(&self.situation, &self.settings, self.rule)
    }

    pub(super) fn has_open(&self, verb: &'static str) -> bool {
        self.situation.history.open(verb).next().is_some()
    }

    pub(super) fn in_a_day(&self) -> BusinessTime {
        self.situation.now.plus(RECHECK)
    }
}

fn closed(history: History<'_>, end: End) -> Plan {
    Plan { withdraw: history.open_verbs(), close: Some(end.as_str().to_owned()), ..Plan::default() }
}

/// For an invoice that cannot be read at all.
fn close(known: &Known, end: End) -> Plan {
    Plan { title: end.sentence().to_owned(), ..closed(History(known.history().unwrap_or_default()), end) }
}

fn incomplete(known: &Known, what: &str) -> Plan {
    let history = History(known.history().unwrap_or_default());
    let invoice = &known.key.object_id;
    let mut plan = Plan { title: format!("invoice {invoice}: not enough is known"), ..Plan::default() };
    if known.signal != "timer" {
        plan.wake_at = Some(known.now.plus(RECHECK_INCOMPLETE));
        return plan;
    }
    plan.wake_at = Some(known.now.plus(RECHECK));
    let (title, reason) = (
        format!("Look at invoice {invoice}: not enough is known"),
        format!("Bursar cannot tell what happened: {what}."),
    );
    let evidence = vec![format!("what is missing: {what}")];
    let action = tasks::task((history, known.now), title, &reason, &evidence);
    plan.wanted.extend(
        action.map(|action| Wanted { action, rationale: Rationale { reason, evidence, claimed: None } }),
    );
    plan
}
