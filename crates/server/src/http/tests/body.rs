//! Rows 30 to 53 and 56: bodies that Stripe signed. What cannot be used is acknowledged, so that Stripe stops sending it,
//! and kept apart with its reason.

use bursar_store::{Options, Store, events};
use serde_json::{Value, json};

use super::stage::{NOW_S, Stage, bytes, event};

const ACCEPTED: (u16, &str) = (200, r#"{"received":true}"#);

/// The usual event with one place changed.
fn with(pointer: &str, value: Value) -> Vec<u8> {
    let mut event = event("evt_1");
    *event.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is no place")) = value;
    bytes(&event)
}

fn without(field: &str) -> Vec<u8> {
    let mut event = event("evt_1");
    event.as_object_mut().unwrap().remove(field);
    bytes(&event)
}

/// The usual event with a piece of its text replaced by anything.
fn replaced(old: &str, new: &str) -> Vec<u8> {
    let text = event("evt_1").to_string();
    assert_eq!(text.matches(old).count(), 1, "{old} stands once in {text}");
    text.replace(old, new).into_bytes()
}

/// The usual event about an invoice whose amount is written like this.
fn with_amount(written: &str) -> Vec<u8> {
    let mut event = event("evt_1");
    event["data"]["object"] =
        json!({"id": "in_A", "object": "invoice", "amount_due": 7_777_777, "currency": "usd"});
    event.to_string().replace("7777777", written).into_bytes()
}

fn with_currency(currency: &str) -> Vec<u8> {
    with("/data/object/currency", currency.into())
}

fn unusable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let nested = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    vec![
        ("30: no JSON", b"hello".to_vec(), "not_json"),
        ("30: half of it", b"{\"id\":".to_vec(), "not_json"),
        ("30: two documents", b"{} {}".to_vec(), "not_json"),
        ("30: no object", b"[]".to_vec(), "field_invalid"),
        ("31: no UTF-8", b"{\"id\":\"\xff\xfe\"}".to_vec(), "not_utf8"),
        (
            "32: ten thousand deep",
            replaced("\"description\":null", &format!("\"description\":{nested}")),
            "too_deep",
        ),
        ("33: two ids", replaced("\"id\":\"evt_1\"", "\"id\":\"evt_1\",\"id\":\"evt_2\""), "duplicate_key"),
        ("34: no id", without("id"), "field_missing"),
        ("34: an id of nothing", with("/id", Value::Null), "field_missing"),
        ("35: an id of 10 KB", with("/id", format!("evt_{}", "a".repeat(10_240)).into()), "field_invalid"),
        ("41: no mode", without("livemode"), "field_missing"),
        ("41: a mode that is a word", with("/livemode", "false".into()), "field_invalid"),
        ("46: before all times", with("/created", (-1).into()), "field_invalid"),
        ("46: after the year 9999", with("/created", 253_402_300_800_i64.into()), "field_invalid"),
        ("47: an exponent", with_amount("1e3"), "amount_not_integer"),
        ("47: a fraction", with_amount("10.0"), "amount_not_integer"),
        ("47: a text", with_amount("\"10\""), "amount_not_integer"),
        ("48: more than 64 bits", with_amount("9223372036854775808"), "amount_not_integer"),
        ("49: less than nothing", with_amount("-1"), "amount_negative"),
        ("50: no currency", with_currency("XXX"), "unknown_currency"),
        ("50: a blank", with_currency("usd "), "unknown_currency"),
        ("50: upper case", with_currency("USD"), "unknown_currency"),
        ("50: empty", with_currency(""), "unknown_currency"),
        ("51: NUL in the type", with("/type", "customer\u{0}.updated".into()), "field_invalid"),
        ("52: half a character", replaced("\"a@example.com\"", r#""\ud800""#), "not_json"),
    ]
}

#[tokio::test]
async fn what_cannot_be_used_is_acknowledged_and_kept_apart() {
    let stage = Stage::open().await;
    let mut seen: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for (row, body, reason) in unusable() {
        let answer = stage.deliver(&body).await;
        assert_eq!((answer.status, answer.text.as_str()), ACCEPTED, "{row}");
        let newest = stage.get("priya", "/api/v1/quarantine?limit=100").await.json();
        let kept = newest["data"].as_array().unwrap().iter().filter(|kept| kept["reason"] == reason).count();
        let count = seen.entry(reason).or_default();
        *count += 1;
        assert_eq!(kept as u64, *count, "{row}: {newest}");
        let series = format!("bursar_events_quarantined_total{{reason=\"{reason}\"}}");
        assert_eq!(stage.counted(&series), *count, "{row}");
    }
    let total: u64 = seen.values().sum();
    assert_eq!(stage.audited("event.quarantined").await.len() as u64, total);
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 0);
    assert_eq!(stage.count("SELECT COUNT(*) FROM jobs").await, 0);
}

#[tokio::test]
async fn the_same_garbage_is_kept_once() {
    let stage = Stage::open().await;
    for _ in 0..3 {
        let answer = stage.deliver(b"hello").await;
        assert_eq!((answer.status, answer.text.as_str()), ACCEPTED);
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM quarantine").await, 1);
    assert_eq!(stage.counted("bursar_events_quarantined_total{reason=\"not_json\"}"), 1);
}

fn usable() -> Vec<(&'static str, Vec<u8>)> {
    let metadata: serde_json::Map<String, Value> = (0..50)
        .map(|n| (format!("<img src=x onerror=alert({n})>"), "'\"><script>{{7*7}}".repeat(27).into()))
        .collect();
    let mut hostile = event("evt_1");
    hostile["data"]["object"]["metadata"] = metadata.into();
    vec![
        ("38: a type nobody knows", with("/type", "moon.landed".into())),
        ("45: a version nobody knows", with("/api_version", "2099-01-01.zinnia".into())),
        ("46: 1970", with("/created", 0.into())),
        ("46: the last second of 9999", with("/created", 253_402_300_799_i64.into())),
        (
            "49: a credit is below zero and may be",
            with("/data/object", json!({"id": "in_A", "object": "invoice", "total": -500})),
        ),
        ("50: three decimals", with_currency("kwd")),
        ("51: NUL in a text", with("/data/object/description", "a NUL \u{0} within".into())),
        ("53: fifty hostile keys", bytes(&hostile)),
    ]
}

#[tokio::test]
async fn what_is_only_strange_is_kept_whole() {
    let stage = Stage::open().await;
    for (number, (row, body)) in usable().into_iter().enumerate() {
        let id = format!("evt_strange{number}");
        let body = String::from_utf8(body).unwrap().replace("evt_1", &id);
        let answer = stage.deliver(body.as_bytes()).await;
        assert_eq!((answer.status, answer.text.as_str()), ACCEPTED, "{row}");
        let shown = stage.get("priya", &format!("/api/v1/events/{id}")).await.json();
        assert_eq!(shown["body"], serde_json::from_str::<Value>(&body).unwrap(), "{row}");
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM quarantine").await, 0);
    stage.settle().await;
    assert_eq!(stage.count("SELECT COUNT(*) FROM jobs WHERE state = 'dead'").await, 0);
    assert_eq!(stage.count("SELECT COUNT(*) FROM cases").await, 0);
}

#[tokio::test]
async fn the_same_event_again_is_no_second_event() {
    let stage = Stage::open().await;
    let first = event("evt_1");
    let (mut fewer_waiting, mut other_version) = (first.clone(), first.clone());
    fewer_waiting["pending_webhooks"] = 0.into();
    other_version["api_version"] = "2020-08-27".into();
    other_version["data"]["object"]["description"] = "in another shape".into();
    for (row, delivery) in [
        ("36: the first", &first),
        ("36: the same bytes", &first),
        ("37: another count of webhooks", &fewer_waiting),
        ("37: another version", &other_version),
    ] {
        let answer = stage.deliver(&bytes(delivery)).await;
        assert_eq!((answer.status, answer.text.as_str()), ACCEPTED, "{row}");
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 1);
    assert_eq!(stage.count("SELECT COUNT(*) FROM quarantine").await, 0);
    assert_eq!(stage.counted("bursar_events_duplicate_total{source=\"webhook\"}"), 3);
}

#[tokio::test]
async fn one_id_with_two_stories_is_kept_apart() {
    let stage = Stage::open().await;
    stage.deliver(&bytes(&event("evt_1"))).await;
    for (number, (pointer, value)) in [
        ("/type", json!("customer.deleted")),
        ("/created", json!(NOW_S - 1)),
        ("/request/idempotency_key", json!("somebody-else")),
        ("/data/object/description", json!("other data under the same version")),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = stage.deliver(&with(pointer, value)).await;
        assert_eq!((answer.status, answer.text.as_str()), ACCEPTED, "37: {pointer}");
        let series = "bursar_events_quarantined_total{reason=\"id_with_other_content\"}";
        assert_eq!(stage.counted(series), number as u64 + 1, "37: {pointer}");
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 1);
    let kept = stage.get("priya", "/api/v1/events/evt_1").await.json();
    assert_eq!(kept["body"], event("evt_1"), "the first stands");
}

#[tokio::test]
async fn card_numbers_are_masked_before_anything_is_kept() {
    let stage = Stage::open().await;
    stage.deliver(&with("/data/object/description", "card 4111 1111 1111 1111, thanks".into())).await;
    stage.deliver(b"{\"note\":\"4111111111111111\"").await;
    let shown = stage.get("priya", "/api/v1/events/evt_1").await.json();
    assert_eq!(shown["body"]["data"]["object"]["description"], "card **** **** **** 1111, thanks", "56");
    stage.settle().await;
    let data = stage.data.path().to_owned();
    stage.engine.stop().await;
    // What lies on the disk, unsealed.
    let options = Options::sqlite(data, "look");
    drop(stage.engine);
    let store = Store::open_read_only(&options).await.unwrap();
    let mut db = store.read().await.unwrap();
    let stored = events::find(&mut db, "evt_1").await.unwrap().unwrap();
    let body = stored.body(&mut db, store.keyring()).await.unwrap();
    assert!(!String::from_utf8_lossy(&body).contains("4111"), "56: {}", String::from_utf8_lossy(&body));
    let mirrored =
        bursar_store::objects::get(&mut db, store.keyring(), &stored.lane, "customer", "cus_A").await;
    assert_eq!(mirrored.unwrap().unwrap().body["description"], "card **** **** **** 1111, thanks", "56");
}
