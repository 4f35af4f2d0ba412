//! What will be different afterwards, said beforehand; and what can be done if it was wrong.

use bursar_domain::action::Action;
use bursar_domain::facts::FactName;
use bursar_store::proposals::Proposal;
use bursar_stripe::money::Money;
use serde_json::{Value, json};

use super::words;

/// Created, changed, deliberately unchanged, and side effects.
pub(super) fn predicted(proposal: &Proposal) -> Vec<Value> {
    let line = |kind: &str, object: &str, what: String| json!({"kind": kind, "object": object, "what": what});
    match &proposal.content.action {
        Action::RefundCharge { charge, amount, reason } => {
            let shown = words::money(*amount);
            let mut lines = vec![line(
                "create",
                "refund",
                format!("amount {shown} · reason {}", reason.as_str().replace('_', " ")),
            )];
            if let Some(left) = proposal.content.facts.money(FactName::Refundable) {
                let after = Money::new(left.amount.saturating_sub(amount.amount), left.currency);
                let what = format!("refundable {} → {}", words::money(left), words::money(after));
                lines.push(line("change", "charge", format!("{} · {what}", charge.as_str())));
            }
            lines.push(line(
                "change",
                "balance",
                format!("−{shown} now; Stripe's fee on the payment is not returned"),
            ));
            lines.push(line(
                "unchanged",
                "subscription",
                "stays as it is: a refund cancels nothing".to_owned(),
            ));
            let mail = "Stripe sends its refund mail if that is switched on in the Dashboard";
            lines.push(line("side_effect", "customer", mail.to_owned()));
            lines
        }
        Action::PayInvoice { invoice, amount, .. } => vec![
            line(
                "change",
                "invoice",
                format!("{} · open → paid; {} is charged", invoice.as_str(), words::money(*amount)),
            ),
            line("unchanged", "retries", "Stripe's own schedule stays if the payment is declined".to_owned()),
            line(
                "side_effect",
                "customer",
                "the bank may ask for a confirmation; Stripe may send a receipt".to_owned(),
            ),
        ],
        Action::CreatePortalSession { customer } => {
            vec![line(
                "create",
                "portal session",
                format!("a short-lived link that signs {} in", customer.as_str()),
            )]
        }
        Action::SendMail(mail) => vec![
            line("side_effect", "customer", format!("one letter to {}", mail.to)),
            line("unchanged", "Stripe", "nothing changes at Stripe".to_owned()),
        ],
        Action::CreateTask { role, .. } => {
            vec![line("create", "task", format!("for {role}; nothing leaves Bursar"))]
        }
    }
}

pub(super) fn if_wrong(action: &Action) -> Value {
    let (headline, compensation) = match action {
        Action::RefundCharge { .. } => {
            ("Not reversible", Some("To take the money back the customer must agree to a new invoice."))
        }
        Action::PayInvoice { .. } => {
            ("Reversible by a refund", Some("Stripe's fee on the payment is not returned."))
        }
        Action::CreatePortalSession { .. } => {
            ("The link ends by itself", Some("What the customer does with it until then stays."))
        }
        Action::SendMail(_) => ("Not reversible", Some("A letter cannot be called back.")),
        Action::CreateTask { .. } => ("Harmless", Some("The task can be closed.")),
    };
    json!({"headline": headline, "compensation": compensation})
}
