//! Thin events: the object is read where somebody wants to hear of it, what is gone is left alone, and one change that is
//! told of in both forms is decided about once.

use bursar_engine::IngestAnswer;
use serde_json::{Value, json};

use crate::scene::{Scene, Wish};
use crate::stage::Failed;
use bursar_fake_stripe::gate::Harm;

/// The thin form of an event, as Stripe delivers it.
fn thin(id: &str, snapshot: &Value) -> Value {
    let object = &snapshot["data"]["object"];
    let kind = object["object"].as_str().unwrap();
    json!({"id": id, "object": "v2.core.event", "type": format!("v1.{}", snapshot["type"].as_str().unwrap()),
        "livemode": false, "created": "2026-11-21T00:00:00.000Z", "context": null,
        "reason": {"type": "request", "request": snapshot["request"]}, "snapshot_event": snapshot["id"],
        "related_object": {"id": object["id"], "type": kind, "url": format!("/v1/{kind}s/{}", object["id"].as_str().unwrap())}})
}

async fn resolved(scene: &Scene, event: &str) -> Value {
    scene.engine().event(event).await.unwrap()["resolved"].clone()
}

async fn taken(scene: &Scene, event: &Value) {
    assert_eq!(scene.deliver(event).await.unwrap(), IngestAnswer::Accepted);
    scene.quiet().await;
}

async fn failed() -> (Scene, Failed) {
    let scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    (scene, failed)
}

#[tokio::test]
async fn its_object_is_read_and_decided_about() {
    let (scene, failed) = failed().await;
    taken(&scene, &thin("evt_thin", &failed.event)).await;
    let cases = scene.cases(&failed.invoice).await;
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0]["amount"], failed.event["data"]["object"]["amount_due"], "as it was read");
    assert_eq!(resolved(&scene, "evt_thin").await, "read");
    scene.assert_audit().await;
}

#[tokio::test]
async fn what_nobody_wants_to_hear_of_is_not_read() {
    let (scene, failed) = failed().await;
    let mut unheard = thin("evt_thin", &failed.event);
    unheard["type"] = json!("v1.invoice.finalized");
    let reads = scene.stage.gate.reads();
    taken(&scene, &unheard).await;
    assert_eq!((scene.stage.gate.reads(), resolved(&scene, "evt_thin").await), (reads, Value::Null));
    assert!(scene.cases(&failed.invoice).await.is_empty());
}

#[tokio::test]
async fn an_object_that_is_gone_is_no_reason_to_act() {
    let (scene, failed) = failed().await;
    let mut gone = thin("evt_gone", &failed.event);
    gone["related_object"]["id"] = json!("in_gone");
    gone["snapshot_event"] = Value::Null;
    taken(&scene, &gone).await;
    assert_eq!(resolved(&scene, "evt_gone").await, "gone");
    let path = format!("/v1/invoices/{}", failed.invoice);
    let deleted = json!({"id": failed.invoice, "object": "invoice", "deleted": true}).to_string();
    scene.stage.gate.harm("GET", &path, 1, Harm::answer(200, &deleted));
    taken(&scene, &thin("evt_deleted", &failed.event)).await;
    assert_eq!(resolved(&scene, "evt_deleted").await, "gone");
    for invoice in ["in_gone", &failed.invoice] {
        assert!(scene.cases(invoice).await.is_empty(), "{invoice}");
    }
    assert!(scene.stage.gate.written().is_empty());
    assert_eq!(scene.engine().dead_letter_count().await.unwrap(), 0);
    scene.assert_audit().await;
}

#[tokio::test]
async fn one_change_in_both_forms_is_one_case_and_one_decision() {
    for thin_first in [true, false] {
        let (scene, failed) = failed().await;
        let thin = thin("evt_thin", &failed.event);
        let (first, second) = if thin_first { (&thin, &failed.event) } else { (&failed.event, &thin) };
        taken(&scene, first).await;
        taken(&scene, second).await;
        let cases = scene.cases(&failed.invoice).await;
        assert_eq!(cases.len(), 1, "thin first: {thin_first}");
        assert_eq!(cases[0]["decisions"].as_array().unwrap().len(), 1, "thin first: {thin_first}");
        assert_eq!(resolved(&scene, "evt_thin").await, if thin_first { "read" } else { "left" });
        assert_eq!(scene.engine().health().await.unwrap().events, 2, "and both are held");
    }
}

#[tokio::test]
async fn it_waits_for_a_stripe_that_is_away() {
    let (scene, failed) = failed().await;
    scene.stage.gate.close();
    taken(&scene, &thin("evt_thin", &failed.event)).await;
    assert!(scene.cases(&failed.invoice).await.is_empty());
    scene.stage.gate.reopen().await;
    let decided = async || {
        scene.pass_machine(std::time::Duration::from_secs(2));
        scene.cases(&failed.invoice).await.len() == 1
    };
    scene.until("its case", decided).await;
}
