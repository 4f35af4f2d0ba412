//! Triggers: for each event type, the scene that makes it happen.

use serde_json::json;

use super::scenes::{self, Cast};
use crate::error::{ApiError, ApiResult};
use crate::wire::Params;
use crate::world::Tx;

type Scene = fn(&mut Tx<'_>, &Params, &mut Cast) -> ApiResult<()>;

const SCENES: &[(&str, Scene)] = &[
    ("charge.captured", scenes::held_payment),
    ("charge.dispute.closed", scenes::closed_dispute),
    ("charge.dispute.created", scenes::dispute),
    ("charge.dispute.funds_withdrawn", scenes::dispute),
    ("charge.dispute.updated", scenes::closed_dispute),
    ("charge.failed", scenes::failed_payment),
    ("charge.refunded", scenes::refund),
    ("charge.succeeded", scenes::payment),
    ("customer.created", scenes::customer),
    ("customer.deleted", scenes::deleted_customer),
    ("customer.subscription.created", scenes::subscription),
    ("customer.subscription.deleted", scenes::canceled_subscription),
    ("customer.subscription.trial_will_end", scenes::ending_trial),
    ("customer.subscription.updated", scenes::updated_subscription),
    ("customer.updated", scenes::updated_customer),
    ("invoice.created", scenes::draft_invoice),
    ("invoice.finalized", scenes::paid_invoice),
    ("invoice.marked_uncollectible", scenes::uncollectible_invoice),
    ("invoice.paid", scenes::paid_invoice),
    ("invoice.payment_action_required", scenes::challenged_invoice),
    ("invoice.payment_failed", scenes::failed_invoice),
    ("invoice.payment_succeeded", scenes::paid_invoice),
    ("invoice.updated", scenes::paid_invoice),
    ("invoice.voided", scenes::voided_invoice),
    ("invoice_payment.paid", scenes::paid_invoice),
    ("payment_intent.amount_capturable_updated", scenes::held_payment),
    ("payment_intent.canceled", scenes::canceled_payment),
    ("payment_intent.created", scenes::payment),
    ("payment_intent.payment_failed", scenes::failed_payment),
    ("payment_intent.requires_action", scenes::challenged_payment),
    ("payment_intent.succeeded", scenes::payment),
    ("payment_method.attached", scenes::customer),
    ("price.created", scenes::subscription),
    ("product.created", scenes::subscription),
    ("radar.early_fraud_warning.created", scenes::fraud_warning),
    ("refund.created", scenes::refund),
    ("refund.failed", scenes::failed_refund),
    ("refund.updated", scenes::refund),
];

/// The event types that can be triggered, in alphabetical order.
pub const TYPES: [&str; SCENES.len()] = {
    let mut types = [""; SCENES.len()];
    let mut index = 0;
    while index < SCENES.len() {
        types[index] = SCENES[index].0;
        index += 1;
    }
    types
};

/// Plays the scene of an event type and gives the event with the objects that took part.
pub fn trigger(tx: &mut Tx<'_>, kind: &str, overrides: &Params) -> ApiResult {
    let Some((_, scene)) = SCENES.iter().find(|(name, _)| *name == kind) else {
        let message = format!("The event type '{kind}' cannot be triggered.");
        return Err(ApiError::invalid(message).param("type"));
    };
    let mut cast = Cast::default();
    scene(tx, overrides, &mut cast)?;
    let emitted: Vec<String> = tx.emitted().map(str::to_owned).collect();
    let lane = tx.world.lane(&tx.account);
    let mut made = emitted.iter().rev().filter_map(|id| lane?.events.get(id));
    let event = made.find(|row| row.kind == kind).map(crate::world::EventRow::document);
    let event = event.ok_or_else(|| ApiError::refused_by_state(format!("No {kind} came of it.")))?;
    Ok(json!({"event": event, "objects": cast.objects(tx)}))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::doc::Doc as _;
    use crate::world::{Cause, World};

    #[test]
    fn every_scene_makes_the_event_it_is_named_for() {
        let (mut world, _) = World::open(None, 7, false).unwrap();
        let platform = world.platform.clone();
        for kind in TYPES {
            let mut tx = world.begin(&platform, 1_795_219_200, Cause::default());
            let made = trigger(&mut tx, kind, &Params::default())
                .unwrap_or_else(|error| panic!("{kind}: {error:?}"));
            assert_eq!(made["event"].text("type"), kind);
            let object = made["event"]["data"]["object"]["id"].clone();
            let objects = made.elements("objects");
            assert!(
                objects.iter().any(|shown| shown["id"] == object),
                "{kind}: {object} is not among the objects"
            );
            tx.commit().unwrap();
        }
    }

    #[test]
    fn overrides_reach_the_object() {
        let (mut world, _) = World::open(None, 7, false).unwrap();
        let platform = world.platform.clone();
        let mut tx = world.begin(&platform, 1_795_219_200, Cause::default());
        let wish =
            Params::of(json!({"amount": 64_000, "currency": "eur", "decline_code": "insufficient_funds"}));
        let made: Value = trigger(&mut tx, "invoice.payment_failed", &wish).unwrap();
        let invoice = &made["event"]["data"]["object"];
        assert_eq!((invoice.int("amount_due"), invoice.text("currency")), (64_000, "eur"));
        assert_eq!(invoice.int("attempt_count"), 1);
        assert!(invoice.int("next_payment_attempt") > 1_795_219_200);
        let charge =
            made.elements("objects").iter().find(|object| object.text("object") == "charge").unwrap();
        assert_eq!(charge.text("outcome.reason"), "insufficient_funds");
    }
}
