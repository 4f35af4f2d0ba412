//! Rows 73 to 76: a request under a key is answered once.

use serde_json::{Value, json};

use super::Stage;

const PATH: &str = "/api/v1/refund_requests";

fn wish(charge: &str, amount: i64) -> Value {
    json!({"charge": charge, "amount": amount, "reason": "duplicate"})
}

#[tokio::test]
async fn the_same_request_is_told_the_same() {
    let stage = Stage::open().await;
    let body = wish(&stage.charge(9_000, "usd"), 1_000);
    let first = stage.post_once("sam", PATH, "key-1", &body).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    stage.settle().await;
    // Done meanwhile: without the key this would be a second refund.
    let again = stage.post_once("sam", PATH, "key-1", &body).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"), "73");
    assert_eq!(again.json(), first.json(), "73");
    stage.settle().await;
    assert_eq!(stage.refunds(), 1, "73");
    assert_eq!(stage.post_once("sam", PATH, "key-2", &body).await.status, 201);
    stage.settle().await;
    assert_eq!(stage.refunds(), 2, "another key is another wish");
}

#[tokio::test]
async fn a_denial_is_an_answer_too() {
    let stage = Stage::open().await;
    let body = wish(&stage.charge(9_000, "usd"), 9_001);
    let first = stage.post_once("sam", PATH, "key-1", &body).await;
    assert_eq!(first.refusal(), (422, "amount_too_large".to_owned()));
    let again = stage.post_once("sam", PATH, "key-1", &body).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (422, "true"), "73");
    assert_eq!(again.json(), first.json(), "73");
    assert_eq!(stage.count("SELECT COUNT(*) FROM proposals").await, 1, "73: filed once");
}

#[tokio::test]
async fn a_mistake_can_be_mended_under_its_key() {
    let stage = Stage::open().await;
    let charge = stage.charge(9_000, "usd");
    assert_eq!(stage.post_once("sam", PATH, "key-1", &wish(&charge, 0)).await.status, 422);
    let mended = stage.post_once("sam", PATH, "key-1", &wish(&charge, 1_000)).await;
    assert_eq!((mended.status, mended.header("idempotent-replayed")), (201, ""));
}

