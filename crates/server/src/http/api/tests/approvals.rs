//! Rows 91 to 97: who decides, on what, and how often.

use serde_json::{Value, json};

use super::{Answer, Stage};
use crate::http::tests::stage::Setup;

async fn vote(stage: &Stage, name: &str, approval: &Value, choice: &str) -> Answer {
    let path = format!("/api/v1/approvals/{}/{choice}", approval["id"].as_str().unwrap());
    let mut body = json!({"digest": approval["digest"]});
    if choice == "reject" {
        body["reason"] = "no receipt".into();
    }
    stage.post(name, &path, &body).await
}

async fn shown(stage: &Stage, approval: &Value) -> Value {
    stage.get("cora", &format!("/api/v1/approvals/{}", approval["id"].as_str().unwrap())).await.json()
}

fn code(text: &str) -> String {
    text.to_owned()
}

#[tokio::test]
async fn one_yes_is_one_refund() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    assert_eq!((&approval["status"], &approval["may_decide"]), (&json!("pending"), &json!(true)));
    assert_eq!(vote(&stage, "carl", &approval, "approve").await.status, 200);
    for name in ["carl", "cora"] {
        let again = vote(&stage, name, &approval, "approve").await;
        assert_eq!(again.refusal(), (409, code("approval_decided")), "91: {name}");
    }
    assert_eq!(
        vote(&stage, "cora", &approval, "reject").await.refusal(),
        (409, code("approval_decided")),
        "97"
    );
    stage.settle().await;
    let after = shown(&stage, &approval).await;
    assert_eq!(
        (&after["status"], after["votes"].as_array().unwrap().len()),
        (&json!("executed"), 1),
        "{after}"
    );
    let receipt = &after["receipt"];
    assert_eq!(
        (&receipt["state"], &receipt["sends"], stage.refunds()),
        (&json!("done"), &json!(1), 1),
        "{receipt}"
    );
    let rows = receipt["changes"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["agrees"] == true), "{receipt}");
    assert_eq!(stage.audited("vote.cast").await.len(), 1);
    for (status, found) in [("executed", 1), ("approved", 1), ("failed", 0), ("pending", 0)] {
        let list = stage.get("carl", &format!("/api/v1/approvals?status={status}")).await.json();
        assert_eq!(list["data"].as_array().unwrap().len(), found, "{status}");
    }
}

#[tokio::test]
async fn one_person_has_one_vote_through_every_door() {
    let stage = Stage::open_as(Setup { quorum_of_two: true, ..Setup::default() }).await;
    let approval = stage.asked().await;
    assert_eq!(vote(&stage, "carl", &approval, "approve").await.status, 200);
    assert_eq!(
        vote(&stage, "carl", &approval, "approve").await.refusal(),
        (409, code("already_voted")),
        "91"
    );
    let second_token = stage.token("carl", "user", None).await;
    let path = format!("/api/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    let request = axum::http::Request::post(&path).header("authorization", format!("Bearer {second_token}"));
    let body = json!({"digest": approval["digest"]}).to_string();
    let answer = stage.send(request.body(axum::body::Body::from(body)).unwrap()).await;
    assert_eq!(answer.refusal(), (409, code("already_voted")), "96");
    stage.settle().await;
    assert_eq!((stage.refunds(), &shown(&stage, &approval).await["status"]), (0, &json!("pending")));
    assert_eq!(vote(&stage, "cora", &approval, "approve").await.status, 200);
    stage.settle().await;
    assert_eq!(stage.refunds(), 1);
}

#[tokio::test]
async fn a_double_click_is_one_vote() {
    let stage = Stage::open_as(Setup { quorum_of_two: true, ..Setup::default() }).await;
    let approval = stage.asked().await;
    let (one, other) =
        tokio::join!(vote(&stage, "carl", &approval, "approve"), vote(&stage, "carl", &approval, "approve"));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "91");
    assert_eq!(stage.count("SELECT COUNT(*) FROM votes").await, 1, "91");
}

#[tokio::test]
async fn nobody_decides_after_the_end() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    stage.stripe.advance(86_400).unwrap();
    assert_eq!(
        vote(&stage, "carl", &approval, "approve").await.refusal(),
        (410, code("approval_expired")),
        "92: at once"
    );
    stage.settle().await;
    for choice in ["approve", "reject"] {
        let answer = vote(&stage, "carl", &approval, choice).await;
        assert_eq!(answer.refusal(), (410, code("approval_expired")), "92: {choice}");
    }
    assert_eq!((&shown(&stage, &approval).await["status"], stage.refunds()), (&json!("expired"), 0));
}

