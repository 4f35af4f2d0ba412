//! Operators are told what is wrong with the installation: once, again while it lasts, and when it is over; over restarts,
//! over receivers that are away, and by one node of several.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bursar_connectors::webhook::{Deadlines, Reach, Webhook, WebhookSettings};
use bursar_domain::actor::Actor;
use bursar_engine::{AlertSettings, Error};
use bursar_fake_stripe::gate::Harm;
use serde_json::Value;

use crate::letters::Post;
use crate::scene::{Scene, Wish};

const REPEAT: Duration = Duration::from_hours(4);
const NOT_YET: Duration = Duration::from_mins(239);

/// Somebody who is told, and answers as it is told to.
pub struct Receiver {
    url: String,
    status: Arc<AtomicU16>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

#[derive(Clone, Debug)]
pub struct Heard {
    id: String,
    timestamp: String,
    signature: String,
    body: Value,
    /// What it was answered with.
    status: u16,
}

impl Receiver {
    pub async fn open() -> Receiver {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (status, heard) = (Arc::new(AtomicU16::new(204)), Arc::new(Mutex::new(Vec::<Heard>::new())));
        let (answers, hears) = (Arc::clone(&status), Arc::clone(&heard));
        let hear = async move |headers: HeaderMap, body: String| {
            let header = |name: &str| headers[name].to_str().unwrap().to_owned();
            let status = answers.load(Ordering::SeqCst);
            hears.lock().unwrap().push(Heard {
                id: header("webhook-id"),
                timestamp: header("webhook-timestamp"),
                signature: header("webhook-signature"),
                body: serde_json::from_str(&body).unwrap(),
                status,
            });
            StatusCode::from_u16(status).unwrap()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, Router::new().route("/hook", post(hear))).into_future());
        Receiver { url, status, heard }
    }

    pub fn settings(&self) -> AlertSettings {
        let webhook = Webhook::new(&WebhookSettings {
            url: self.url.clone(),
            secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()],
            reach: Reach::Public,
            deadlines: Deadlines::default(),
        });
        AlertSettings {
            mail_to: Vec::new(),
            webhook: Some(Arc::new(webhook.unwrap())),
            repeat_every: REPEAT,
            no_events_for: Duration::from_hours(24 * 3650),
            queue_age: Duration::from_hours(24 * 3650),
            console: Some("https://bursar.example.com".to_owned()),
            look_every: Duration::from_millis(20),
        }
    }

    fn wish(&self) -> Wish {
        Wish { alerts: Some(self.settings()), ..Wish::default() }
    }

    /// What was taken about an alert of this code, in order.
    pub fn told(&self, code: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let taken = heard.iter().filter(|heard| heard.status == 204 && heard.body["data"]["code"] == code);
        taken.map(|heard| heard.body["type"].as_str().unwrap().to_owned()).collect()
    }

    fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

const KILLED: &str = "kill_switch";
const OPENED: &str = "alert.opened";
const STILL_OPEN: &str = "alert.still_open";
const CLOSED: &str = "alert.closed";

#[tokio::test]
async fn a_trouble_is_told_when_it_begins_while_it_lasts_and_when_it_is_over() {
    let receiver = Receiver::open().await;
    let mut scene = Scene::new(receiver.wish()).await;
    scene.engine().kill(&Actor::Engine, "all", "a reason that names Jane").await.unwrap();
    scene.until("it is told", async || receiver.told(KILLED) == [OPENED]).await;
    scene.restart().await;
    scene.pass_machine(NOT_YET);
    scene.restart().await;
    let open =
        async || scene.engine().health().await.unwrap().alerts.open.iter().any(|open| open.code == KILLED);
    scene.until("the other start knows it", open).await;
    assert_eq!(receiver.told(KILLED), [OPENED], "neither a restart nor a look tells it again");
    scene.pass_machine(Duration::from_mins(1));
    scene.until("it is told again", async || receiver.told(KILLED) == [OPENED, STILL_OPEN]).await;
    scene.engine().revive(&Actor::Engine, "all").await.unwrap();
    scene.until("its end is told", async || receiver.told(KILLED) == [OPENED, STILL_OPEN, CLOSED]).await;
    let told = scene.engine().alerts(10).await.unwrap().items;
    let of_it = told.iter().find(|alert| alert["code"] == KILLED).unwrap();
    assert_eq!((&of_it["state"], &of_it["notices"]), (&"closed".into(), &3.into()), "{told:?}");
    let first = &receiver.all()[0];
    assert!(first.signature.starts_with("v1,") && first.id.starts_with("notice_"), "{first:?}");
    assert_eq!(first.body["data"]["link"], "https://bursar.example.com/health");
    let all: String = receiver.all().iter().map(|heard| heard.body.to_string()).collect();
    assert!(!all.contains("Jane"), "{all}");
}

