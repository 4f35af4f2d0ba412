//! Webhooks: signed, told to those who asked, tried again when nobody hears.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bursar_fake_stripe::{Disorder, Options};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::server::{NOW_S, options, start, start_with};

pub const SECRET: &str = "whsec_of_the_test";

pub type Ear = Arc<Mutex<(mpsc::UnboundedSender<Value>, StatusCode)>>;

/// A receiver that checks signatures and answers as it is told.
pub async fn listen(status: StatusCode) -> (String, mpsc::UnboundedReceiver<Value>, Ear) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let ear: Ear = Arc::new(Mutex::new((sender, status)));
    let router = axum::Router::new().route("/hook", post(hear)).with_state(ear.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, receiver, ear)
}

async fn hear(State(ear): State<Ear>, headers: HeaderMap, body: axum::body::Bytes) -> StatusCode {
    let signature = headers["stripe-signature"].to_str().unwrap();
    let verdict = bursar_stripe::signature::verify(signature, &body, &[SECRET], NOW_S);
    let ear = ear.lock().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    ear.0.send(json!({"verified": verdict.is_ok(), "event": body})).unwrap();
    ear.1
}

#[tokio::test]
async fn a_wanted_event_arrives_signed() {
    let server = start().await;
    let (url, mut heard, _) = listen(StatusCode::OK).await;
    server.stripe.add_webhook(&url, SECRET, &["charge.succeeded"]).unwrap();
    let (charge, _) = server.charge(5_000);
    let letter = heard.recv().await.unwrap();
    assert_eq!(letter["verified"], true);
    assert_eq!(letter["event"]["type"], "charge.succeeded");
    assert_eq!(letter["event"]["data"]["object"]["id"], charge.as_str());
    assert_eq!(letter["event"]["pending_webhooks"], 1);
}

