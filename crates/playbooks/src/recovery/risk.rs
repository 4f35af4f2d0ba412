//! What makes a case a person's: a pending cancellation, an open dispute, a high value.

use bursar_domain::known::{Known, Read};
use bursar_stripe::id::ChargeId;
use bursar_stripe::object::{Charge, Dispute, DisputeStatus};

use super::evidence::date;
use super::settings::Settings;
use super::situation::Situation;

/// More disputed charges than this are not looked into: then a person looks at the customer anyway.
const DISPUTED_CHARGES_MAX: usize = 5;

/// The newest charges that were ever disputed.
pub(super) fn disputed_charges(charges: &[Charge]) -> impl Iterator<Item = &Charge> {
    charges.iter().filter(|charge| charge.disputed).take(DISPUTED_CHARGES_MAX)
}

pub(super) fn disputes_of(charge: &ChargeId) -> Read {
    Read::list("dispute", &[("charge", charge.as_str())])
}

/// What is not decided: dispute ids, or the charge's where its disputes cannot be read.
pub(super) fn open_disputes(known: &Known, charges: &[Charge]) -> Vec<String> {
    let mut open = Vec::new();
    for charge in disputed_charges(charges) {
        let disputes = known.list("dispute", &[("charge", charge.id.as_str())]).unwrap_or_default();
        let read: Vec<Option<Dispute>> =
            disputes.iter().map(|value| Dispute::from_value(value).ok()).collect();
        if read.is_empty() || read.iter().any(Option::is_none) {
            open.push(charge.id.to_string());
        }
        open.extend(read.into_iter().flatten().filter(is_open).map(|dispute| dispute.id.to_string()));
    }
    let unseen = charges.iter().filter(|charge| charge.disputed).skip(DISPUTED_CHARGES_MAX);
    open.extend(unseen.map(|charge| charge.id.to_string()));
    open
}

/// A status newer than we know counts as open.
fn is_open(dispute: &Dispute) -> bool {
    !matches!(
        dispute.status,
        DisputeStatus::Won | DisputeStatus::Lost | DisputeStatus::WarningClosed | DisputeStatus::Prevented
    )
}

/// Every risk there is, one sentence each.
pub(super) fn risks(situation: &Situation<'_>, settings: &Settings) -> Vec<String> {
    let mut risks = Vec::new();
    if let Some(subscription) = &situation.subscription {
        let ends_s = subscription.cancel_at_s.filter(|at_s| *at_s > situation.now.unix_s());
        if let Some(at_s) = ends_s {
            risks.push(format!("subscription {} is set to end on {}", subscription.id, date(at_s)));
        } else if subscription.cancel_at_period_end {
            risks.push(format!("subscription {} is set to end with its period", subscription.id));
        }
    }
    if !situation.open_disputes.is_empty() {
        risks.push(format!("an open dispute of this customer: {}", situation.open_disputes.join(", ")));
    }
    let remaining = situation.invoice.amount_remaining;
    match settings.high_value(remaining.currency) {
        Some(limit) if remaining.amount >= limit.amount => {
            risks.push(format!("{remaining} is at or above the high value of {limit}"));
        }
        Some(_) => {}
        None => risks.push(format!("no high value is set for {}", remaining.currency.code())),
    }
    risks
}
