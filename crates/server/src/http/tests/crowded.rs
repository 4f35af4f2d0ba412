//! Too many at once, and those who take their time on purpose: whoever means it is served all the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use bursar_stripe::signature::sign;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::stage::{
    CONNECT_SECRET, CONNECTED, HOST, INGEST, INGEST_CONNECT, NOW_S, SECRET, Setup, Stage, bytes, event,
    signed,
};
use super::transport::{head, say, serving, statuses};
use crate::http::limits::Limits;

/// A delivery as bytes, after which the connection may be used on.
fn delivery(id: &str) -> Vec<u8> {
    let body = bytes(&event(id));
    let signature = sign(SECRET, NOW_S, &body);
    let headers = format!("stripe-signature: {signature}\r\ncontent-length: {}\r\n", body.len());
    [head(INGEST, &headers).into_bytes(), body].concat()
}

/// The statuses of so many answers on one connection that stays open.
async fn answers(stream: &mut TcpStream, count: usize) -> Vec<String> {
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let seen = statuses(&String::from_utf8_lossy(&heard));
        if seen.len() >= count {
            return seen;
        }
        let length = stream.read(&mut piece).await.unwrap();
        assert!(length > 0, "closed after {} answers", seen.len());
        heard.extend_from_slice(&piece[..length]);
    }
}

async fn half_a_head(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST /ingest/stripe HTTP/1.1\r\nhost: ").await.unwrap();
    stream
}

/// Whether the server has closed it.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(Duration::from_millis(5), stream.read(&mut [0; 16])).await;
    !matches!(read, Err(_) | Ok(Ok(1..)))
}

#[tokio::test]
async fn slow_senders_make_room_for_those_who_are_not() {
    let stage = Stage::open().await;
    let limits = Limits { connections_max: 8, connections_per_peer_max: 8, ..Limits::default() };
    let address = serving(&stage, limits).await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        slow.push(half_a_head(address).await);
    }
    for number in 0..5 {
        let mut honest = TcpStream::connect(address).await.unwrap();
        honest.write_all(&delivery(&format!("evt_{number}"))).await.unwrap();
        assert_eq!(answers(&mut honest, 1).await, ["200"]);
    }
    let mut open = 0;
    for stream in &mut slow {
        open += usize::from(!is_closed(stream).await);
    }
    assert!(open <= 8, "{open} slow ones are still there");
    assert!(stage.counted("bursar_connections_displaced_total") >= 32);
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 5);
}

/// Nobody is accepted here: who finds no room in the line would wait for ever.
#[tokio::test]
async fn many_who_come_at_once_are_all_let_into_the_line() {
    let listener = crate::service::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let coming = async {
        let mut connected = Vec::new();
        for _ in 0..400 {
            connected.push(TcpStream::connect(address).await.unwrap());
        }
        connected
    };
    let connected = tokio::time::timeout(Duration::from_secs(20), coming).await.expect("all are let in");
    assert_eq!(connected.len(), 400);
}

#[tokio::test]
async fn a_body_that_trickles_is_let_go_and_one_that_flows_is_not() {
    let stage = Stage::open().await;
    let start = Duration::from_millis(200);
    let limits = Limits { body_start: start, body_bytes_per_s: 10_000, ..Limits::default() };
    let address = serving(&stage, limits).await;
    let body = bytes(&event("evt_1"));
    let headers = format!("stripe-signature: {}\r\ncontent-length: ", sign(SECRET, NOW_S, &body));
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(head(INGEST, "content-length: 100000\r\n").as_bytes()).await.unwrap();
    let (mut reading, mut writing) = slow.split();
    let trickle = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            if writing.write_all(b"x").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut heard = vec![0; 12];
    tokio::select! {
        read = reading.read_exact(&mut heard) => assert!(read.is_ok()),
        () = trickle => {}
    }
    assert_eq!(heard, b"HTTP/1.1 408", "25: a byte now and then");
    let mut steady = TcpStream::connect(serving(&stage, Limits::default()).await).await.unwrap();
    steady.write_all(head(INGEST, &format!("{headers}{}\r\n", body.len())).as_bytes()).await.unwrap();
    for piece in body.chunks(body.len().div_ceil(4)) {
        tokio::time::sleep(Duration::from_millis(40)).await;
        steady.write_all(piece).await.unwrap();
    }
    assert_eq!(answers(&mut steady, 1).await, ["200"]);
}