#[tokio::test]
async fn an_unheard_event_comes_again_later() {
    let server = start().await;
    let (url, mut heard, ear) = listen(StatusCode::INTERNAL_SERVER_ERROR).await;
    server.stripe.add_webhook(&url, SECRET, &["charge.*"]).unwrap();
    server.charge(5_000);
    let first = heard.recv().await.unwrap();
    let event = format!("/v1/events/{}", first["event"]["id"].as_str().unwrap());
    ear.lock().unwrap().1 = StatusCode::OK;
    while server.get(&event).await.body["pending_webhooks"] != 1 {
        tokio::task::yield_now().await;
    }
    // The failure is noted before time moves, so the retry falls due ten minutes later.
    let again = loop {
        server.stripe.advance(660).unwrap();
        if let Ok(again) = heard.try_recv() {
            break again;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(again["event"]["id"], first["event"]["id"]);
    while server.get(&event).await.body["pending_webhooks"] != 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn duplicates_come_when_asked_for() {
    let disorder = Disorder { duplicate_percent: 100, reorder_percent: 0 };
    let server = start_with(Options { disorder, ..options() }).await;
    let (url, mut heard, _) = listen(StatusCode::OK).await;
    server.stripe.add_webhook(&url, SECRET, &["charge.succeeded"]).unwrap();
    server.charge(5_000);
    let (first, second) = (heard.recv().await.unwrap(), heard.recv().await.unwrap());
    assert_eq!(first["event"]["id"], second["event"]["id"]);
}

/// The types of one payment's events as they arrive at an endpoint, disturbed after the endpoint was made.
async fn disturbed(seed: u64, wish: Value) -> (Vec<String>, Vec<String>) {
    let server = start_with(Options { seed, ..options() }).await;
    let set = server.send(server.request("POST", "/_sim/disorder").json(&wish)).await.unwrap();
    assert_eq!(set.status, 200, "{}", set.body);
    let (url, mut heard, _) = listen(StatusCode::OK).await;
    server.stripe.add_webhook(&url, SECRET, &["*"]).unwrap();
    // One change makes all its events known at the same time, so that the sender meets them together.
    server.stripe.trigger("invoice.paid", json!({})).unwrap();
    let made: Vec<String> = server.get("/v1/events?limit=100").await.ids().into_iter().rev().collect();
    let mut arrived = Vec::new();
    loop {
        while let Ok(letter) = heard.try_recv() {
            assert_eq!(letter["verified"], true);
            arrived.push(letter["event"]["id"].as_str().unwrap().to_owned());
        }
        if server.get("/v1/events?delivery_success=false").await.ids().is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    while let Ok(letter) = heard.try_recv() {
        arrived.push(letter["event"]["id"].as_str().unwrap().to_owned());
    }
    (made, arrived)
}

#[tokio::test]
async fn events_come_out_of_order_and_twice_as_the_seed_has_it_and_none_is_lost() {
    let wish = json!({"duplicate_percent": 40, "reorder_percent": 40});
    let (made, arrived) = disturbed(3, wish.clone()).await;
    let mut once = arrived.clone();
    once.dedup();
    assert!(arrived.len() > made.len(), "some came twice: {arrived:?}");
    assert_ne!(once, made, "some came late");
    let (mut all, mut had) = (made.clone(), once);
    all.sort();
    had.sort();
    assert_eq!(had, all, "each came");
    assert_eq!(disturbed(3, wish).await, (made, arrived), "the same seed disturbs the same way");
    let (made, arrived) = disturbed(3, json!({"duplicate_percent": 0, "reorder_percent": 0})).await;
    assert_eq!(arrived.len(), made.len());
}

#[tokio::test]
async fn disorder_is_set_in_parts_and_within_bounds() {
    let server = start().await;
    let set =
        async |wish: Value| server.send(server.request("POST", "/_sim/disorder").json(&wish)).await.unwrap();
    set(json!({"reorder_percent": 30})).await;
    let limited = set(json!({"duplicate_percent": 5, "rate_per_second": 1})).await.body;
    let all = json!({"duplicate_percent": 5, "reorder_percent": 30, "rate_per_second": 1});
    assert_eq!(limited, all);
    let statuses = [server.get("/v1/charges").await.status, server.get("/v1/charges").await.status];
    assert_eq!(statuses, [200, 429]);
    for wish in
        [json!({"duplicate_percent": 101}), json!({"reorder_percent": -1}), json!({"rate_per_second": "x"})]
    {
        assert_eq!(set(wish.clone()).await.status, 400, "{wish}");
    }
    let read = server.send(server.request("GET", "/_sim/disorder")).await.unwrap();
    assert_eq!(read.body, all, "what was refused changed nothing");
    set(json!({"rate_per_second": 0})).await;
    assert_eq!(server.get("/v1/charges").await.status, 200);
}

#[tokio::test]
async fn connected_accounts_speak_to_connect_endpoints_only() {
    let server = start().await;
    let (own_url, mut own, _) = listen(StatusCode::OK).await;
    let (connect_url, mut connect, _) = listen(StatusCode::OK).await;
    server.stripe.add_webhook(&own_url, SECRET, &["*"]).unwrap();
    server.stripe.add_connect_webhook(&connect_url, SECRET, &["charge.succeeded"]).unwrap();
    let account = server.post("/v1/accounts", &[("type", "standard")]).await.id();
    server.stripe.trigger("charge.succeeded", json!({"account": account})).unwrap();
    let letter = connect.recv().await.unwrap();
    assert_eq!(letter["event"]["account"], account.as_str());
    assert!(own.try_recv().is_err());
}

#[tokio::test]
async fn thin_destinations_get_a_reference_that_can_be_fetched() {
    let server = start().await;
    let (url, mut heard, _) = listen(StatusCode::OK).await;
    let wish = json!({"name": "thin", "type": "webhook_endpoint", "event_payload": "thin",
        "enabled_events": ["v1.charge.succeeded"], "webhook_endpoint": {"url": url}});
    let request =
        server.request("POST", "/v2/core/event_destinations").bearer_auth(server.stripe.secret_key());
    let destination = server.send(request.json(&wish)).await.unwrap();
    assert!(destination.body["webhook_endpoint"]["signing_secret"].as_str().unwrap().starts_with("whsec_"));
    let (charge, _) = server.charge(5_000);
    let thin = heard.recv().await.unwrap()["event"].clone();
    assert_eq!(thin["object"], "v2.core.event");
    assert_eq!(thin["related_object"]["id"], charge.as_str());
    let fetched = server.get(&format!("/v2/core/events/{}", thin["id"].as_str().unwrap())).await;
    assert_eq!(fetched.body, thin);
    let snapshot = server.get(&format!("/v1/events/{}", thin["snapshot_event"].as_str().unwrap())).await;
    assert_eq!(snapshot.body["data"]["object"]["id"], charge.as_str());
    assert_ne!(snapshot.body["id"], thin["id"], "an event of its own");
}
