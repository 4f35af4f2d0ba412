//! Rows 14, 20, 21 and 24 to 29, over real sockets where they are about sockets.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use bursar_stripe::signature::sign;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::stage::{HOST, INGEST, INGEST_CONNECT, NOW_S, SECRET, Stage, bytes, event};
use crate::http::limits::Limits;
use crate::http::serve::serve;

/// Far shorter than anybody's patience.
fn impatient() -> Limits {
    let short = Duration::from_millis(150);
    Limits { headers: short, body: short, body_start: short, ..Limits::default() }
}

/// Serves the stage until the test ends.
async fn listening(stage: &Stage) -> SocketAddr {
    serving(stage, impatient()).await
}

pub(super) async fn serving(stage: &Stage, limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, stage.router.clone(), limits, std::future::pending()));
    address
}

/// Sends these bytes, keeps its side open, and reads until the server closes.
pub(super) async fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has heard enough may close before everything is said.
    let _ = stream.write_all(bytes).await;
    let mut heard = Vec::new();
    let reading = async {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut piece).await {
            heard.extend_from_slice(&piece[..length]);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the server closes");
    String::from_utf8_lossy(&heard).into_owned()
}

/// The status of every answer in what was heard.
pub(super) fn statuses(heard: &str) -> Vec<String> {
    heard
        .replace("HTTP/1.0 ", "HTTP/1.1 ")
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|rest| rest.get(..3))
        .map(str::to_owned)
        .collect()
}

pub(super) fn head(path: &str, headers: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: {HOST}\r\n{headers}\r\n")
}

