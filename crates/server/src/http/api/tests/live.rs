//! The live stream: hints by name, to people who may look, as long as somebody listens.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt as _;
use tower::ServiceExt as _;

use super::Stage;
use crate::http::tests::stage::{HOST, bytes, event};

async fn listen(stage: &Stage) -> BodyDataStream {
    let request =
        Request::get("/api/v1/stream").header("host", HOST).header("authorization", stage.bearer("sam"));
    let answer = stage.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(
        answer.headers()["content-security-policy"].to_str().unwrap().find("default-src 'none'"),
        Some(0)
    );
    answer.into_body().into_data_stream()
}

/// Reads on until a text was heard; nothing when the stream ends first.
async fn heard(stream: &mut BodyDataStream, wanted: &str) -> Option<String> {
    let mut heard = String::new();
    let reading = async {
        while let Some(piece) = stream.next().await {
            heard.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
            if heard.contains(wanted) {
                return Some(heard);
            }
        }
        None
    };
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .unwrap_or_else(|_| panic!("never heard {wanted}"))
}

#[tokio::test]
async fn what_happens_is_told_by_name_and_without_contents() {
    let stage = Stage::open().await;
    let mut stream = listen(&stage).await;
    assert!(heard(&mut stream, "event: clock").await.is_some());
    stage.deliver(&bytes(&event("evt_1"))).await;
    assert!(heard(&mut stream, "event: audit").await.is_some());
    let approval = stage.asked().await;
    let told = heard(&mut stream, approval["id"].as_str().unwrap()).await.unwrap();
    assert!(told.contains("event: approval"), "{told}");
    for content in ["a@example.com", "ordered twice"] {
        assert!(!told.contains(content), "{told}");
    }
}

#[tokio::test]
async fn the_stream_ends_with_the_engine() {
    let stage = Stage::open().await;
    let mut stream = listen(&stage).await;
    assert!(heard(&mut stream, "event: clock").await.is_some());
    stage.engine.stop().await;
    assert_eq!(heard(&mut stream, "never said").await, None);
}
