//! What cannot be used is kept apart whatever way it came, raises an alarm until somebody looks, and can be tried again.

use std::time::Duration;

use bursar_domain::actor::Actor;
use bursar_domain::role::Role;
use bursar_engine::{Endpoint, IngestAnswer};
use bursar_store::events::Filter;
use serde_json::{Value, json};

use crate::scene::{CONNECT_SECRET, Scene, Wish};
use crate::stage::Stage;
use bursar_fake_stripe::gate::Harm;

async fn apart(scene: &Scene) -> Vec<Value> {
    scene.engine().quarantined(99).await.unwrap().items
}

async fn alarms(scene: &Scene) -> i64 {
    scene.engine().health().await.unwrap().quarantined
}

async fn retried(scene: &Scene, row: &Value) -> Value {
    let priya = scene.who("Priya", &[Role::Platform]).await.actor();
    scene.engine().retry_quarantined(&priya, row["id"].as_str().unwrap()).await.unwrap()
}

async fn audited(scene: &Scene, kind: &str) -> usize {
    let entries = scene.engine().audit_entries(1_000, None).await.unwrap().items;
    entries.iter().filter(|entry| entry["kind"] == kind).count()
}

/// A Stripe whose newest event of each list has a currency that there is not; one charge lies in what polling follows and
/// one in the history before it. The newest event, as it is listed.
async fn with_broken_lists() -> (Scene, Value) {
    let stage = Stage::new().await;
    stage.charge(5_000);
    stage.stripe.advance(400).unwrap();
    stage.charge(7_000);
    let broken = Harm::Change { pointer: "/data/0/data/object/currency", to: json!("XXX") };
    stage.gate.harm("GET", "/v1/events", usize::MAX, broken);
    let newest = stage.call("GET", "/v1/events", &[("limit", "1")]).await["data"][0].clone();
    let scene = Scene::on(stage, Wish { polls: true, ..Wish::default() }).await;
    scene.until("one of each is kept apart", async || apart(&scene).await.len() == 2).await;
    (scene, newest)
}

#[tokio::test]
async fn a_polled_event_that_cannot_be_read_is_kept_apart_once() {
    let (scene, newest) = with_broken_lists().await;
    let reads = scene.stage.gate.reads();
    scene.until("it is listed again and again", async || scene.stage.gate.reads() > reads + 8).await;
    let rows = apart(&scene).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    let lane = format!("{}/test", scene.stage.stripe.account_id());
    for row in &rows {
        assert_eq!((&row["reason"], &row["lane"]), (&json!("unknown_currency"), &json!(lane)));
    }
    let of = |source: &str| rows.iter().find(|row| row["source"] == source).unwrap();
    let (polled, history) = (of("poll"), of("backfill"));
    let whole = scene.engine().quarantined_event(polled["id"].as_str().unwrap()).await.unwrap();
    assert_eq!((&whole["body"]["id"], &whole["state"]), (&newest["id"], &json!("waiting")));
    let held = scene.engine().events(Filter::default(), None, 100).await.unwrap().items;
    assert!(!held.is_empty() && held.iter().all(|event| event["id"] != newest["id"]), "the others went on");
    assert_eq!((alarms(&scene).await, audited(&scene, "event.quarantined").await), (2, 2));

    let refused = retried(&scene, polled).await;
    assert_eq!((&refused["state"], &refused["event"]), (&json!("refused"), &Value::Null));
    assert!(refused["why"].as_str().unwrap().contains("currency"), "{refused}");
    assert_eq!((alarms(&scene).await, audited(&scene, "quarantine.retried").await), (1, 1), "looked at");
    retried(&scene, history).await;
    assert_eq!(alarms(&scene).await, 0);
    scene.assert_audit().await;
}

#[tokio::test]
async fn an_event_by_webhook_and_by_poll_is_kept_apart_once() {
    let (scene, mut newest) = with_broken_lists().await;
    newest["pending_webhooks"] = json!(7);
    let answer = scene.deliver(&newest).await.unwrap();
    assert_eq!(answer, IngestAnswer::Quarantined("unknown_currency"));
    assert_eq!(apart(&scene).await.len(), 2);
}