#[tokio::test]
async fn who_was_away_is_told_in_order_and_health_says_so_meanwhile() {
    let receiver = Receiver::open().await;
    receiver.status.store(500, Ordering::SeqCst);
    let scene = Scene::new(receiver.wish()).await;
    scene.engine().kill(&Actor::Engine, "all", "drill").await.unwrap();
    let failing = async || {
        let health = scene.engine().health().await.unwrap();
        health.alerts.failing.iter().any(|way| way.way == "webhook" && way.why == "answered 500")
    };
    scene.until("health says that it does not get through", failing).await;
    scene.engine().revive(&Actor::Engine, "all").await.unwrap();
    let over =
        async || !scene.engine().health().await.unwrap().alerts.open.iter().any(|open| open.code == KILLED);
    scene.until("it is over", over).await;
    receiver.status.store(204, Ordering::SeqCst);
    let both = async || {
        scene.pass_machine(Duration::from_mins(1));
        receiver.told(KILLED) == [OPENED, CLOSED]
    };
    scene.until("both are told", both).await;
    let of_it = |kind: &str| {
        let all = receiver.all().into_iter();
        all.filter(|heard| heard.body["data"]["code"] == KILLED && heard.body["type"] == kind)
            .collect::<Vec<_>>()
    };
    let opened = of_it(OPENED);
    assert!(opened.len() > 1 && opened.windows(2).all(|pair| pair[0].id == pair[1].id), "{opened:?}");
    assert_ne!(opened[0].timestamp, opened.last().unwrap().timestamp, "each attempt says when it is made");
    assert!(of_it(CLOSED).iter().all(|heard| heard.id != opened[0].id));
    let well = async || scene.engine().health().await.unwrap().alerts.failing.is_empty();
    scene.until("nothing is failing", well).await;
}

#[tokio::test]
async fn a_key_that_stripe_refuses_is_told_by_name() {
    let receiver = Receiver::open().await;
    let scene = Scene::new(Wish { polls: true, ..receiver.wish() }).await;
    let refused = r#"{"error": {"type": "invalid_request_error", "code": "api_key_expired"}}"#;
    scene.stage.gate.harm("GET", "/v1/", usize::MAX, Harm::answer(401, refused));
    scene.until("it is told", async || receiver.told("key_refused") == [OPENED]).await;
    assert_eq!(scene.engine().health().await.unwrap().keys_refused, ["main"]);
    assert!(receiver.told("stripe_unreadable").is_empty(), "that says no more");
    scene.stage.gate.heal();
    let over = async || {
        scene.pass_machine(Duration::from_secs(20));
        receiver.told("key_refused") == [OPENED, CLOSED]
    };
    scene.until("its end is told", over).await;
}

#[tokio::test]
async fn each_operator_gets_a_letter_and_a_test_shows_it() {
    let (receiver, post) = (Receiver::open().await, Post::open().await);
    let mail_to = vec!["olivia@northwind.example".to_owned(), "priya@northwind.example".to_owned()];
    let alerts = Some(AlertSettings { mail_to, ..receiver.settings() });
    let scene = Scene::new(Wish { alerts, ..post.wish() }).await;
    let tried = scene.engine().test_alerts().await.unwrap();
    let delivered: Vec<_> = tried.iter().map(|tried| (tried.way.as_str(), tried.delivered)).collect();
    assert_eq!(delivered, [("webhook", true), ("mail 1", true), ("mail 2", true)], "{tried:?}");
    assert_eq!(receiver.told("test"), ["alert.test"]);
    scene.engine().kill(&Actor::Engine, "all", "drill").await.unwrap();
    scene.until("both have a letter", async || post.mailbox.letters().len() == 4).await;
    let letters = post.mailbox.letters();
    let subjects: Vec<&str> = letters.iter().map(|letter| letter.subject.as_str()).collect();
    let of_it = subjects.iter().filter(|subject| **subject == "[bursar] The kill switch of all is thrown");
    assert_eq!(of_it.count(), 2, "{subjects:?}");
    assert!(scene.engine().alerts(10).await.unwrap().items.iter().all(|alert| alert["code"] != "test"));
}

#[tokio::test]
async fn where_nobody_is_named_nobody_is_told_and_a_test_says_so() {
    let scene = Scene::new(Wish::default()).await;
    let refused = scene.engine().test_alerts().await;
    assert!(matches!(refused, Err(Error::Invalid { param: "alerts", .. })), "{refused:?}");
}
