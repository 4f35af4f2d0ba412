//! What people change about the installation, through the API.

use serde_json::json;

use super::Stage;

#[tokio::test]
async fn a_mode_is_set_where_it_makes_sense() {
    let stage = Stage::open().await;
    let own = format!("{}/test", stage.stripe.account_id());
    for (body, status) in [
        (json!({"playbook": "recovery", "mode": "assist"}), 200),
        (json!({"playbook": "recovery", "lane": own, "mode": "observe"}), 200),
        (json!({"playbook": "recovery", "lane": own.replace("/test", "/live"), "mode": "automate"}), 404),
        (json!({"playbook": "roulette", "mode": "automate"}), 422),
        (json!({"playbook": "recovery", "mode": "yolo"}), 422),
        (json!({"playbook": "recovery"}), 422),
        (json!({"playbook": "recovery", "mode": "assist", "force": true}), 422),
    ] {
        let answer = stage.post("carl", "/api/v1/modes", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    let modes = stage.get("sam", "/api/v1/modes").await.json();
    assert!(
        modes["data"].as_array().unwrap().iter().any(|row| row["lane"] == own && row["mode"] == "observe"),
        "{modes}"
    );
    assert_eq!(stage.audited("mode.set").await.len(), 2);
}

#[tokio::test]
async fn a_kill_switch_stops_what_was_agreed_to() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    assert_eq!(
        stage
            .post("olivia", "/api/v1/kill_switches", &json!({"scope": "all", "reason": "drill"}))
            .await
            .status,
        200
    );
    let path = format!("/api/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    let answer = stage.post("carl", &path, &json!({"digest": approval["digest"]})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    stage.settle().await;
    assert_eq!(stage.refunds(), 0, "nothing is sent under a kill switch");
    assert_eq!(stage.get("sam", "/api/v1/status").await.json()["status"], "degraded");
}

#[tokio::test]
async fn a_kill_switch_is_thrown_by_name_and_reset_by_few() {
    let stage = Stage::open().await;
    let own = format!("{}/test", stage.stripe.account_id());
    let escaped = format!("lane:{}", own.replace('/', "%2F"));
    for (body, status) in [
        (json!({"scope": format!("lane:{own}"), "reason": "drill"}), 200),
        (json!({"scope": "lane:acct_1/test", "reason": "drill"}), 422),
        (json!({"scope": format!("lane:{}", stage.stripe.account_id()), "reason": "drill"}), 422),
        (json!({"scope": "playbook:recover", "reason": "drill"}), 422),
        (json!({"scope": "everything", "reason": "drill"}), 422),
        (json!({"scope": "", "reason": "drill"}), 422),
        (json!({"scope": "all"}), 422),
    ] {
        assert_eq!(stage.post("olivia", "/api/v1/kill_switches", &body).await.status, status, "{body}");
    }
    let revive = |name: &'static str, scope: &str| {
        let request = axum::http::Request::delete(format!("/api/v1/kill_switches/{scope}"));
        let request = request.header("authorization", stage.bearer(name));
        stage.send(request.body(axum::body::Body::empty()).unwrap())
    };
    assert_eq!(revive("olivia", &escaped).await.status, 403);
    assert_eq!(stage.count("SELECT COUNT(*) FROM kill_switches").await, 1);
    assert_eq!(revive("carl", &escaped).await.status, 200);
    assert_eq!(stage.count("SELECT COUNT(*) FROM kill_switches").await, 0);
    assert_eq!(revive("carl", &escaped).await.status, 404, "it is not thrown");
    assert_eq!(
        (stage.audited("kill_switch.thrown").await.len(), stage.audited("kill_switch.reset").await.len()),
        (1, 1)
    );
}

#[tokio::test]
async fn what_is_not_there_cannot_be_done() {
    let stage = Stage::open().await;
    for path in ["/api/v1/dead_letters/job_x/retry", "/api/v1/tasks/task_x/done", "/api/v1/tasks/%2e%2e/done"]
    {
        let answer = stage.post("olivia", path, &json!({})).await;
        assert_eq!(answer.refusal(), (404, "resource_missing".to_owned()), "{path}");
    }
    assert_eq!(stage.audited("task.done").await.len(), 0, "and nothing is recorded as done");
}

#[tokio::test]
async fn a_task_is_done_by_whom_it_is_for() {
    let stage = Stage::open().await;
    stage
        .sql("INSERT INTO tasks VALUES ('task_1', 'l', 'case_1', 'controller', 'open', 0, NULL, '-', x'00')")
        .await;
    let path = "/api/v1/tasks/task_1/done";
    assert_eq!(stage.post("sam", path, &json!({})).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(stage.post("carl", path, &json!({})).await.status, 200);
    assert_eq!(stage.post("carl", path, &json!({})).await.status, 404, "done is done");
    assert_eq!(stage.audited("task.done").await.len(), 1);
}

#[tokio::test]
async fn a_poisonous_job_parks_itself_alone() {
    let stage = Stage::open().await;
    for poison in [
        // One that nobody knows how to do, after its last try, and one that nobody can even read.
        "INSERT INTO jobs VALUES ('job_00000000000000000000000000', 'acct_x/test', 'nonsense', 'k', '{}', 'queued', 'machine', 0, 0, 4, 0, 0, NULL, NULL)",
        "INSERT INTO jobs VALUES ('damaged', 'acct_x/test', 'event', 'k2', 'no JSON', 'queued', 'machine', 0, 0, 0, 0, 0, NULL, NULL)",
    ] {
        stage.sql(poison).await;
    }
    let approval = stage.asked().await;
    let path = format!("/api/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    stage.post("carl", &path, &json!({"digest": approval["digest"]})).await;
    stage.settle().await;
    assert_eq!(stage.refunds(), 1, "T34: others flow");
    let dead = stage.get("priya", "/api/v1/dead_letters").await.json();
    let ids: Vec<&str> =
        dead["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2, "T34: {dead}");
    for id in ids {
        let retried = stage.post("priya", &format!("/api/v1/dead_letters/{id}/retry"), &json!({})).await;
        assert_eq!(retried.status, 200, "{id}");
    }
    assert_eq!(stage.audited("dead_letter.retried").await.len(), 2);
}

#[tokio::test]
async fn a_denial_under_a_kill_switch_says_that_it_is_the_kill_switch() {
    let stage = Stage::open().await;
    let kill = json!({"scope": "all", "reason": " drill "});
    assert_eq!(stage.post("olivia", "/api/v1/kill_switches", &kill).await.status, 200);
    for amount in [500, 100_000] {
        let charge = stage.charge(50_000, "usd");
        let body = json!({"charge": charge, "amount": amount, "reason": "duplicate"});
        let answer = stage.post("sam", "/api/v1/refund_requests", &body).await;
        assert_eq!(answer.refusal(), (403, "blocked_by_policy".to_owned()), "{}", answer.text);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("stopped by the kill switch of all (drill)"), "{message}");
        assert!(!message.contains("refunds.") && message.contains("Nothing was sent"), "{message}");
    }
    let nameless = json!({"scope": "all", "reason": "  "});
    assert_eq!(stage.post("olivia", "/api/v1/kill_switches", &nameless).await.status, 422);
}