#[tokio::test]
async fn what_can_be_placed_by_now_becomes_an_event_when_it_is_tried_again() {
    let mut scene = Scene::new(Wish::default()).await;
    let mut event = scene.stage.failed_invoice("insufficient_funds").event;
    event["account"] = json!("acct_later1");
    let body = event.to_string();
    let answer = scene.deliver_bytes(Endpoint::Connect, CONNECT_SECRET, body.as_bytes()).await.unwrap();
    assert_eq!(answer, IngestAnswer::Quarantined("account_unknown"));
    let row = apart(&scene).await.remove(0);
    let refused = retried(&scene, &row).await;
    assert!(refused["why"].as_str().unwrap().starts_with("account_unknown"), "{refused}");

    scene.wish.connected = vec!["acct_later1".parse().unwrap()];
    scene.restart().await;
    let accepted = retried(&scene, &row).await;
    let id = event["id"].as_str().unwrap();
    assert_eq!((&accepted["state"], &accepted["event"]), (&json!("accepted"), &json!(id)));
    let held = scene.engine().event(id).await.unwrap();
    assert_eq!((&held["lane"], &held["source"]), (&json!("acct_later1/test"), &json!("connect_webhook")));
    let again = retried(&scene, &row).await;
    assert_eq!(again, accepted, "once is enough");
    assert_eq!(audited(&scene, "quarantine.retried").await, 2);
    let answer = scene.deliver_bytes(Endpoint::Connect, CONNECT_SECRET, body.as_bytes()).await.unwrap();
    assert_eq!(answer, IngestAnswer::Duplicate);
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_contradicts_what_is_held_stays_apart() {
    let scene = Scene::new(Wish::default()).await;
    let mut event = scene.stage.failed_invoice("insufficient_funds").event;
    scene.deliver(&event).await.unwrap();
    event["data"]["object"]["amount_due"] = json!(1);
    let mut feed = scene.engine().listen();
    scene.deliver(&event).await.unwrap();
    let told = loop {
        let item = tokio::time::timeout(Duration::from_secs(20), feed.recv()).await.unwrap().unwrap();
        if item.kind == "quarantine" {
            break item.text;
        }
    };
    assert!(told.contains("id_with_other_content"), "{told}");
    let row = apart(&scene).await.remove(0);
    let refused = retried(&scene, &row).await;
    assert_eq!(refused["state"], "refused");
    assert_eq!(apart(&scene).await.len(), 1, "trying again makes no second row");
    let unknown = "quar_00000000000000000000000000";
    assert!(scene.engine().retry_quarantined(&Actor::Engine, unknown).await.is_err());
}

#[tokio::test]
async fn a_gap_says_how_long_it_was_and_what_it_held() {
    let mut scene = Scene::new(Wish { polls: true, ..Wish::default() }).await;
    scene.stage.charge(5_000);
    let polled = async || scene.engine().health().await.unwrap().lanes[0].polled_age_s.is_some();
    scene.until("a first poll", polled).await;
    // A charge makes six.
    scene.until("its events", async || scene.engine().health().await.unwrap().events >= 6).await;
    scene.kill();
    scene.pass_business(Duration::from_mins(7));
    for _ in 0..2 {
        scene.stage.charge(7_000);
    }
    scene.pass_machine(Duration::from_mins(7));
    scene.restart().await;
    let gaps = async || scene.engine().gaps(9).await.unwrap().items;
    scene.until("the gap", async || !gaps().await.is_empty()).await;
    let gap = gaps().await.remove(0);
    let held = gap["held"].as_object().unwrap();
    assert_eq!(held["charge.succeeded"], 2, "{gap}");
    assert_eq!(held.values().map(|count| count.as_i64().unwrap()).sum::<i64>(), gap["events"]);
    assert_eq!(gap["length_s"], 420, "{gap}");
    assert_eq!(scene.engine().health().await.unwrap().gaps, [gap]);
}
