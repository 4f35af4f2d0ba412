//! Rows 1 to 18 and 22 to 24: what a delivery says about its sender.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use bursar_stripe::signature::{HEADER_BYTES_MAX, sign};

use super::stage::{
    Answer, CONNECT_SECRET, INGEST, NOW_S, ROLLED_SECRET, SECRET, Stage, bytes, event, signed,
};

const REFUSED: &str = "the signature does not verify";

fn body() -> Vec<u8> {
    bytes(&event("evt_1"))
}

/// The hex of a right signature made at a second.
fn hex(secret: &str, at_s: i64, body: &[u8]) -> String {
    sign(secret, at_s, body).split_once("v1=").unwrap().1.to_owned()
}

async fn deliver_with(stage: &Stage, header: &[u8], body: &[u8]) -> Answer {
    let header = HeaderValue::from_bytes(header).unwrap();
    let request = Request::post(INGEST).header("stripe-signature", header);
    stage.send(request.body(Body::from(body.to_vec())).unwrap()).await
}

/// Header by row; each is wrong in one way only.
fn wrong_headers() -> Vec<(&'static str, String)> {
    let (body, right) = (body(), hex(SECRET, NOW_S, &body()));
    let at = |second: i64| sign(SECRET, second, &body);
    let many = format!(",v1={}", "0".repeat(64)).repeat(10_000);
    vec![
        ("2: empty", String::new()),
        ("3: time only", format!("t={NOW_S}")),
        ("3: time of nothing", "t=".to_owned()),
        ("4: signature only", format!("v1={right}")),
        ("5: a time that is a word", format!("t=abc,v1={right}")),
        ("6: a time before all times", format!("t=-1,v1={right}")),
        ("7: a time after all times", format!("t=99999999999999999999,v1={right}")),
        ("8: two times", format!("t={NOW_S},t={NOW_S},v1={right}")),
        ("9: the fake scheme only", format!("t={NOW_S},v0={right}")),
        ("10: upper case", format!("t={NOW_S},v1={}", right.to_uppercase())),
        ("11: 63 characters", format!("t={NOW_S},v1={}", &right[..63])),
        ("11: 65 characters", format!("t={NOW_S},v1={right}0")),
        ("13: ten thousand signatures", format!("t={NOW_S}{many}")),
        (
            "13: as many as fit, the right one last",
            format!("t={NOW_S}{},v1={right}", &many[..HEADER_BYTES_MAX / 2]),
        ),
        ("15: 301 s old", at(NOW_S - 301)),
        ("16: 301 s ahead", at(NOW_S + 301)),
        ("19: the secret of the other endpoint", sign(CONNECT_SECRET, NOW_S, &body)),
        ("another's secret", sign("whsec_of_somebody_else", NOW_S, &body)),
        ("no items", "hello".to_owned()),
    ]
}

#[tokio::test]
async fn a_wrong_signature_is_refused_in_constant_words_and_kept_nowhere() {
    let stage = Stage::open().await;
    for (row, header) in wrong_headers() {
        let answer = deliver_with(&stage, header.as_bytes(), &body()).await;
        assert_eq!((answer.status, answer.text.as_str()), (400, REFUSED), "{row}");
    }
    let unsigned = Request::post(INGEST).body(Body::from(body())).unwrap();
    let answer = stage.send(unsigned).await;
    assert_eq!((answer.status, answer.text.as_str()), (400, REFUSED), "1: no header");
    let answer = deliver_with(&stage, b"t=1,v1=\xff\xfe", &body()).await;
    assert_eq!((answer.status, answer.text.as_str()), (400, REFUSED), "a header that is no text");
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 0);
    assert_eq!(stage.count("SELECT COUNT(*) FROM quarantine").await, 0);
}

#[tokio::test]
async fn two_signature_headers_are_one_too_many() {
    let stage = Stage::open().await;
    let mut request = signed(INGEST, SECRET, &body());
    request.headers_mut().append("stripe-signature", HeaderValue::from_static("t=1,v1=00"));
    assert_eq!(stage.send(request).await.status, 400);
}

