//! What is in doubt, through the API: who may ask for another look, and whose word ends it.

use serde_json::{Value, json};

use super::Stage;

/// A refund of Sam's whose fate nobody knows.
async fn doubted(stage: &Stage) -> String {
    let approval = stage.asked().await;
    let fault = json!({"route": "POST /v1/refunds", "kind": "status", "status": 401});
    stage.stripe.arm_fault(fault).unwrap();
    let path = format!("/api/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    assert_eq!(stage.post("carl", &path, &json!({"digest": approval["digest"]})).await.status, 200);
    stage.settle().await;
    let shown = stage.get("sam", path.strip_suffix("/approve").unwrap()).await.json();
    assert_eq!(shown["status"], "in_doubt", "{shown}");
    shown["proposal"].as_str().unwrap().to_owned()
}

async fn proposal(stage: &Stage) -> Value {
    let cases = stage.get("sam", "/api/v1/cases").await.json();
    let case = cases["data"][0]["id"].as_str().unwrap();
    stage.get("sam", &format!("/api/v1/cases/{case}")).await.json()["proposals"][0].clone()
}

#[tokio::test]
async fn those_with_a_say_ask_for_another_look() {
    let stage = Stage::open().await;
    let path = format!("/api/v1/proposals/{}/look_again", doubted(&stage).await);
    assert_eq!(stage.post("sam", &path, &json!({})).await.refusal(), (403, "forbidden".to_owned()));
    let asked = stage.post("olivia", &path, &json!({})).await;
    assert_eq!((asked.status, &asked.json()["looking"]), (200, &json!(true)), "{}", asked.text);
    stage.settle().await;
    assert_eq!(proposal(&stage).await["state"], "in_doubt");
    assert_eq!(stage.audited("execution.look_asked").await.len(), 1);
    assert_eq!(stage.refunds(), 0, "looking sends nothing");
}

#[tokio::test]
async fn a_controller_settles_it_and_nobody_else() {
    let stage = Stage::open().await;
    let path = format!("/api/v1/proposals/{}/settle", doubted(&stage).await);
    let word = json!({"happened": false, "reason": "not in the dashboard"});
    for name in ["sam", "olivia", "priya"] {
        assert_eq!(stage.post(name, &path, &word).await.refusal(), (403, "forbidden".to_owned()), "{name}");
    }
    let agent = format!("Bearer {}", stage.token("carl", "agent", None).await);
    let request = axum::http::Request::post(&path).header("authorization", agent);
    let answer = stage.send(request.body(axum::body::Body::from(word.to_string())).unwrap()).await;
    assert_eq!(answer.refusal(), (403, "forbidden".to_owned()), "an agent says nothing about the truth");
    for (bad, param) in [
        (json!({"happened": false, "reason": " "}), "reason"),
        (json!({"happened": false, "reason": "x", "object": "re_1"}), "object"),
        (json!({"happened": true, "reason": "x", "object": "re 1"}), "object"),
    ] {
        let answer = stage.post("carl", &path, &bad).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (422, &json!(param)), "{bad}");
    }
    assert_eq!(stage.post("carl", &path, &json!({"reason": "x"})).await.status, 422);
    assert_eq!(proposal(&stage).await["state"], "in_doubt");

    for _ in 0..2 {
        let settled = stage.post_once("carl", &path, "settle-1", &word).await;
        assert_eq!(
            (settled.status, &settled.json()["state"]),
            (200, &json!("no_effect")),
            "{}",
            settled.text
        );
    }
    let late = stage.post("cora", &path, &word).await;
    assert_eq!(late.refusal(), (409, "not_in_doubt".to_owned()));
    let after = proposal(&stage).await;
    assert_eq!((&after["state"], &after["why"]), (&json!("no_effect"), &json!("not in the dashboard")));
    assert_eq!(stage.audited("execution.settled_by_hand").await.len(), 1);
    assert_eq!(stage.refunds(), 0);
}

#[tokio::test]
async fn what_is_not_there_is_not_in_doubt() {
    let stage = Stage::open().await;
    let word = json!({"happened": true, "reason": "x"});
    for id in ["prop_x", "%2e%2e", "prop_00000000000000000000000000"] {
        for (verb, body) in [("look_again", &json!({})), ("settle", &word)] {
            let answer = stage.post("carl", &format!("/api/v1/proposals/{id}/{verb}"), body).await;
            assert_eq!(answer.refusal(), (404, "resource_missing".to_owned()), "{id} {verb}");
        }
    }
}
