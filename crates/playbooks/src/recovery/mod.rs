//! Recovery of failed payments: one case an invoice.
//!
//! Promises: says why an invoice is unpaid from a closed list of classes; never charges near an attempt of Stripe's own,
//! past a network's limit, or a method that the bank refused for good; writes to the customer from approved templates
//! only; hands to a person whatever is risky or not understood; ends when nothing is due any more. Text that customers
//! or merchants wrote is at most printed, never followed.

mod addressee;
mod attempts;
mod chase;
mod classify;
mod evidence;
mod history;
mod letters;
mod method;
mod propose;
mod reads;
mod retry;
mod risk;
mod settings;
mod situation;
mod tasks;
mod templates;
mod trigger;

#[cfg(test)]
mod tests;

use crate::Playbook;

const NAME: &str = "recovery";

pub static PLAYBOOK: Playbook = Playbook {
    name: NAME,
    events: trigger::EVENTS,
    check_settings: settings::check,
    trigger: trigger::trigger,
    reads: reads::reads,
    classify: classify::classify,
    propose: propose::propose,
};