#[tokio::test]
async fn what_is_signed_is_the_bytes() {
    let stage = Stage::open().await;
    let right = sign(SECRET, NOW_S, &body());
    let pretty = serde_json::to_vec_pretty(&event("evt_1")).unwrap();
    let with_bom = [b"\xef\xbb\xbf".to_vec(), body()].concat();
    let with_newline = [body(), b"\n".to_vec()].concat();
    for (row, changed) in [
        ("17: written again", pretty),
        ("18: a byte order mark", with_bom),
        ("18: a newline more", with_newline),
        ("23: nothing", Vec::new()),
    ] {
        let answer = deliver_with(&stage, right.as_bytes(), &changed).await;
        assert_eq!((answer.status, answer.text.as_str()), (400, REFUSED), "{row}");
    }
    let answer = stage.deliver(b"").await;
    assert_eq!((answer.status, answer.text.as_str()), (400, REFUSED), "23: nothing, signed");
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 0);
    assert_eq!(stage.count("SELECT COUNT(*) FROM quarantine").await, 0);
}

#[tokio::test]
async fn clocks_that_disagree_are_counted_apart() {
    let stage = Stage::open().await;
    for (second, status, reason) in [
        (NOW_S - 301, 400, "too_old"),
        (NOW_S + 301, 400, "too_new"),
        (NOW_S - 300, 200, ""),
        (NOW_S + 300, 200, ""),
        (NOW_S - 299, 200, ""),
    ] {
        let answer = deliver_with(&stage, sign(SECRET, second, &body()).as_bytes(), &body()).await;
        assert_eq!(answer.status, status, "signed at {second}");
        if status == 400 {
            let series = format!("bursar_webhook_rejected_total{{reason=\"{reason}\"}}");
            assert_eq!(stage.counted(&series), 1, "{series}");
        }
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 1);
    // A month later the same bytes and signature are a replay.
    stage.set_machine_s(NOW_S + 30 * 86_400);
    assert_eq!(deliver_with(&stage, sign(SECRET, NOW_S, &body()).as_bytes(), &body()).await.status, 400);
}

#[tokio::test]
async fn either_secret_of_a_roll_is_right() {
    let stage = Stage::open().await;
    let body = body();
    let (wrong, right) = ("0".repeat(64), hex(SECRET, NOW_S, &body));
    for (row, header) in [
        ("12: a bad one and a good one", format!("t={NOW_S},v1={wrong},v1={right}")),
        ("12: the other way round", format!("t={NOW_S},v1={right},v1={wrong}")),
        ("12: beside a malformed one", format!("t={NOW_S},v1=zz,v1={right}")),
        ("the next secret", sign(ROLLED_SECRET, NOW_S, &body)),
        ("a scheme of the future beside it", format!("t={NOW_S},v9=zz,v1={right}")),
    ] {
        let answer = deliver_with(&stage, header.as_bytes(), &body).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"received":true}"#), "{row}");
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 1);
}

#[tokio::test]
async fn the_media_type_is_not_signed_and_does_not_matter() {
    let stage = Stage::open().await;
    for (number, kind) in ["text/plain", "application/x-www-form-urlencoded", ""].into_iter().enumerate() {
        let body = bytes(&event(&format!("evt_{number}")));
        let mut request = signed(INGEST, SECRET, &body);
        request.headers_mut().insert("content-type", HeaderValue::from_str(kind).unwrap());
        assert_eq!(stage.send(request).await.status, 200, "22: {kind}");
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 3);
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_the_largest() {
    let stage = Stage::open().await;
    let sized = |length: usize| {
        let mut event = event("evt_large");
        let bare = bytes(&event).len() - "null".len() + 2;
        event["data"]["object"]["description"] = "x".repeat(length - bare).into();
        bytes(&event)
    };
    let largest = sized(1024 * 1024);
    assert_eq!(largest.len(), 1024 * 1024);
    assert_eq!(stage.deliver(&largest).await.status, 200);
    let answer = stage.deliver(&sized(1024 * 1024 + 1)).await;
    assert_eq!((answer.status, answer.header("connection")), (413, "close"), "24: one byte more");
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 1);
}
