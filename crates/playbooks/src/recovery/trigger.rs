//! Which case a signal belongs to. Only a failed payment opens one; everything else wakes what is open.

use bursar_domain::case::CaseKey;
use bursar_stripe::id::{CustomerId, InvoiceId};
use serde_json::Value;

use super::NAME;
use crate::{Signal, Wakes};

/// Every event type this playbook listens to, sorted.
pub(super) const EVENTS: &[&str] = &[
    "charge.dispute.closed",
    "charge.dispute.created",
    "customer.deleted",
    "customer.subscription.deleted",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.updated",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_method.attached",
    "payment_method.automatically_updated",
];

pub(super) fn trigger(signal: &Signal<'_>) -> Wakes {
    match signal {
        Signal::Event { kind, object } => event(kind, object),
        Signal::Timer { key } | Signal::Outcome { key } if key.playbook == NAME => {
            Wakes::Case { key: (*key).clone(), opens: false }
        }
        Signal::Timer { .. } | Signal::Outcome { .. } => Wakes::Nothing,
    }
}

fn event(kind: &str, object: &Value) -> Wakes {
    match kind {
        "invoice.payment_failed" | "invoice.payment_action_required" => case(object.get("id"), Opens::Yes),
        "invoice.updated"
        | "invoice.paid"
        | "invoice.payment_succeeded"
        | "invoice.voided"
        | "invoice.marked_uncollectible" => case(object.get("id"), Opens::No),
        "invoice_payment.paid" => case(object.get("invoice"), Opens::No),
        "customer.updated" | "customer.deleted" => cases_of(object.get("id")),
        "payment_method.attached"
        | "payment_method.automatically_updated"
        | "customer.subscription.updated"
        | "customer.subscription.deleted" => cases_of(object.get("customer")),
        // A dispute names its charge; the customer is known only where Stripe sent the whole charge.
        "charge.dispute.created" | "charge.dispute.closed" => cases_of(object.pointer("/charge/customer")),
        _ => Wakes::Nothing,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opens {
    Yes,
    No,
}

fn case(invoice: Option<&Value>, opens: Opens) -> Wakes {
    match linked(invoice).and_then(|id| InvoiceId::parse(id).ok()) {
        Some(invoice) => Wakes::Case {
            key: CaseKey {
                playbook: NAME.to_owned(),
                object_kind: "invoice".to_owned(),
                object_id: invoice.to_string(),
            },
            opens: opens == Opens::Yes,
        },
        None => Wakes::Nothing,
    }
}

fn cases_of(customer: Option<&Value>) -> Wakes {
    match linked(customer).and_then(|id| CustomerId::parse(id).ok()) {
        Some(customer) => Wakes::OpenCasesOf { customer: customer.to_string() },
        None => Wakes::Nothing,
    }
}

/// The id of a link, whether it came as id or as the whole object.
fn linked(link: Option<&Value>) -> Option<&str> {
    let link = link?;
    link.get("id").unwrap_or(link).as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn on(kind: &str, object: &Value) -> Wakes {
        trigger(&Signal::Event { kind, object })
    }

    fn key(invoice: &str) -> CaseKey {
        CaseKey { playbook: "recovery".into(), object_kind: "invoice".into(), object_id: invoice.into() }
    }

    #[test]
    fn only_failures_open_a_case() {
        let invoice = json!({"id": "in_A", "object": "invoice"});
        for kind in EVENTS.iter().filter(|kind| kind.starts_with("invoice.")) {
            let opens = matches!(*kind, "invoice.payment_failed" | "invoice.payment_action_required");
            assert_eq!(on(kind, &invoice), Wakes::Case { key: key("in_A"), opens }, "{kind}");
        }
        let payment = json!({"id": "inpay_A", "object": "invoice_payment", "invoice": {"id": "in_A"}});
        assert_eq!(on("invoice_payment.paid", &payment), Wakes::Case { key: key("in_A"), opens: false });
    }

    #[test]
    fn what_a_customer_does_wakes_that_customers_cases() {
        let wakes = Wakes::OpenCasesOf { customer: "cus_A".into() };
        let table = [
            ("payment_method.attached", json!({"id": "pm_A", "customer": "cus_A"})),
            ("payment_method.automatically_updated", json!({"id": "pm_A", "customer": {"id": "cus_A"}})),
            ("customer.updated", json!({"id": "cus_A"})),
            ("customer.deleted", json!({"id": "cus_A", "deleted": true})),
            ("customer.subscription.updated", json!({"id": "sub_A", "customer": "cus_A"})),
            ("customer.subscription.deleted", json!({"id": "sub_A", "customer": "cus_A"})),
            ("charge.dispute.created", json!({"id": "dp_A", "charge": {"id": "ch_A", "customer": "cus_A"}})),
        ];
        for (kind, object) in table {
            assert_eq!(on(kind, &object), wakes, "{kind}");
        }
    }

    #[test]
    fn every_event_listened_to_can_wake_something_and_the_list_is_sorted() {
        let object =
            json!({"id": "in_A", "invoice": "in_A", "customer": "cus_A", "charge": {"customer": "cus_A"}});
        let customer = json!({"id": "cus_A"});
        for kind in EVENTS {
            assert!(on(kind, &object) != Wakes::Nothing || on(kind, &customer) != Wakes::Nothing, "{kind}");
        }
        assert!(EVENTS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn what_names_nothing_usable_wakes_nothing() {
        for object in [json!({}), json!({"id": null}), json!({"id": "in_../x"}), json!({"id": 7}), json!([])]
        {
            assert_eq!(on("invoice.payment_failed", &object), Wakes::Nothing, "{object}");
        }
        assert_eq!(on("charge.dispute.created", &json!({"id": "dp_A", "charge": "ch_A"})), Wakes::Nothing);
        assert_eq!(on("payout.paid", &json!({"id": "po_A"})), Wakes::Nothing);
    }

    #[test]
    fn timers_and_outcomes_wake_their_own_case_only() {
        let ours = key("in_A");
        let theirs = CaseKey { playbook: "disputes".into(), ..ours.clone() };
        assert_eq!(trigger(&Signal::Timer { key: &ours }), Wakes::Case { key: ours.clone(), opens: false });
        assert_eq!(trigger(&Signal::Outcome { key: &ours }), Wakes::Case { key: ours, opens: false });
        assert_eq!(trigger(&Signal::Timer { key: &theirs }), Wakes::Nothing);
    }
}