#[tokio::test]
async fn a_vote_is_on_what_was_shown() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    let digest = approval["digest"].as_str().unwrap();
    let path = format!("/api/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    for other in
        [digest.to_uppercase(), format!("{digest}0"), digest[1..].to_owned(), String::new(), "*".to_owned()]
    {
        let answer = stage.post("carl", &path, &json!({"digest": other})).await;
        assert_eq!(answer.refusal(), (409, code("digest_changed")), "93: {other}");
    }
    for body in [
        json!({}),
        json!({"digest": null}),
        json!({"digest": digest, "amount": 1}),
        json!({"digest": [digest]}),
    ] {
        assert_eq!(stage.post("carl", &path, &body).await.status, 422, "66: {body}");
    }
    stage.settle().await;
    assert_eq!((&shown(&stage, &approval).await["status"], stage.refunds()), (&json!("pending"), 0));
}

#[tokio::test]
async fn nobody_decides_on_their_own_wish() {
    let stage = Stage::open().await;
    let charge = stage.charge(64_000, "usd");
    let asked =
        stage.post("carl", "/api/v1/refund_requests", &json!({"charge": charge, "reason": "x"})).await.json();
    let approval =
        stage.get("carl", &format!("/api/v1/approvals/{}", asked["approval"].as_str().unwrap())).await.json();
    assert_eq!(approval["may_decide"], false, "94: the card says so");
    for choice in ["approve", "reject"] {
        let answer = vote(&stage, "carl", &approval, choice).await;
        assert_eq!(answer.refusal(), (403, code("own_proposal")), "94: {choice}");
    }
    let refused = stage.audited("vote.refused").await;
    assert_eq!(refused.len(), 2, "94: {refused:?}");
    let carl = stage.engine.person_by_email("carl@northwind.example").await.unwrap().unwrap();
    assert_eq!(refused[0]["actor"], format!("person:{}", carl.id));
    assert_eq!(refused[0]["lane"], approval["lane"]);
    let data = json!({"approval": approval["id"], "proposal": approval["proposal"], "choice": "reject", "method": "api",
        "why": "own_proposal"});
    assert_eq!(refused[0]["data"], data, "94");
    assert!(stage.engine.verify_audit().await.unwrap().ok, "94: and the audit verifies");
    assert_eq!(vote(&stage, "cora", &approval, "approve").await.status, 200);
}

#[tokio::test]
async fn an_agents_wish_is_its_owners() {
    let stage = Stage::open().await;
    let token = stage.token("carl", "agent", None).await;
    let charge = stage.charge(64_000, "usd");
    let request = axum::http::Request::post("/api/v1/refund_requests")
        .header("authorization", format!("Bearer {token}"));
    let body = json!({"charge": charge, "reason": "x"}).to_string();
    let asked = stage.send(request.body(axum::body::Body::from(body)).unwrap()).await;
    assert_eq!(asked.status, 201, "{}", asked.text);
    let path = format!("/api/v1/approvals/{}", asked.json()["approval"].as_str().unwrap());
    let approval = stage.get("cora", &path).await.json();
    assert_eq!(
        vote(&stage, "carl", &approval, "approve").await.refusal(),
        (403, code("own_proposal")),
        "94: T11"
    );
    assert_eq!(stage.audited("vote.refused").await.len(), 1);
}

#[tokio::test]
async fn machines_never_vote() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    for (number, kind) in ["agent", "api_key"].into_iter().enumerate() {
        let token = stage.token("cora", kind, None).await;
        for choice in ["approve", "reject"] {
            let path = format!("/api/v1/approvals/{}/{choice}", approval["id"].as_str().unwrap());
            let request = axum::http::Request::post(&path).header("authorization", format!("Bearer {token}"));
            let body = json!({"digest": approval["digest"], "reason": "x"}).to_string();
            let answer = stage.send(request.body(axum::body::Body::from(body)).unwrap()).await;
            assert_eq!(answer.refusal(), (403, code("forbidden")), "T11: {kind} {choice}");
        }
        let refused = stage.audited("vote.refused").await;
        assert_eq!(refused.len(), 2 * (number + 1), "94: audited");
        assert!(refused[0]["actor"].as_str().unwrap().starts_with(&format!("{kind}:")), "{}", refused[0]);
        assert_eq!(refused[0]["data"]["why"], "not_a_person");
    }
    stage.settle().await;
    assert_eq!((&shown(&stage, &approval).await["status"], stage.refunds()), (&json!("pending"), 0));
}