#[tokio::test]
async fn a_head_of_64_kb_is_not_read() {
    let stage = Stage::open().await;
    let address = listening(&stage).await;
    let long = format!("stripe-signature: t=1{}\r\n", ",v1=00".repeat(11_000));
    assert!(long.len() > 64 * 1024);
    assert_eq!(statuses(&say(address, head(INGEST, &long).as_bytes()).await), ["431"], "14");
    let over = format!("stripe-signature: t=1{}\r\n", ",v1=00".repeat(3_000));
    assert_eq!(statuses(&say(address, head(INGEST, &over).as_bytes()).await), ["431"], "14: 18 KB");
    let below = format!("x: {}\r\nconnection: close\r\ncontent-length: 0\r\n", "y".repeat(12_000));
    assert_eq!(statuses(&say(address, head(INGEST, &below).as_bytes()).await), ["400"], "14: 12 KB are read");
    let many = "x: y\r\n".repeat(100_000);
    assert_eq!(statuses(&say(address, head(INGEST, &many).as_bytes()).await), ["431"], "14: very many");
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_not_waited_for() {
    let stage = Stage::open().await;
    let address = listening(&stage).await;
    for length in ["1048577", "1073741824", "9223372036854775807"] {
        // Not one byte of the body is sent.
        let heard = say(address, head(INGEST, &format!("content-length: {length}\r\n")).as_bytes()).await;
        assert_eq!(statuses(&heard), ["413"], "24: {length}");
        assert!(heard.to_ascii_lowercase().contains("connection: close"), "24: {heard}");
    }
    let asks_first = head(INGEST, "content-length: 1073741824\r\nexpect: 100-continue\r\n");
    assert_eq!(
        statuses(&say(address, asks_first.as_bytes()).await),
        ["413"],
        "24: nobody is told to continue"
    );
}

#[tokio::test]
async fn a_body_in_chunks_is_cut_off_at_a_mebibyte() {
    let stage = Stage::open().await;
    let address = listening(&stage).await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let body = chunk.repeat(17);
    let heard = say(address, (head(INGEST, "transfer-encoding: chunked\r\n") + &body).as_bytes()).await;
    assert_eq!(statuses(&heard), ["413"], "24: in chunks");
}

#[tokio::test]
async fn a_sender_that_stalls_is_let_go() {
    let stage = Stage::open().await;
    let address = listening(&stage).await;
    let token = format!("authorization: {}\r\n", stage.bearer("sam"));
    for (row, request, expected) in [
        ("25: five bytes of ten", head(INGEST, "content-length: 10\r\n") + "hello", vec!["408"]),
        ("25: none of ten", head(INGEST_CONNECT, "content-length: 10\r\n"), vec!["408"]),
        (
            "27: chunks without end",
            head(INGEST, "transfer-encoding: chunked\r\n") + "5\r\nhello\r\n",
            vec!["408"],
        ),
        ("27: half a chunk", head(INGEST, "transfer-encoding: chunked\r\n") + "5\r\nhel", vec!["408"]),
        (
            "25: at the API",
            head("/api/v1/refund_requests", &format!("{token}content-length: 10\r\n")) + "{",
            vec!["408"],
        ),
        ("half a head", "POST /ingest/stripe HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ".to_owned(), vec![]),
    ] {
        assert_eq!(statuses(&say(address, request.as_bytes()).await), expected, "{row}");
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 0);
}

#[tokio::test]
async fn a_length_said_twice_is_refused_and_the_connection_closed() {
    let stage = Stage::open().await;
    let address = listening(&stage).await;
    let (chunked, length) = ("transfer-encoding: chunked\r\n", "content-length: 4\r\n");
    let body = "0\r\n\r\n";
    // Well answered but for its headers.
    let good = |headers: &str| format!("GET /healthz HTTP/1.1\r\nhost: {HOST}\r\n{headers}\r\n");
    let smuggled = format!("GET /readyz HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    for (row, request, expected) in [
        ("26: length first", good(&format!("{length}{chunked}")) + body + &smuggled, vec!["400"]),
        ("26: chunks first", good(&format!("{chunked}{length}")) + body + &smuggled, vec!["400"]),
        (
            "26: after a good one",
            good("") + &good(&format!("{chunked}{length}")) + body + &smuggled,
            vec!["200", "400"],
        ),
        ("chunks alone", good(&format!("{chunked}connection: close\r\n")) + body, vec!["200"]),
        ("two lengths", head(INGEST, "content-length: 4\r\ncontent-length: 5\r\n") + "hello", vec!["400"]),
        ("an unknown encoding", head(INGEST, "transfer-encoding: cow\r\n") + body, vec!["400"]),
        ("a length that is a word", head(INGEST, "content-length: five\r\n") + "hello", vec!["400"]),
    ] {
        assert_eq!(statuses(&say(address, request.as_bytes()).await), expected, "{row}");
    }
}

#[tokio::test]
async fn chunks_that_end_are_as_good_as_a_length() {
    let stage = Stage::open().await;
    let address = listening(&stage).await;
    let body = bytes(&event("evt_1"));
    let signature = sign(SECRET, NOW_S, &body);
    let headers =
        format!("transfer-encoding: chunked\r\nstripe-signature: {signature}\r\nconnection: close\r\n");
    let mut request = head(INGEST, &headers).into_bytes();
    for piece in body.chunks(100) {
        request.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        request.extend_from_slice(piece);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(statuses(&say(address, &request).await), ["200"]);
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 1);
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let stage = Stage::open().await;
    let address = listening(&stage).await;
    let body = "connection: close\r\ncontent-length: 0\r\n\r\n";
    for (row, request, expected) in [
        ("28: HTTP/1.0 without", format!("POST {INGEST} HTTP/1.0\r\n{body}"), "400"),
        ("28: HTTP/1.1 without", format!("GET /healthz HTTP/1.1\r\n{body}"), "400"),
        ("HTTP/1.0 with", format!("GET /healthz HTTP/1.0\r\nhost: {HOST}\r\n{body}"), "200"),
        ("two", format!("GET /healthz HTTP/1.1\r\nhost: {HOST}\r\nhost: {HOST}\r\n{body}"), "400"),
        ("84: another", format!("GET /healthz HTTP/1.1\r\nhost: evil.example\r\n{body}"), "421"),
        (
            "84: in the request line",
            format!("GET http://evil.example/healthz HTTP/1.1\r\nhost: {HOST}\r\n{body}"),
            "421",
        ),
        (
            "84: only there right",
            format!("GET http://{HOST}/healthz HTTP/1.1\r\nhost: evil.example\r\n{body}"),
            "421",
        ),
        ("any spelling", format!("GET /healthz HTTP/1.1\r\nHOST: LOCALHOST:7171\r\n{body}"), "200"),
        ("no HTTP at all", "hello\r\n\r\n".to_owned(), "400"),
    ] {
        assert_eq!(statuses(&say(address, request.as_bytes()).await), [expected], "{row}");
    }
}

#[tokio::test]
async fn deliveries_are_posts() {
    let stage = Stage::open().await;
    for path in [INGEST, INGEST_CONNECT] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        {
            let request = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
            let answer = stage.send(request).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "20: {method} {path}");
        }
    }
}

#[tokio::test]
async fn a_compressed_body_is_never_unpacked() {
    let stage = Stage::open().await;
    let body = bytes(&event("evt_1"));
    for (encoding, status) in [
        ("gzip", 415),
        ("br", 415),
        ("zstd", 415),
        ("deflate, gzip", 415),
        ("identity, gzip", 415),
        ("GZIP", 415),
        ("identity", 415),
    ] {
        let mut request = super::stage::signed(INGEST, SECRET, &body);
        request.headers_mut().insert("content-encoding", encoding.parse().unwrap());
        assert_eq!(stage.send(request).await.status, status, "21: {encoding}");
    }
}

#[tokio::test]
async fn endpoints_that_are_not_there_are_all_alike() {
    let stage = Stage::open().await;
    let body = bytes(&event("evt_1"));
    let mut heard = Vec::new();
    for path in [
        "/ingest",
        "/ingest/",
        "/ingest/stripe/",
        "/ingest/stripe/other",
        "/ingest/paypal",
        "/webhooks",
        "/INGEST/stripe",
    ] {
        let answer = stage.send(super::stage::signed(path, SECRET, &body)).await;
        assert_eq!(answer.status, 404, "29: {path}");
        heard.push(answer.text);
    }
    heard.dedup();
    assert_eq!(heard.len(), 1, "29: {heard:#?}");
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 0);
}
