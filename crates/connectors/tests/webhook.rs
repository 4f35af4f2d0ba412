//! The webhook connector against receivers on loopback, honest and otherwise.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails where it stands")]

use std::net::SocketAddr;
use std::time::Duration;

use bursar_connectors::webhook::{Deadlines, Posting, Reach, Webhook, WebhookSettings};
use bursar_connectors::{Connector as _, Delivery, DeliveryOutcome, Health};
use bursar_domain::time::BusinessTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SHORT: Deadlines = Deadlines { connect: Duration::from_millis(500), whole: Duration::from_millis(500) };

/// Takes connections, hands over what was said on each, and answers with these words; nothing for no answer at all.
async fn receiver(answer: Option<&'static str>) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            let told = told.clone();
            tokio::spawn(async move {
                let mut heard = Vec::new();
                let mut chunk = [0; 4096];
                while !heard.ends_with(b"}") {
                    match peer.read(&mut chunk).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => heard.extend_from_slice(&chunk[..count]),
                    }
                }
                told.send(String::from_utf8_lossy(&heard).into_owned()).unwrap();
                match answer {
                    Some(answer) => peer.write_all(answer.as_bytes()).await.unwrap(),
                    None => std::future::pending().await,
                }
            });
        }
    });
    (address, hears)
}

fn settings(url: String) -> WebhookSettings {
    WebhookSettings { url, secrets: vec![SECRET.into()], reach: Reach::Public, deadlines: SHORT }
}

fn delivery() -> Delivery<Posting> {
    let message = Posting { body: r#"{"test": 2432232314}"#.to_owned(), attempted_at_s: 1_614_265_330 };
    let key = "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap();
    Delivery { key, at: BusinessTime::from_unix_s(1_614_265_000), message }
}

#[tokio::test]
async fn what_arrives_can_be_verified_by_its_receiver() {
    let (address, mut hears) = receiver(Some("HTTP/1.1 204 No Content\r\n\r\n")).await;
    let webhook = Webhook::new(&settings(format!("http://{address}/hook"))).unwrap();
    let outcome = webhook.deliver(&delivery()).await;
    assert_eq!(outcome, DeliveryOutcome::Delivered { reference: "204".to_owned() });
    let heard = hears.recv().await.unwrap().to_ascii_lowercase();
    assert!(heard.starts_with("post /hook http/1.1\r\n"), "{heard}");
    for line in [
        "webhook-id: msg_p5jxn8aqm9lwm0d4lokwxjek",
        "webhook-timestamp: 1614265330",
        // As published for this id, time, body and secret.
        "webhook-signature: v1,g0hm9sse+otpjtgt/tmiktsyzle3ufjelvlniolj1oe=",
        "content-type: application/json",
    ] {
        assert!(heard.lines().any(|found| found == line), "{line} is not in {heard}");
    }
    assert!(heard.ends_with(r#"{"test": 2432232314}"#), "{heard}");
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let (trap, mut trapped) = receiver(Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let answer =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{trap}/\r\ncontent-length: 0\r\n\r\n");
    let (address, mut hears) = receiver(Some(answer.leak())).await;
    let webhook = Webhook::new(&settings(format!("http://{address}/hook"))).unwrap();
    let outcome = webhook.deliver(&delivery()).await;
    assert!(matches!(&outcome, DeliveryOutcome::Retry { why, .. } if why.contains("307")), "{outcome:?}");
    assert!(hears.recv().await.is_some());
    assert!(trapped.try_recv().is_err(), "nobody went there");
}

#[tokio::test]
async fn silence_is_waited_for_no_longer_than_it_may_be_and_tried_again() {
    let (address, _hears) = receiver(None).await;
    let webhook = Webhook::new(&settings(format!("http://{address}/"))).unwrap();
    let outcome = webhook.deliver(&delivery()).await;
    let DeliveryOutcome::Retry { why, .. } = &outcome else { panic!("{outcome:?}") };
    assert!(why.contains("in time"), "{why}");
    let (closed, _) = receiver(None).await;
    drop(webhook);
    let unused = SocketAddr::new(closed.ip(), 1);
    let webhook = Webhook::new(&settings(format!("http://{unused}/"))).unwrap();
    let outcome = webhook.deliver(&delivery()).await;
    assert!(matches!(&outcome, DeliveryOutcome::Retry { why, .. } if why.contains("connect")), "{outcome:?}");
}

#[tokio::test]
async fn its_health_is_whether_somebody_takes_the_connection() {
    let (address, mut hears) = receiver(None).await;
    let webhook = Webhook::new(&settings(format!("http://{address}/"))).unwrap();
    let up = webhook.health().await;
    assert!(matches!(&up, Health::Up { detail } if detail.contains("127.0.0.1")), "{up:?}");
    drop(webhook);
    assert_eq!(hears.recv().await.as_deref(), Some(""), "and nothing was said");
    let unused = Webhook::new(&settings("http://127.0.0.1:1/".to_owned())).unwrap();
    assert!(matches!(unused.health().await, Health::Down { .. }));
}

#[test]
fn nothing_of_it_shows_a_secret() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = settings("http://127.0.0.1:1/path-as-good-as-a-password".to_owned());
    assert!(!format!("{settings:?}").contains("MfKQ9r8G"));
    let webhook = format!("{:?}", Webhook::new(&settings).unwrap());
    assert!(!webhook.contains("MfKQ9r8G") && !webhook.contains("password"), "{webhook}");
}
