//! A restored copy through the API: who sees how it stands, and who lets things leave again.

use serde_json::json;

use super::Stage;

#[tokio::test]
async fn a_restored_copy_is_told_everywhere_and_cleared_by_a_controller() {
    let stage = Stage::open().await;
    assert_eq!(
        stage.get("priya", "/api/v1/restore").await.json(),
        json!({"object": "restore", "held": false})
    );
    let nothing = stage.post("carl", "/api/v1/restore/lift", &json!({})).await;
    assert_eq!(nothing.refusal(), (409, "nothing_held".to_owned()));
    stage
        .sql(
            "INSERT INTO restores (id, place, why, noticed_at, head_seq, since_s, stock_taken)
             VALUES ('rst_00000000000000000000000000', 1, 'restored', 0, 7, 0, FALSE)",
        )
        .await;
    assert_eq!(stage.get("sam", "/api/v1/restore").await.status, 403);
    let stands = stage.get("olivia", "/api/v1/restore").await.json();
    assert_eq!(
        (&stands["held"], &stands["head"], &stands["ready"]),
        (&json!(true), &json!(7), &json!(false))
    );
    let status = stage.get("sam", "/api/v1/status").await.json();
    assert_eq!(status["status"], "degraded");
    assert!(
        status["troubles"][0].as_str().unwrap().contains("nothing leaves until it is cleared"),
        "{status}"
    );
    let page = stage.get("olivia", "/api/v1/approvals").await;
    assert_eq!(page.status, 200, "people are asked as usual");
    for (who, body, status, code) in [
        ("olivia", json!({}), 403, "forbidden"),
        ("carl", json!({}), 409, "not_compared"),
        ("carl", json!({"although_incomplete": "yes"}), 422, "parameter_invalid"),
    ] {
        let answer = stage.post(who, "/api/v1/restore/lift", &body).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{who} {body}");
    }
    let lifted = stage.post("carl", "/api/v1/restore/lift", &json!({"although_incomplete": true})).await;
    assert_eq!((lifted.status, lifted.json()), (200, json!({"object": "restore", "held": false})));
    assert_eq!(stage.audited("restore.lifted").await.len(), 1);
    assert_eq!(stage.get("sam", "/api/v1/status").await.json()["status"], "ok");
}
