//! Two deliveries of one event id: when they agree and when they contradict each other.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Event, parse, snapshot, thin};

/// Whether the event, changed at `pointer`, contradicts itself as it was; asked both ways.
fn conflicts(original: &Value, pointer: &str, value: Value) -> bool {
    let mut changed = original.clone();
    *changed.pointer_mut(pointer).expect(pointer) = value;
    let (one, other) = (parse(original).expect("parses"), parse(&changed).expect("parses"));
    let answer = one.conflicts_with(&other);
    assert_eq!(answer, other.conflicts_with(&one));
    answer
}

#[test]
fn what_differs_between_deliveries_is_no_conflict() {
    assert!(!conflicts(&snapshot(), "/pending_webhooks", json!(0)));
    assert!(!conflicts(&snapshot(), "/api_version", json!("2024-06-20")));
    assert!(!conflicts(&snapshot(), "/api_version", json!(null)));
    // A poll of a connected account does not repeat whose event it is.
    assert!(!conflicts(&snapshot(), "/account", json!(null)));
}

#[test]
fn another_event_under_the_same_id_is_a_conflict() {
    let table = [
        ("/type", json!("invoice.paid")),
        ("/created", json!(1_790_000_001)),
        ("/request/id", json!("req_Z")),
        ("/request/idempotency_key", json!(null)),
        ("/data/object/amount_paid", json!(1)),
        ("/data/object/metadata", json!({})),
        ("/data/previous_attributes", json!(null)),
    ];
    for (pointer, value) in table {
        assert!(conflicts(&snapshot(), pointer, value), "{pointer}");
    }
    assert!(conflicts(&thin(), "/related_object/id", json!("mtr_B")));
}

#[test]
fn under_another_version_only_the_core_must_agree() {
    let mut other = snapshot();
    other["api_version"] = json!("2024-06-20");
    other["data"]["object"] = json!({"id": "in_A", "object": "invoice", "subscription": "sub_A"});
    let (one, other_event) = (parse(&snapshot()).expect("parses"), parse(&other).expect("parses"));
    assert!(!one.conflicts_with(&other_event));
    assert_ne!(one.sameness(), other_event.sameness());
    assert_eq!(one.sameness_across_versions(), other_event.sameness_across_versions());
    other["type"] = json!("invoice.paid");
    assert!(one.conflicts_with(&parse(&other).expect("parses")));
}

#[test]
fn the_order_of_keys_does_not_count_and_types_do() {
    let body = snapshot().to_string();
    let reordered =
        body.replacen("\"amount_due\":64000,\"amount_paid\":0", "\"amount_paid\":0,\"amount_due\":64000", 1);
    assert_ne!(body, reordered);
    let one = Event::parse(body.as_bytes()).expect("parses");
    let other = Event::parse(reordered.as_bytes()).expect("parses");
    assert_eq!(one.sameness(), other.sameness());
    assert_eq!(one.sameness().len(), 64);
    for (value, other) in [
        (json!("1"), json!(1)),
        (json!([]), json!({})),
        (json!(null), json!("")),
        (json!(["a", "b"]), json!(["ab"])),
    ] {
        let mut changed = snapshot();
        changed["data"]["object"]["note"] = value;
        assert!(conflicts(&changed, "/data/object/note", other));
    }
}

proptest! {
    /// A delivery is read as it came; a poll reads a whole list, and writes each event of it again.
    #[test]
    fn a_number_is_the_same_delivered_and_polled(rate in any::<f64>().prop_filter("a number", |rate| rate.is_finite())) {
        let mut event = snapshot();
        event["data"]["object"]["exchange_rate"] = json!(rate);
        let delivered = event.to_string();
        let polled = crate::json::read(delivered.as_bytes()).expect("JSON").to_string();
        let [delivered, polled] = [delivered, polled].map(|body| Event::parse(body.as_bytes()).expect("parses"));
        prop_assert!(!delivered.conflicts_with(&polled), "{rate}");
    }
}
