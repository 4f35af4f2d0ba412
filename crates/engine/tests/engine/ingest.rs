//! What comes in is kept once and answered after it is on disk; what Stripe did not sign is not kept at all.

use std::time::Duration;

use bursar_engine::{Endpoint, IngestAnswer};
use bursar_fake_stripe::gate::Harm;
use bursar_store::events::Filter;
use futures_util::future::join_all;
use serde_json::json;

use crate::scene::{CONNECT_SECRET, SECRET, Scene, Wish};
use crate::stage::Stage;

async fn kept(scene: &Scene) -> usize {
    scene.engine().events(Filter::default(), None, 100).await.unwrap().items.len()
}

#[tokio::test]
async fn a_failed_payment_that_comes_twice_makes_one_case() {
    let scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    assert_eq!(scene.deliver(&failed.event).await.unwrap(), IngestAnswer::Accepted);
    assert_eq!(scene.deliver(&failed.event).await.unwrap(), IngestAnswer::Duplicate);
    let at_once = join_all((0..20).map(|_| scene.deliver(&failed.event))).await;
    assert!(at_once.iter().all(|answer| matches!(answer, Ok(IngestAnswer::Duplicate))), "{at_once:?}");
    let mut pending = failed.event.clone();
    pending["pending_webhooks"] = json!(7);
    assert_eq!(scene.deliver(&pending).await.unwrap(), IngestAnswer::Duplicate, "as a poll would show it");
    scene.until("its case", async || !scene.cases(&failed.invoice).await.is_empty()).await;
    scene.quiet().await;
    assert_eq!(scene.cases(&failed.invoice).await.len(), 1);
    assert_eq!(kept(&scene).await, 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn events_are_counted_once_however_often_somebody_asks() {
    let scene = Scene::new(Wish::default()).await;
    for number in 0..6 {
        let failed = scene.stage.failed_invoice("insufficient_funds");
        scene.deliver(&failed.event).await.unwrap();
        for _ in 0..2 {
            assert_eq!(scene.engine().health().await.unwrap().events, number + 1);
        }
        scene.pass_machine(Duration::from_mins(7));
    }
    assert_eq!(scene.engine().health().await.unwrap().last_event_age_s, Some(7 * 60));
}

#[tokio::test]
async fn the_same_id_with_other_contents_is_kept_apart() {
    let scene = Scene::new(Wish::default()).await;
    let failed = scene.stage.failed_invoice("insufficient_funds");
    scene.deliver(&failed.event).await.unwrap();
    for (pointer, to) in
        [("/type", json!("invoice.paid")), ("/created", json!(1)), ("/data/object/amount_due", json!(1))]
    {
        let mut other = failed.event.clone();
        *other.pointer_mut(pointer).unwrap() = to;
        let answer = scene.deliver(&other).await.unwrap();
        assert_eq!(answer, IngestAnswer::Quarantined("id_with_other_content"), "{pointer}");
    }
    assert_eq!(scene.engine().quarantined(9).await.unwrap().items.len(), 3);
    assert_eq!(kept(&scene).await, 1);
    scene.assert_audit().await;
}

#[tokio::test]
async fn signed_garbage_is_kept_apart_and_unsigned_anything_is_not_kept() {
    let scene = Scene::new(Wish::default()).await;
    let event = scene.stage.failed_invoice("insufficient_funds").event.to_string();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for garbage in
        ["<html>".as_bytes(), b"\xff\xfe", b"{}", b"", deep.as_bytes(), br#"{"id":"evt_1","id":"evt_2"}"#]
    {
        let answer = scene.deliver_bytes(Endpoint::Account, SECRET, garbage).await.unwrap();
        assert!(matches!(answer, IngestAnswer::Quarantined(_)), "{answer:?}");
    }
    let quarantined = scene.engine().quarantined(99).await.unwrap().items.len();
    assert_eq!(quarantined, 6);
    for (endpoint, secret) in
        [(Endpoint::Account, "whsec_guess"), (Endpoint::Account, CONNECT_SECRET), (Endpoint::Connect, SECRET)]
    {
        let answer = scene.deliver_bytes(endpoint, secret, event.as_bytes()).await.unwrap();
        assert!(matches!(answer, IngestAnswer::NotSigned(_)), "{answer:?}");
    }
    for offset in [-301, 301] {
        let header = bursar_stripe::signature::sign(SECRET, scene.machine_s() + offset, event.as_bytes());
        let answer = scene.engine().ingest(Endpoint::Account, Some(&header), event.as_bytes()).await.unwrap();
        assert!(matches!(answer, IngestAnswer::NotSigned(_)), "{offset}: {answer:?}");
    }
    assert_eq!(kept(&scene).await, 0);
    assert_eq!(scene.engine().quarantined(99).await.unwrap().items.len(), quarantined);
    scene.assert_audit().await;
}

#[tokio::test]
async fn an_event_belongs_to_one_lane_or_to_none() {
    let connected = "acct_connected1".parse().unwrap();
    let scene = Scene::new(Wish { connected: vec![connected], ..Wish::default() }).await;
    let event = scene.stage.failed_invoice("insufficient_funds").event;
    let own = scene.stage.stripe.account_id();
    let with = |id: &str, account: &str, livemode: bool| {
        let mut event = event.clone();
        (event["id"], event["account"], event["livemode"]) = (json!(id), json!(account), json!(livemode));
        event.to_string()
    };
    for (endpoint, secret, body, expected) in [
        (Endpoint::Connect, CONNECT_SECRET, with("evt_a", "acct_connected1", false), IngestAnswer::Accepted),
        (
            Endpoint::Connect,
            CONNECT_SECRET,
            with("evt_b", "acct_foreign1", false),
            IngestAnswer::Quarantined("account_unknown"),
        ),
        (Endpoint::Account, SECRET, with("evt_c", &own, true), IngestAnswer::Accepted),
    ] {
        assert_eq!(scene.deliver_bytes(endpoint, secret, body.as_bytes()).await.unwrap(), expected, "{body}");
    }
    scene.quiet().await;
    let lane = async |id: &str| scene.engine().event(id).await.unwrap()["lane"].as_str().unwrap().to_owned();
    assert_eq!(lane("evt_a").await, "acct_connected1/test");
    assert_eq!(lane("evt_c").await, format!("{own}/live"), "kept in its own mode, where nobody acts");
    let object = event["data"]["object"]["id"].as_str().unwrap();
    let cases = scene.cases(object).await;
    assert!(cases.iter().all(|case| case["lane"] != format!("{own}/live")), "{cases:?}");
    assert!(scene.stage.gate.written().is_empty());
}

/// What `serde_json` would read as the text of another object, and fail at.
const RESERVED: &str = "$serde_json::private::RawValue";

#[tokio::test]
async fn a_field_whose_name_is_reserved_by_the_reader_harms_nobody() {
    let metadata = json!({RESERVED: "["});
    let delivered = Scene::new(Wish::default()).await;
    let failed = delivered.stage.failed_invoice("insufficient_funds");
    let mut event = failed.event.clone();
    event["data"]["object"]["metadata"] = metadata.clone();
    assert_eq!(delivered.deliver(&event).await.unwrap(), IngestAnswer::Accepted);
    delivered.until("its case", async || !delivered.cases(&failed.invoice).await.is_empty()).await;
    assert_eq!(delivered.mirrored_body("invoice", &failed.invoice).await["metadata"][&RESERVED[1..]], "[");

    let stage = Stage::new().await;
    let harm = Harm::Change { pointer: "/data/0/data/object/metadata", to: metadata };
    stage.gate.harm("GET", "/v1/events", usize::MAX, harm);
    let polled = Scene::on(stage, Wish { polls: true, ..Wish::default() }).await;
    let failed = polled.stage.failed_invoice("insufficient_funds");
    polled.until("its case", async || !polled.cases(&failed.invoice).await.is_empty()).await;
    for scene in [delivered, polled] {
        scene.quiet().await;
        assert!(scene.engine().quarantined(9).await.unwrap().items.is_empty());
        scene.assert_audit().await;
    }
}

#[tokio::test]
async fn a_second_with_more_events_than_are_read_at_once_is_polled_whole() {
    let stage = Stage::new().await;
    let first = stage.failed_invoice("insufficient_funds");
    let listed = async |after: &str| {
        let page = stage.call("GET", "/v1/events", &[("limit", "100"), ("starting_after", after)]).await;
        page["data"].as_array().cloned().unwrap_or_default()
    };
    // The ones after the first push it out of the newest thousand.
    for _ in 0..250 {
        stage.failed_invoice("insufficient_funds");
    }
    let newest = stage.call("GET", "/v1/events", &[("limit", "1")]).await;
    let mut last = newest["data"][0].clone();
    let (second, mut behind) = (last["created"].clone(), 1);
    while last["id"] != first.event["id"] {
        let page = listed(last["id"].as_str().unwrap()).await;
        let place = page.iter().position(|event| event["id"] == first.event["id"]).unwrap_or(page.len() - 1);
        behind += place + 1;
        last = page[place].clone();
    }
    assert!(behind > 1_000 && last["created"] == second, "{behind} of one second");
    let scene = Scene::on(stage, Wish { polls: true, ..Wish::default() }).await;
    scene.until("the case of the oldest", async || !scene.cases(&first.invoice).await.is_empty()).await;
}
