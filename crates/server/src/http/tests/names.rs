//! Row 84: a server is only spoken to by its own names.

use axum::body::Body;
use axum::http::Request;

use super::stage::Stage;

#[tokio::test]
async fn no_route_answers_under_another_name() {
    let stage = Stage::open().await;
    for path in [
        "/",
        "/healthz",
        "/metrics",
        "/inbox",
        "/api/v1/status",
        "/api/v1/nothing",
        "/ingest/stripe",
        "/assets/console.css",
    ] {
        for host in [
            "evil.example",
            "evil.example:7171",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "[::1",
        ] {
            let request =
                Request::get(path).header("host", host).header("authorization", stage.bearer("priya"));
            let answer = stage.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.refusal(), (421, "host_unknown".to_owned()), "{path} at `{host}`");
        }
    }
}

#[tokio::test]
async fn what_a_proxy_is_said_to_have_said_is_not_believed() {
    let stage = Stage::open().await;
    let request =
        Request::get("/api/v1/status").header("host", "evil.example").header("x-forwarded-host", "localhost");
    assert_eq!(stage.send(request.body(Body::empty()).unwrap()).await.status, 421);
}
