use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod sameness;

fn snapshot() -> Value {
    json!({
        "id": "evt_A", "object": "event", "type": "invoice.payment_failed", "created": 1_790_000_000,
        "livemode": true, "api_version": "2026-10-28.endive", "pending_webhooks": 2, "account": "acct_A",
        "request": {"id": "req_A", "idempotency_key": "key-A"},
        "data": {
            "object": {"id": "in_A", "object": "invoice", "customer": "cus_A", "currency": "usd",
                "amount_due": 64_000, "amount_paid": 0, "amount_remaining": 64_000,
                "metadata": {"amount": "10.50", "currency": "EUR"}},
            "previous_attributes": {"attempt_count": 0}},
    })
}

fn thin() -> Value {
    json!({
        "id": "evt_B", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered",
        "created": "2026-09-17T06:20:52.246Z", "livemode": false, "context": "acct_A",
        "reason": {"type": "request", "request": {"id": "req_B", "idempotency_key": "key-B"}},
        "related_object": {"id": "mtr_A", "type": "billing.meter", "url": "/v1/billing/meters/mtr_A"},
    })
}

fn parse(value: &Value) -> Result<Event, EventError> {
    Event::parse(value.to_string().as_bytes())
}

/// The reason for refusing a snapshot whose field at `pointer` is `value`.
fn refusal(pointer: &str, value: Value) -> Option<&'static str> {
    let mut event = snapshot();
    *event.pointer_mut(pointer).expect(pointer) = value;
    parse(&event).err().map(|error| error.reason())
}

#[test]
fn a_snapshot_reads() {
    let event = parse(&snapshot()).expect("parses");
    assert_eq!(event.id.as_str(), "evt_A");
    assert_eq!(event.kind, "invoice.payment_failed");
    assert_eq!((event.created_s, event.livemode), (1_790_000_000, true));
    assert_eq!(event.account.as_ref().map(AccountId::as_str), Some("acct_A"));
    assert_eq!(event.api_version.as_deref(), Some("2026-10-28.endive"));
    assert_eq!(event.request_id.as_deref(), Some("req_A"));
    assert_eq!(event.request_idempotency_key.as_deref(), Some("key-A"));
    assert_eq!(event.pending_webhooks, Some(2));
    assert_eq!(event.object_kind(), Some("invoice"));
    assert_eq!(event.object_id(), Some("in_A"));
    assert_eq!(event.customer(), Some("cus_A"));
    let EventObject::Snapshot { previous_attributes, .. } = &event.object else { panic!("a snapshot") };
    assert_eq!(previous_attributes, &Some(json!({"attempt_count": 0})));
}

#[test]
fn a_thin_event_reads() {
    let event = parse(&thin()).expect("parses");
    assert_eq!((event.created_s, event.livemode), (1_789_626_052, false));
    assert_eq!(event.account.as_ref().map(AccountId::as_str), Some("acct_A"));
    assert_eq!(event.request_idempotency_key.as_deref(), Some("key-B"));
    assert_eq!((event.object_kind(), event.object_id()), (Some("billing.meter"), Some("mtr_A")));
    assert_eq!(event.api_version, None);
    assert_eq!((event.occurrence(), event.snapshot_event()), ("billing.meter.error_report_triggered", None));
}

#[test]
fn a_thin_event_tells_of_the_same_as_its_snapshot_event() {
    let mut value = thin();
    value["type"] = json!("v1.invoice.paid");
    for (named, expected) in
        [(json!("evt_A"), Some("evt_A")), (json!(null), None), (json!("ch_A"), None), (json!(7), None)]
    {
        value["snapshot_event"] = named;
        let event = parse(&value).expect("parses");
        assert_eq!(event.snapshot_event().map(EventId::as_str), expected);
        assert_eq!(event.occurrence(), "invoice.paid");
    }
    value["type"] = json!("v2.core.event_destination.ping");
    assert_eq!(parse(&value).expect("parses").occurrence(), "v2.core.event_destination.ping");
    let mut value = snapshot();
    value["type"] = json!("v1.invoice.paid");
    assert_eq!(parse(&value).expect("parses").occurrence(), "v1.invoice.paid", "snapshots have no prefix");
}

#[test]
fn a_thin_event_may_be_about_nothing_or_within_an_organisation() {
    let mut value = thin();
    value["related_object"] = json!(null);
    value["reason"] = json!(null);
    value["context"] = json!("org_A/acct_B");
    let event = parse(&value).expect("parses");
    assert_eq!((event.object_kind(), event.object_id(), event.customer()), (None, None, None));
    assert_eq!(event.account.as_ref().map(AccountId::as_str), Some("acct_B"));
    value["created"] = json!(1_790_000_000);
    assert_eq!(parse(&value), Err(EventError::Invalid { field: "created" }));
}