#[tokio::test]
async fn another_request_under_the_key_is_refused() {
    let stage = Stage::open().await;
    let (charge, other) = (stage.charge(9_000, "usd"), stage.charge(9_000, "usd"));
    assert_eq!(stage.post_once("sam", PATH, "key-1", &wish(&charge, 1_000)).await.status, 201);
    for body in [wish(&other, 1_000), wish(&charge, 1_001)] {
        let answer = stage.post_once("sam", PATH, "key-1", &body).await;
        assert_eq!(answer.refusal(), (409, "idempotency_error".to_owned()), "74: {body}");
    }
    let approval = stage.asked().await;
    let path = format!("/api/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    let vote = json!({"digest": approval["digest"]});
    assert_eq!(stage.post_once("sam", &path, "key-1", &vote).await.status, 409, "74: at another path");
    stage.settle().await;
    assert_eq!(stage.refunds(), 1);
}

#[tokio::test]
async fn keys_of_two_people_never_meet() {
    let stage = Stage::open().await;
    let (charge, other) = (stage.charge(9_000, "usd"), stage.charge(9_000, "usd"));
    assert_eq!(stage.post_once("sam", PATH, "key-1", &wish(&charge, 1_000)).await.status, 201);
    let theirs = stage.post_once("olivia", PATH, "key-1", &wish(&other, 2_000)).await;
    assert_eq!((theirs.status, &theirs.json()["amount"]), (201, &json!(2_000)));
}

#[tokio::test]
async fn two_at_once_are_told_apart() {
    let stage = Stage::open().await;
    let body = wish(&stage.charge(9_000, "usd"), 1_000);
    let (one, other) = tokio::join!(
        stage.post_once("sam", PATH, "key-1", &body),
        stage.post_once("sam", PATH, "key-1", &body)
    );
    let (done, early) = if one.status == 201 { (one, other) } else { (other, one) };
    assert_eq!(done.status, 201, "75: {}", done.text);
    assert_eq!(early.refusal(), (409, "idempotency_key_in_use".to_owned()), "75");
    let later = stage.post_once("sam", PATH, "key-1", &body).await;
    assert_eq!((later.status, later.header("idempotent-replayed")), (201, "true"), "75: retryable");
    stage.settle().await;
    assert_eq!(stage.refunds(), 1, "75");
}

#[tokio::test]
async fn a_request_that_went_away_frees_its_key() {
    let stage = Stage::open().await;
    let body = wish(&stage.charge(9_000, "usd"), 1_000);
    {
        let mut leaving = std::pin::pin!(stage.post_once("sam", PATH, "key-1", &body));
        assert!(futures_util::poll!(&mut leaving).is_pending());
    }
    // What was begun is carried to its end; until then the key is in use.
    let mut again = stage.post_once("sam", PATH, "key-1", &body).await;
    while again.status == 409 {
        assert_eq!(again.refusal().1, "idempotency_key_in_use");
        tokio::task::yield_now().await;
        again = stage.post_once("sam", PATH, "key-1", &body).await;
    }
    assert!([200, 201].contains(&again.status), "{}", again.text);
    stage.settle().await;
    assert_eq!(stage.refunds(), 1);
}

/// From here on no answer can be kept: the process might as well die between the filing and that.
async fn lose_answers(stage: &Stage) {
    for (name, when) in [("lost_insert", "INSERT"), ("lost_update", "UPDATE")] {
        let trigger = format!(
            "CREATE TRIGGER {name} BEFORE {when} ON request_keys WHEN NEW.answer IS NOT NULL
             BEGIN SELECT RAISE(ABORT, 'lost'); END"
        );
        stage.sql(trigger.leak()).await;
    }
}

async fn keep_answers(stage: &Stage) {
    stage.sql("DROP TRIGGER lost_insert").await;
    stage.sql("DROP TRIGGER lost_update").await;
}

#[tokio::test]
async fn a_lost_answer_never_refunds_twice() {
    let stage = Stage::open().await;
    let body = wish(&stage.charge(9_000, "usd"), 1_000);
    lose_answers(&stage).await;
    stage.post_once("sam", PATH, "key-1", &body).await;
    stage.settle().await;
    assert_eq!(stage.refunds(), 1);
    keep_answers(&stage).await;
    let other = stage.post_once("sam", PATH, "key-1", &wish("ch_other", 1_000)).await;
    assert_eq!(other.refusal(), (409, "idempotency_error".to_owned()), "the key is taken all the same");
    for _ in 0..2 {
        let again = stage.post_once("sam", PATH, "key-1", &body).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"), "{}", again.text);
        assert_eq!((&again.json()["status"], &again.json()["repeated"]), (&json!("done"), &json!(true)));
        stage.settle().await;
    }
    assert_eq!(stage.refunds(), 1, "as it stands now, and not once more");
}

#[tokio::test]
async fn a_key_that_found_the_same_open_stays_with_it() {
    let stage = Stage::open().await;
    let body = wish(&stage.charge(64_000, "usd"), 20_000);
    let first = stage.post("sam", PATH, &body).await.json();
    lose_answers(&stage).await;
    stage.post_once("sam", PATH, "key-1", &body).await;
    keep_answers(&stage).await;
    let path = format!("/api/v1/approvals/{}", first["approval"].as_str().unwrap());
    let digest = stage.get("carl", &path).await.json()["digest"].clone();
    let vote = stage.post("carl", &format!("{path}/approve"), &json!({"digest": digest})).await;
    assert_eq!(vote.status, 200, "{}", vote.text);
    stage.settle().await;
    let again = stage.post_once("sam", PATH, "key-1", &body).await;
    assert_eq!((&again.json()["id"], &again.json()["status"]), (&first["id"], &json!("done")));
}

#[tokio::test]
async fn whoever_hangs_up_while_it_is_filed_finds_it_under_the_key() {
    let stage = Stage::open().await;
    let body = wish(&stage.charge(9_000, "usd"), 1_000);
    {
        let mut leaving = std::pin::pin!(stage.post_once("sam", PATH, "key-1", &body));
        while stage.count("SELECT COUNT(*) FROM proposals").await == 0 {
            assert!(futures_util::poll!(&mut leaving).is_pending());
        }
    }
    stage.settle().await;
    let answered = async {
        loop {
            let again = stage.post_once("sam", PATH, "key-1", &body).await;
            if again.status != 409 {
                return again;
            }
        }
    };
    let again = tokio::time::timeout(std::time::Duration::from_secs(20), answered).await.unwrap();
    assert!([200, 201].contains(&again.status), "{}", again.text);
    stage.settle().await;
    assert_eq!(stage.refunds(), 1);
}

#[tokio::test]
async fn a_key_is_short_and_visible() {
    let stage = Stage::open().await;
    let body = wish(&stage.charge(9_000, "usd"), 1_000);
    let (longest, longer) = ("k".repeat(255), "k".repeat(256));
    for (row, key, status) in [
        ("76: empty", "", 400),
        ("76: 256 characters", longer.as_str(), 400),
        ("76: a tab", "a\tb", 400),
        ("76: not ASCII", "schl\u{fc}ssel", 400),
        ("255 characters", longest.as_str(), 201),
        ("a blank", "a b", 201),
    ] {
        let answer = stage.post_once("sam", PATH, key, &body).await;
        assert_eq!(answer.status == 400, status == 400, "{row}: {}", answer.text);
    }
    let request = axum::http::Request::post(PATH).header("authorization", stage.bearer("sam"));
    let request = request.header("idempotency-key", "one").header("idempotency-key", "two");
    let answer = stage.send(request.body(axum::body::Body::from(body.to_string())).unwrap()).await;
    assert_eq!(answer.status, 400, "76: two of them");
}
