//! Lanes share a node's workers: one whose Stripe does not answer keeps some of them waiting, and never all.

use bursar_engine::Endpoint;
use serde_json::json;

use crate::scene::{CONNECT_SECRET, Scene, Wish};
use crate::stage::{Failed, Stage};
use bursar_fake_stripe::gate::Harm;

/// A platform with two sellers.
async fn platform(workers: usize) -> (Scene, String, String) {
    let stage = Stage::new().await;
    let mut sellers = Vec::new();
    for _ in 0..2 {
        let made = stage.call("POST", "/v1/accounts", &[("type", "standard")]).await;
        sellers.push(made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned());
    }
    let connected = sellers.iter().map(|seller| seller.parse().unwrap()).collect();
    let scene = Scene::on(stage, Wish { connected, workers, ..Wish::default() }).await;
    let [slow, quick] = <[String; 2]>::try_from(sellers).unwrap();
    (scene, slow, quick)
}

async fn deliver(scene: &Scene, failed: &Failed) {
    let mut event = failed.event.clone();
    event["account"] = json!(failed.account);
    let body = event.to_string();
    scene.deliver_bytes(Endpoint::Connect, CONNECT_SECRET, body.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_lane_whose_stripe_hangs_leaves_workers_to_the_others() {
    let (scene, slow, quick) = platform(4).await;
    // More than stands at the head of the line.
    let waiting = 70;
    for _ in 0..waiting {
        let failed = scene.stage.failed_invoice_on(Some(&slow), "insufficient_funds");
        let customer = format!("/v1/customers/{}", failed.customer);
        scene.stage.gate.harm("GET", &customer, usize::MAX, Harm::HoldBefore);
        deliver(&scene, &failed).await;
    }
    let queue = async || scene.engine().health().await.unwrap().queue;
    let two_of_four = async || {
        let queue = queue().await;
        queue.leased == 2 && queue.due == waiting - 2
    };
    scene.until("the slow lane has half of the workers", two_of_four).await;
    for _ in 0..3 {
        let failed = scene.stage.failed_invoice_on(Some(&quick), "insufficient_funds");
        deliver(&scene, &failed).await;
        let decided = async || !scene.cases(&failed.invoice).await.is_empty();
        scene.until("the other lane's event is decided", decided).await;
    }
    let own = scene.stage.failed_invoice("insufficient_funds");
    scene.deliver(&own.event).await.unwrap();
    scene.until("and the platform's own", async || !scene.cases(&own.invoice).await.is_empty()).await;
    scene.until("nobody waits but the slow lane", two_of_four).await;
}