#[test]
fn the_customer_is_found_where_the_object_names_one() {
    let table = [
        (json!({"object": "customer", "id": "cus_B"}), Some("cus_B")),
        (
            json!({"object": "charge", "id": "ch_A", "customer": {"id": "cus_C", "object": "customer"}}),
            Some("cus_C"),
        ),
        (json!({"object": "charge", "id": "ch_A", "customer": null}), None),
        (json!({"object": "payout", "id": "po_A"}), None),
    ];
    for (object, customer) in table {
        let mut value = snapshot();
        value["data"]["object"] = object.clone();
        assert_eq!(parse(&value).expect("parses").customer(), customer, "{object}");
    }
}

#[test]
fn tolerated_oddities() {
    let mut value = snapshot();
    value["type"] = json!("some.type_of_tomorrow");
    value["api_version"] = json!("2031-01-01.quince");
    value["created"] = json!(0);
    value["request"] = json!("req_of_2016");
    value["account"] = json!(null);
    value["data"]["object"]["description"] = json!("a NUL \u{0} within");
    value["data"]["object"].as_object_mut().expect("an object").remove("id");
    let event = parse(&value).expect("parses");
    assert_eq!(event.object_id(), None);
    assert_eq!(event.request_id.as_deref(), Some("req_of_2016"));
    assert_eq!(event.account, None);
    value["created"] = json!(253_402_300_799_i64);
    assert!(parse(&value).is_ok());
    let with_space = format!(" {}\n", snapshot());
    assert!(Event::parse(with_space.as_bytes()).is_ok());
}

