//! The body of a delivery. Masking changes digits to stars, nothing else, and a second time nothing at all; what is masked is the
//! same JSON, so that an event stays the event it was; one event never contradicts itself, however it is laid out and whether it
//! was delivered or polled; and what is kept of it reads back as what it was.
#![no_main]

use bursar_fake_stripe::{FakeStripe, Options};
use bursar_stripe::event::{Event, EventObject, mask_card_numbers, mask_card_numbers_in_bytes};
use bursar_stripe::json;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(init: bursar_fuzz::seeds(seeds()), |body: &[u8]| {
    let masked = mask_card_numbers_in_bytes(body);
    assert_eq!(masked.len(), body.len());
    for (was, is) in body.iter().zip(masked.iter()) {
        assert!(was == is || (was.is_ascii_digit() && *is == b'*'));
    }
    assert_eq!(mask_card_numbers_in_bytes(&masked), masked, "masking twice is masking once");
    if let Ok(value) = json::read(body) {
        kept(&value);
    }

    let Ok(event) = Event::parse(body) else { return };
    assert!(!event.conflicts_with(&event));
    let again = Event::parse(&masked).expect("what is masked is still JSON, and still an event");
    assert_eq!((&again.id, &again.kind, again.livemode), (&event.id, &event.kind, event.livemode));

    let mut value = json::read(body).expect("an event is JSON");
    let laid_out = serde_json::to_vec_pretty(&value).expect("JSON");
    let polled = serde_json::to_vec(&value).expect("JSON");
    for other in [laid_out, polled] {
        let other = Event::parse(&other).expect("the same JSON is the same event");
        assert_eq!(other, event);
        assert_eq!(other.sameness(), event.sameness());
    }
    if let EventObject::Snapshot { object, .. } = &event.object {
        kept(object);
    }
    mask_card_numbers(&mut value);
    assert!(!mask_card_numbers(&mut value), "masking twice is masking once");
});

/// The store keeps text, and reads it with serde_json alone.
fn kept(value: &Value) {
    let text = serde_json::to_vec(value).expect("JSON");
    let again: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{error}: {value}"));
    assert_eq!(again, *value);
}

fn seeds() -> Vec<Vec<u8>> {
    let stripe = FakeStripe::open(Options::default()).expect("in memory");
    let mut bodies = Vec::new();
    for kind in ["customer.updated", "invoice.payment_failed", "charge.refunded", "charge.dispute.created"] {
        if let Ok(made) = stripe.trigger(kind, serde_json::json!({})) {
            bodies.push(made["event"].to_string().into_bytes());
        }
    }
    let thin = serde_json::json!({"id": "evt_B", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered",
        "created": "2026-09-17T06:20:52.246Z", "livemode": false, "context": "acct_A",
        "reason": {"type": "request", "request": {"id": "req_B", "idempotency_key": "key-B"}},
        "related_object": {"id": "mtr_A", "type": "billing.meter", "url": "/v1/billing/meters/mtr_A"}});
    bodies.push(thin.to_string().into_bytes());
    for metadata in [
        "{\"note\":\"4242 4242 4242 4242 and 4242-4242-4242-4242\"}",
        "{\"note\":\"\\u0034242424242424242\\n4000056655665556\"}",
        "{\"$serde_json::private::RawValue\":\"{\\\"a\\\":1}\"}",
        "{\"rate\":0.1234567890123456,\"e\":1e-7,\"big\":18446744073709551616}",
    ] {
        bodies.push(
            format!(
                "{{\"id\":\"evt_A\",\"object\":\"event\",\"type\":\"charge.updated\",\"created\":1790000000,\"livemode\":true,\
                 \"api_version\":\"2026-10-28.endive\",\"data\":{{\"object\":{{\"id\":\"ch_A\",\"object\":\"charge\",\
                 \"amount\":500,\"currency\":\"usd\",\"metadata\":{metadata}}}}}}}"
            )
            .into_bytes(),
        );
    }
    bodies.push(b"4242424242424242".to_vec());
    bodies
}