#[tokio::test]
async fn a_pipelined_flood_is_answered_in_turn_and_holds_up_nobody() {
    let stage = Stage::open().await;
    let address = serving(&stage, Limits::default()).await;
    let flood: Vec<u8> = (0..40).flat_map(|number| delivery(&format!("evt_{number}"))).collect();
    let mut flooding = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = flooding.split();
    let probe = format!("GET /healthz HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
    let (sent, probed) = tokio::join!(writing.write_all(&flood), say(address, probe.as_bytes()));
    sent.unwrap();
    assert_eq!(statuses(&probed), ["200"]);
    let (mut heard, mut piece) = (Vec::new(), [0; 8192]);
    while statuses(&String::from_utf8_lossy(&heard)).len() < 40 {
        let length = reading.read(&mut piece).await.unwrap();
        assert!(length > 0);
        heard.extend_from_slice(&piece[..length]);
    }
    assert!(statuses(&String::from_utf8_lossy(&heard)).iter().all(|status| status == "200"));
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 40);
}

/// All the room of a share, until it is dropped.
async fn all_of(share: &Arc<Semaphore>) -> tokio::sync::OwnedSemaphorePermit {
    let all = u32::try_from(share.available_permits()).unwrap();
    Arc::clone(share).acquire_many_owned(all).await.unwrap()
}

async fn status(stage: &Stage, path: &str) -> u16 {
    stage.send(Request::get(path).body(Body::empty()).unwrap()).await.status
}

#[tokio::test]
async fn people_decide_while_everything_else_is_full() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    let (_api, _webhooks) = (all_of(&stage.shares.api).await, all_of(&stage.shares.webhooks).await);
    let sent_away = stage.deliver(&bytes(&event("evt_1"))).await;
    assert_eq!((sent_away.status, sent_away.header("retry-after")), (503, "1"));
    tokio::time::pause();
    let busy = stage.get("sam", "/api/v1/cases").await;
    tokio::time::resume();
    assert_eq!((busy.refusal(), busy.header("retry-after")), ((503, "busy".to_owned()), "1"));
    for path in ["/healthz", "/livez", "/readyz", "/metrics", "/login"] {
        assert_eq!(status(&stage, path).await, 200, "{path}");
    }
    let path = format!("/api/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    let vote = json!({"digest": approval["digest"]});
    assert_eq!(stage.post("carl", &path, &vote).await.status, 200);
    let stop = json!({"scope": "all", "reason": "a flood"});
    assert_eq!(stage.post("olivia", "/api/v1/kill_switches", &stop).await.status / 100, 2);
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 0);
}

#[tokio::test]
async fn webhooks_are_kept_while_console_and_api_are_full() {
    let stage = Stage::open().await;
    let (_api, _console) = (all_of(&stage.shares.api).await, all_of(&stage.shares.console).await);
    assert_eq!(stage.deliver(&bytes(&event("evt_1"))).await.status, 200);
    assert_eq!(status(&stage, "/readyz").await, 200);
}

#[tokio::test]
async fn a_slow_form_takes_no_turn_before_it_is_here() {
    let stage = Stage::open().await;
    let address = serving(&stage, Limits::default()).await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head("/login", "content-length: 100\r\n").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let probe = format!("GET /login HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
    assert_eq!(statuses(&say(address, probe.as_bytes()).await), ["200"]);
}

#[tokio::test]
async fn a_loud_lane_leaves_the_others_their_room() {
    let stage = Stage::open_as(Setup { lost_seller: true, ..Setup::default() }).await;
    // Somebody else holds the database: commits wait.
    let mut other = stage.database().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let loud = (0..1_500).map(|number| signed(INGEST, SECRET, &bytes(&event(&format!("evt_{number}")))));
    let mut waiting: FuturesUnordered<_> = loud.map(|request| stage.send(request)).collect();
    let first =
        tokio::time::timeout(Duration::from_secs(4), waiting.next()).await.expect("somebody is turned away");
    assert_eq!(first.unwrap().status, 503, "the loud lane has no more room");
    let quiet = (0..50).map(|number| {
        let mut event = event(&format!("evt_quiet{number}"));
        event["account"] = CONNECTED.into();
        stage.send(signed(INGEST_CONNECT, CONNECT_SECRET, &bytes(&event)))
    });
    let quiet: FuturesUnordered<_> = quiet.collect();
    let (quiet, ()) = tokio::join!(quiet.map(|answer| answer.status).collect::<Vec<_>>(), async {
        tokio::task::yield_now().await;
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    });
    assert_eq!(quiet, [200; 50]);
    let loud: Vec<u16> = waiting.map(|answer| answer.status).collect().await;
    let kept = loud.iter().filter(|status| **status == 200).count();
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, i64::try_from(kept + 50).unwrap());
}