#[test]
fn bodies_that_are_no_json_are_refused() {
    let table: [(&[u8], &str); 10] = [
        (b"", "not_json"),
        (b"hello", "not_json"),
        (b"{\"id\":", "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"{} {}", "not_json"),
        (b"{\"a\":\"\xff\xfe\"}", "not_utf8"),
        (br#"{"a":"\ud800"}"#, "not_json"),
        (br#"{"a":"\udc00x"}"#, "not_json"),
        (b"{\"a\":1e999}", "not_json"),
        (b"[]", "field_invalid"),
    ];
    for (body, reason) in table {
        let error = Event::parse(body).expect_err("refused");
        assert_eq!(error.reason(), reason, "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn depth_is_bounded_before_it_can_hurt() {
    let nested = |depth: usize| {
        let note = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        snapshot().to_string().replacen("\"key-A\"", &format!("\"key-A\",\"note\":{note}"), 1)
    };
    // The note lies within two objects.
    assert!(Event::parse(nested(DEPTH_MAX as usize - 2).as_bytes()).is_ok());
    assert_eq!(Event::parse(nested(DEPTH_MAX as usize - 1).as_bytes()), Err(EventError::TooDeep));
    assert_eq!(Event::parse(nested(10_000).as_bytes()), Err(EventError::TooDeep));
    assert_eq!(Event::parse("[".repeat(10_000).as_bytes()), Err(EventError::TooDeep));
    assert_eq!(Event::parse("{\"a\":".repeat(10_000).as_bytes()), Err(EventError::TooDeep));
}

#[test]
fn a_key_twice_is_refused_wherever_it_stands() {
    let text = snapshot().to_string();
    let table = [
        text.replacen("\"id\":\"evt_A\"", "\"id\":\"evt_A\",\"id\":\"evt_Z\"", 1),
        text.replacen("\"id\":\"evt_A\"", "\"id\":\"evt_A\",\"\\u0069d\":\"evt_A\"", 1),
        text.replacen("\"amount_paid\":0", "\"amount_paid\":0,\"amount_paid\":0", 1),
        text.replacen("\"currency\":\"EUR\"", "\"currency\":\"EUR\",\"currency\":\"USD\"", 1),
    ];
    for body in table {
        assert_ne!(body, text);
        assert_eq!(Event::parse(body.as_bytes()), Err(EventError::DuplicateKey));
    }
}

#[test]
fn missing_fields_are_named() {
    for field in ["id", "object", "type", "created", "livemode", "data"] {
        let mut value = snapshot();
        value.as_object_mut().expect("an object").remove(field);
        assert_eq!(parse(&value), Err(EventError::Missing { field }));
    }
}

#[test]
fn broken_fields_are_refused() {
    let table = [
        ("/id", json!("ch_A")),
        ("/id", json!(format!("evt_{}", "a".repeat(10_240)))),
        ("/id", json!("evt_../x")),
        ("/id", json!(7)),
        ("/object", json!("charge")),
        ("/type", json!(1)),
        ("/type", json!("")),
        ("/type", json!("a NUL \u{0}")),
        ("/request", json!("a line\nmore")),
        ("/data/object/id", json!("in_\u{0}")),
        ("/data/object/id", json!("i".repeat(1_000))),
        ("/data/object/object", json!("in\u{1b}voice")),
        ("/data/object/customer", json!("cus_\u{0}")),
        ("/data/object/customer", json!({"id": "c".repeat(1_000)})),
        ("/created", json!(-1)),
        ("/created", json!(1.5)),
        ("/created", json!("1790000000")),
        ("/created", json!(253_402_300_800_i64)),
        ("/livemode", json!("true")),
        ("/livemode", json!(null)),
        ("/account", json!("cus_A")),
        ("/api_version", json!(2026)),
        ("/request", json!(5)),
        ("/data", json!([])),
        ("/data/object", json!("in_A")),
    ];
    for (pointer, value) in table {
        assert_eq!(refusal(pointer, value.clone()), Some("field_invalid"), "{pointer} = {value}");
    }
}

#[test]
fn money_is_integers_only() {
    let text = snapshot().to_string();
    for bad in ["1e3", "10.0", "\"10\"", "9223372036854775808", "-9223372036854775809", "1e400", "-0"] {
        let body = text.replacen("\"amount_due\":64000", &format!("\"amount_due\":{bad}"), 1);
        assert_ne!(body, text);
        let error = Event::parse(body.as_bytes()).expect_err(bad);
        assert!(matches!(error.reason(), "amount_not_integer" | "not_json"), "{bad}: {error}");
    }
    let mut nested = snapshot();
    nested["data"]["object"]["lines"] = json!({"data": [{"amount": 10.5}]});
    assert_eq!(parse(&nested), Err(EventError::AmountNotInteger));
    let mut before = snapshot();
    before["data"]["previous_attributes"] = json!({"amount_paid": 1.5});
    assert_eq!(parse(&before), Err(EventError::AmountNotInteger));
}

#[test]
fn what_only_looks_like_money_is_left_alone() {
    let mut value = snapshot();
    value["data"]["object"]["plan"] = json!({"amount": null, "amount_decimal": "10.5", "percent_off": 12.5});
    value["data"]["object"]["mandate_options"] = json!({"amount_type": "maximum", "amount_details": {}});
    value["data"]["object"]["credit"] = json!({"amount": {"monetary": {"currency": "usd", "value": 5}}});
    value["data"]["object"]["total"] = json!(-500);
    assert!(parse(&value).is_ok(), "{:?}", parse(&value));
}

#[test]
fn currencies_are_exact() {
    for bad in ["USD", "usd ", "xxx", "XXX", "", "u$d"] {
        assert_eq!(refusal("/data/object/currency", json!(bad)), Some("unknown_currency"), "{bad:?}");
    }
    assert_eq!(refusal("/data/object/currency", json!("kwd")), None);
    assert_eq!(refusal("/data/object/currency", json!(null)), None);
}

#[test]
fn amounts_that_cannot_be_negative_are_not() {
    assert_eq!(refusal("/data/object/amount_due", json!(-1)), Some("amount_negative"));
    assert_eq!(refusal("/data/object/amount_remaining", json!(-1)), Some("amount_negative"));
    let mut charge = snapshot();
    charge["data"]["object"] = json!({"object": "charge", "id": "ch_A", "amount": -1, "currency": "usd"});
    assert_eq!(parse(&charge), Err(EventError::AmountNegative { field: "amount" }));
    charge["data"]["object"]["object"] = json!("balance_transaction");
    assert!(parse(&charge).is_ok());
}

#[test]
fn refusals_do_not_repeat_the_body() {
    let error = parse(&json!({"object": "event", "id": "sk_live_secret"})).expect_err("refused");
    assert!(!format!("{error} {error:?}").contains("sk_live"));
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Event::parse(&body).is_err());
    }

    #[test]
    fn no_change_of_one_byte_panics(index in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = snapshot().to_string().into_bytes();
        let at = index.index(body.len());
        body[at] = byte;
        let _ = Event::parse(&body);
    }

    #[test]
    fn text_survives(text in any::<String>()) {
        let mut value = snapshot();
        value["data"]["object"]["description"] = json!(text);
        let event = parse(&value).expect("parses");
        let EventObject::Snapshot { object, .. } = &event.object else { panic!("a snapshot") };
        prop_assert_eq!(&object["description"], &json!(text));
    }

    /// What tells a repetition from a contradiction: content, never the count of webhooks, order or blanks.
    #[test]
    fn the_same_event_is_the_same_however_it_is_delivered(text in any::<String>(), other in any::<String>(), waiting in any::<u32>()) {
        let mut value = snapshot();
        value["data"]["object"]["description"] = json!(text);
        let first = parse(&value).expect("parses");
        value["pending_webhooks"] = json!(waiting);
        let spaced = serde_json::to_string_pretty(&value).expect("serialises");
        let again = Event::parse(spaced.as_bytes()).expect("parses");
        prop_assert_eq!(first.sameness(), again.sameness());
        prop_assert_eq!(first.sameness_across_versions(), again.sameness_across_versions());
        value["data"]["object"]["description"] = json!(other);
        let changed = parse(&value).expect("parses");
        prop_assert_eq!(first.sameness() == changed.sameness(), text == other);
    }
}