#[tokio::test]
async fn a_role_that_is_not_asked_does_not_decide() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    for name in ["olivia", "priya"] {
        let answer = vote(&stage, name, &approval, "approve").await;
        assert_eq!(answer.refusal(), (403, code("role_not_asked")), "65: {name}");
    }
    assert_eq!(stage.audited("vote.refused").await.len(), 2);
}

#[tokio::test]
async fn a_role_lost_a_second_ago_is_lost() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    stage.sql("UPDATE people SET roles = 'support' WHERE name = 'carl'").await;
    assert_eq!(
        vote(&stage, "carl", &approval, "approve").await.refusal(),
        (403, code("role_not_asked")),
        "95"
    );
    stage.sql("UPDATE people SET disabled_at = 1 WHERE name = 'cora'").await;
    assert_eq!(vote(&stage, "cora", &approval, "approve").await.status, 401, "95: and a person who left");
    stage.settle().await;
    assert_eq!(stage.refunds(), 0);
}

#[tokio::test]
async fn a_yes_of_somebody_who_lost_the_role_no_longer_counts() {
    let stage = Stage::open_as(Setup { quorum_of_two: true, ..Setup::default() }).await;
    let approval = stage.asked().await;
    assert_eq!(vote(&stage, "carl", &approval, "approve").await.status, 200);
    stage.sql("UPDATE people SET roles = 'support' WHERE name = 'carl'").await;
    assert_eq!(vote(&stage, "cora", &approval, "approve").await.status, 200);
    stage.settle().await;
    assert_eq!((&shown(&stage, &approval).await["status"], stage.refunds()), (&json!("pending"), 0), "95");
}

#[tokio::test]
async fn of_a_yes_and_a_no_at_once_one_wins() {
    for (first, second) in [("approve", "reject"), ("reject", "approve")] {
        let stage = Stage::open().await;
        let approval = stage.asked().await;
        let (one, other) =
            tokio::join!(vote(&stage, "carl", &approval, first), vote(&stage, "cora", &approval, second));
        let (won, lost) = if one.status == 200 { ((one, first), other) } else { ((other, second), one) };
        assert_eq!(won.0.status, 200, "97");
        assert_eq!(lost.refusal(), (409, code("approval_decided")), "97");
        stage.settle().await;
        let approved = won.1 == "approve";
        let expected = if approved { ("executed", 1) } else { ("rejected", 0) };
        let after = shown(&stage, &approval).await;
        assert_eq!((after["status"].as_str().unwrap(), stage.refunds()), expected, "97: {after}");
        assert_eq!(stage.count("SELECT COUNT(*) FROM votes").await, 1, "97");
        assert!(stage.engine.verify_audit().await.unwrap().ok);
    }
}

#[tokio::test]
async fn a_no_says_why() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    let path = format!("/api/v1/approvals/{}/reject", approval["id"].as_str().unwrap());
    for reason in [json!(null), json!(""), json!(" \n")] {
        let body = json!({"digest": approval["digest"], "reason": reason});
        assert_eq!(
            stage.post("carl", &path, &body).await.refusal(),
            (422, code("reason_missing")),
            "{reason}"
        );
    }
    assert_eq!(stage.audited("vote.refused").await.len(), 0, "a form filled in by half");
    let body = json!({"digest": approval["digest"], "reason": "é".repeat(5_000)});
    assert_eq!(stage.post("carl", &path, &body).await.status, 200);
    let path = format!("/api/v1/approvals/{}", approval["id"].as_str().unwrap());
    let closed = stage.get("carl", &path).await.json();
    let kept = closed["votes"][0]["reason"].as_str().unwrap().chars().count();
    assert_eq!(kept, 1_000, "words are cut, not bytes");
}

#[tokio::test]
async fn what_was_refunded_elsewhere_is_not_refunded_again() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    let charge = approval["card"]["target"]["id"].as_str().unwrap();
    // Somebody refunds part of it in the Dashboard.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("{}/v1/refunds", stage.stripe_url))
        .bearer_auth(stage.stripe.secret_key())
        .form(&[("charge", charge), ("amount", "1000")])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    assert_eq!(vote(&stage, "carl", &approval, "approve").await.status, 200);
    stage.settle().await;
    let after = shown(&stage, &approval).await;
    assert_eq!((&after["status"], stage.refunds()), (&json!("void"), 1), "T10: {after}");
}
