//! Secrets stay where they are: neither lines at their most talkative nor spans hold one.

use reqwest::Method;
use serde_json::json;

use crate::collector::Collector;
use crate::installation::Installation;

/// A token that nobody was given; a secret all the same, since somebody may have mistyped theirs.
const UNKNOWN_TOKEN: &str = "bursar_user_0000mistyped0000";
const FOREIGN_SECRET: &str = "whsec_of_somebody_else";
/// How secrets begin, in case there are any that the test does not know.
const LOOKS: [&str; 8] =
    ["whsec_", "sk_test_", "sk_live_", "rk_test_", "rk_live_", "bursar_user_", "Bearer ", "bearer "];

#[tokio::test(flavor = "multi_thread")]
async fn no_line_and_no_span_holds_a_secret() {
    let collector = Collector::start().await;
    let mut installation = Installation::serve(Some(&collector.url), "trace").await;
    let refused =
        installation.request(Method::GET, "/api/v1/status").bearer_auth(UNKNOWN_TOKEN).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    let event = json!({"id": "evt_1", "object": "event"});
    assert_eq!(installation.post_event(&event, FOREIGN_SECRET).await, 400);
    installation.refund_a_charge().await;
    installation.end().await;

    let (log, spans) = (installation.log(), collector.bodies());
    assert!(log.contains("\"level\":\"TRACE\""), "the log is at its most talkative");
    assert!(
        spans.iter().any(|body| holds(body, "POST /v1/refunds")),
        "a call with the key is among the spans"
    );
    assert!(!collector.authorization().is_empty(), "a secret went to the collector, as a header");
    let secrets = installation.secrets();
    for secret in secrets.iter().map(String::as_str).chain([UNKNOWN_TOKEN, FOREIGN_SECRET]).chain(LOOKS) {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "`{secret}` in {line:?}");
        assert!(!spans.iter().any(|body| holds(body, secret)), "`{secret}` in a span");
    }
}

fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}
