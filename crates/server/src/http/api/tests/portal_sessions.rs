//! A link to the customer portal signs its holder in as the customer: it is for the one who asked.

use serde_json::json;

use super::Stage;

const PATH: &str = "/api/v1/portal_sessions";

/// A link that Sam asked for and did not wait for: the id of its request.
async fn left_behind(stage: &Stage) -> String {
    let customer = stage.made("customer.created", json!({}), "customer");
    let body = json!({"customer": customer, "reason": "asked on the phone"});
    {
        let mut leaving = std::pin::pin!(stage.post("sam", PATH, &body));
        while stage.count("SELECT COUNT(*) FROM proposals").await == 0 {
            assert!(futures_util::poll!(&mut leaving).is_pending());
        }
    }
    stage.settle().await;
    let case = stage.get("sam", "/api/v1/cases").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    let case = stage.get("sam", &format!("/api/v1/cases/{case}")).await.json();
    case["proposals"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_is_handed_to_the_one_who_asked_for_it() {
    let stage = Stage::open().await;
    let path = format!("{PATH}/{}/take", left_behind(&stage).await);
    for other in ["carl", "olivia", "priya"] {
        let refused = stage.post(other, &path, &json!({})).await;
        assert_eq!(refused.refusal(), (404, "resource_missing".to_owned()), "{other}");
    }
    let key = stage.token("sam", "key", None).await;
    let request = axum::http::Request::post(&path).header("authorization", format!("Bearer {key}"));
    let by_key = stage.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(by_key.status, 404, "nor to a key of theirs");
    let taken = stage.post("sam", &path, &json!({})).await;
    assert!(taken.json()["url"].as_str().is_some_and(|url| url.starts_with("http")), "{}", taken.text);
    assert_eq!(stage.post("sam", &path, &json!({})).await.status, 404, "once");
}

#[tokio::test]
async fn a_link_that_nobody_fetched_is_gone_after_minutes() {
    let stage = Stage::open().await;
    let path = format!("{PATH}/{}/take", left_behind(&stage).await);
    stage.set_machine_s(crate::http::tests::stage::NOW_S + 5 * 60);
    assert_eq!(stage.post("sam", &path, &json!({})).await.status, 404);
}

#[tokio::test]
async fn two_who_help_one_customer_each_get_their_own_link() {
    let stage = Stage::open().await;
    let customer = stage.made("customer.created", json!({}), "customer");
    let body = json!({"customer": customer, "reason": "asked on the phone"});
    let (sam, olivia) = tokio::join!(stage.post("sam", PATH, &body), stage.post("olivia", PATH, &body));
    let (sam, olivia) = (sam.json(), olivia.json());
    assert_ne!(sam["id"], olivia["id"], "{sam} {olivia}");
    assert!(sam["url"].is_string() && olivia["url"].is_string(), "{sam} {olivia}");
    assert_ne!(sam["url"], olivia["url"]);
}
