//! A Stripe that drips its answer, and one that is somebody else.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::*;

const WRITTEN: Written<'_> = Written {
    path: "/v1/refunds",
    body: b"charge=ch_1&amount=5000",
    idempotency_key: "bursar_1",
    api_version: PINNED,
};

fn client(scheme: &str, server: SocketAddr) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new(&format!("{scheme}://{server}"), "sk_test_1".into(), 100).unwrap()
}

async fn send(client: &Client) -> std::result::Result<Answered, SendError> {
    let turn = client.turn().await.unwrap();
    client.send(turn, WRITTEN).await
}

/// Answers one connection: the head of an answer, then a byte whenever it is told.
fn drip(listener: &TcpListener, told: &mpsc::Receiver<()>) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = [0; 4_096];
    assert!(stream.read(&mut request).unwrap() > 0);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").unwrap();
    // Whoever asked goes away in the end.
    while told.recv().is_ok() && stream.write_all(b"{").is_ok() {}
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_drips_is_lost_when_the_deadline_for_the_whole_of_it_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client("http", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    // While this runs, time stands still unless we move it.
    let dripping = tokio::task::spawn_blocking(move || drip(&listener, &told));
    let sending = tokio::spawn(async move { send(&client).await });
    for second in 0..=DEADLINE.as_secs() {
        assert!(!sending.is_finished(), "given up after {second} s, within the deadline");
        let _ = tell.send(());
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let lost = sending.await.unwrap();
    assert!(
        matches!(&lost, Err(SendError::Lost(why)) if why.starts_with("no answer in time")),
        "it may have happened: {lost:?}"
    );
    drop(tell);
    dripping.await.unwrap();
}

/// Speaks TLS under a certificate that nobody vouches for; answers what was said to it, which must be nothing.
fn pose(listener: &TcpListener, config: Arc<ServerConfig>) -> Vec<u8> {
    let (mut stream, _): (TcpStream, SocketAddr) = listener.accept().unwrap();
    let mut connection = ServerConnection::new(config).unwrap();
    let mut heard = Vec::new();
    // Ends in an error: whoever came hangs up.
    let _ = rustls::Stream::new(&mut connection, &mut stream).read_to_end(&mut heard);
    heard
}

#[tokio::test]
async fn to_somebody_who_is_not_stripe_nothing_is_sent_and_it_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client("https", listener.local_addr().unwrap());
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let posing = tokio::task::spawn_blocking(move || pose(&listener, Arc::new(config)));
    let refused = send(&client).await;
    assert!(
        matches!(&refused, Err(SendError::NotSent(why)) if why.contains("certificate")),
        "surely nothing left, and why: {refused:?}"
    );
    assert_eq!(posing.await.unwrap(), b"", "neither the key nor the request");
}

#[tokio::test(start_paused = true)]
async fn a_connected_account_that_must_slow_down_holds_up_no_other() {
    let platform = client("http", "127.0.0.1:9".parse().unwrap());
    let (seller, other) = (platform.acting_for("acct_1"), platform.acting_for("acct_2"));
    seller.limiter.slow_down(Duration::from_hours(1));
    assert!(seller.turn().await.is_err());
    for free in [&platform, &other] {
        assert!(free.turn().await.is_ok());
    }
}

#[tokio::test]
async fn a_card_number_in_a_text_of_stripes_is_seen_by_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client("http", listener.local_addr().unwrap());
    let answering = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4_096]).unwrap() > 0);
        let body = r#"{"id": "cus_A", "object": "customer", "description": "card 4111 1111 1111 1111"}"#;
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let read = client.object("customer", "cus_A", Class::Action).await.unwrap().unwrap();
    assert_eq!(read["description"], "card **** **** **** 1111");
    answering.await.unwrap();
}

/// Answers one connection with a 429 that says when to come again.
fn limit(listener: &TcpListener, after: &str) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = [0; 4_096];
    assert!(stream.read(&mut request).unwrap() > 0);
    let head = format!("HTTP/1.1 429 Slow down\r\nretry-after: {after}\r\nconnection: close\r\n");
    stream.write_all(format!("{head}content-length: 2\r\n\r\n{{}}").as_bytes()).unwrap();
}

/// At once would be many times a second, with every worker.
#[tokio::test(start_paused = true)]
async fn who_is_told_to_slow_down_is_slow_for_a_second_whatever_stripe_says() {
    for (after, seconds) in [("0", 1), ("-5", 1), ("soon", 1), ("3", 3)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = client("http", listener.local_addr().unwrap());
        let limiting = tokio::task::spawn_blocking(move || limit(&listener, after));
        let (sent, told) = (send(&client), limiting);
        assert_eq!(sent.await.unwrap().status, 429);
        told.await.unwrap();
        let told_at = tokio::time::Instant::now();
        client.turn().await.unwrap();
        assert_eq!(told_at.elapsed().as_secs(), seconds, "retry-after: {after}");
    }
}
