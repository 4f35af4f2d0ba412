//! The shape of an error: Stripe's envelope, a stable code, and what did not happen.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::Stage;

/// Ids differ from run to run; what they are does not.
fn without_ids(document: &mut Value) {
    match document {
        Value::String(text) => {
            let mut clean = String::new();
            for (number, word) in text.split(' ').enumerate() {
                let kind = ["case", "ch", "prop", "apreq", "acct", "mode"]
                    .iter()
                    .find(|kind| word.starts_with(&format!("{kind}_")));
                let shown = kind.map_or(word.to_owned(), |kind| format!("{kind}_…"));
                clean.push_str(if number == 0 { "" } else { " " });
                clean.push_str(&shown);
            }
            *text = clean;
        }
        Value::Array(items) => items.iter_mut().for_each(without_ids),
        Value::Object(fields) => fields.values_mut().for_each(without_ids),
        _ => {}
    }
}

#[tokio::test]
async fn errors_have_one_shape() {
    let stage = Stage::open().await;
    let charge = stage.charge(5_000, "usd");
    let disputed = stage.made("charge.dispute.created", json!({"amount": 5_000}), "charge");
    let refund =
        |charge: &str, amount: i64| json!({"charge": charge, "amount": amount, "reason": "duplicate"});
    let path = "/api/v1/refund_requests";
    let anonymous = Request::get("/api/v1/status").body(Body::empty()).unwrap();
    let mut shapes = serde_json::Map::new();
    for (name, answer) in [
        ("no token", stage.send(anonymous).await),
        (
            "no role",
            stage.post("sam", "/api/v1/kill_switches", &json!({"scope": "all", "reason": "x"})).await,
        ),
        ("no such page", stage.get("sam", "/api/v1/nothing").await),
        ("no such case", stage.get("sam", "/api/v1/cases/case_x").await),
        ("another method", stage.get("sam", path).await),
        ("a limit too high", stage.get("sam", "/api/v1/cases?limit=1000").await),
        ("an unknown parameter", stage.get("sam", "/api/v1/cases?colour=red").await),
        ("no JSON", stage.post_text("sam", path, "hello").await),
        (
            "an unknown field",
            stage.post("sam", path, &json!({"charge": charge, "reason": "x", "state": "done"})).await,
        ),
        ("a charge that is not there", stage.post("sam", path, &refund("ch_nobodys", 100)).await),
        ("nothing", stage.post("sam", path, &refund(&charge, 0)).await),
        ("too much", stage.post("sam", path, &refund(&charge, 5_001)).await),
        ("denied", stage.post("sam", path, &refund(&disputed, 100)).await),
    ] {
        let mut document = answer.json();
        let error = document["error"].as_object_mut().unwrap_or_else(|| panic!("{name}: {}", answer.text));
        assert!(
            error.contains_key("type") && error.contains_key("code") && error.contains_key("message"),
            "{name}"
        );
        // The filing itself is told elsewhere.
        if let Some(details) = error.get_mut("details").and_then(Value::as_object_mut) {
            details.remove("refund_request");
        }
        without_ids(&mut document);
        shapes.insert(format!("{} {name}", answer.status), document);
    }
    insta::assert_json_snapshot!(shapes);
}

#[tokio::test]
async fn a_broken_store_is_told_in_general_words() {
    let stage = Stage::open().await;
    let charge = stage.charge(5_000, "usd");
    stage.sql("ALTER TABLE cases RENAME TO lost").await;
    for answer in [
        stage.get("sam", "/api/v1/cases").await,
        stage.get("sam", "/api/v1/cases/case_01K00000000000000000000000").await,
        stage.post("sam", "/api/v1/refund_requests", &json!({"charge": charge, "reason": "x"})).await,
    ] {
        assert!(answer.status >= 500, "{}", answer.text);
        for told in ["sqlite", "SQL", "cases", "table", "lost"] {
            assert!(!answer.text.contains(told), "{}", answer.text);
        }
    }
    assert_eq!(stage.refunds(), 0);
}
