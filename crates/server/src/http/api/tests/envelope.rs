//! The shape of an error: Stripe's envelope, a stable code, and what did not happen.

use std::collections::BTreeSet;
use std::path::Path;

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

/// The code of every `Problem::new` below a folder: the first text after it.
fn codes_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests") {
                codes_below(&path, found);
            }
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        for made in ["Problem::new(", "Self::new("] {
            for call in source.split(made).skip(1) {
                let mut arguments = call.splitn(3, ',').map(str::trim);
                let status = arguments.next().unwrap_or_default();
                let code = arguments.next().and_then(|code| code.strip_prefix('"')?.strip_suffix('"'));
                if status.starts_with("StatusCode::") {
                    found.extend(code.map(str::to_owned));
                }
            }
        }
    }
}

#[tokio::test]
async fn every_code_has_a_page() {
    use bursar_domain::approval::VoteError::{
        AlreadyVoted, Decided, DigestChanged, Expired, Maker, NotAsked, ReasonMissing,
    };
    let stage = Stage::open().await;
    let mut codes = BTreeSet::new();
    codes_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut codes);
    // Chosen between two by what does not answer.
    codes.extend(
        ["stripe_unavailable", "stripe_key_refused", "stripe_permission_missing", "unavailable"]
            .map(str::to_owned),
    );
    for vote in [AlreadyVoted, Decided, DigestChanged, Expired, Maker, NotAsked, ReasonMissing] {
        codes.insert(vote.code().to_owned());
    }
    assert!(codes.len() > 20 && codes.contains("parameter_invalid"), "{codes:?}");
    let mut without = Vec::new();
    for code in codes {
        if stage.get("sam", &format!("/help/errors/{code}")).await.status != 200 {
            without.push(code);
        }
    }
    assert_eq!(without, Vec::<String>::new(), "`doc_url` leads nowhere");
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
