//! Rows 57 to 59 and 61: when nothing can be kept, nothing is acknowledged, and what was acknowledged stays.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use serde_json::json;

use super::stage::{INGEST, SECRET, Stage, bytes, event, signed};

async fn deliver(stage: &Stage, number: usize) -> super::stage::Answer {
    stage.send(signed(INGEST, SECRET, &bytes(&event(&format!("evt_{number}"))))).await
}

#[tokio::test]
async fn a_database_that_is_broken_keeps_nothing_and_loses_nothing() {
    let stage = Stage::open().await;
    assert_eq!(deliver(&stage, 1).await.status, 200);
    // Each of these is written in the commit of an event; without any of them there is no event.
    for (number, (breaks, mends)) in [
        ("ALTER TABLE events RENAME TO lost", "ALTER TABLE lost RENAME TO events"),
        ("ALTER TABLE audit RENAME TO lost", "ALTER TABLE lost RENAME TO audit"),
    ]
    .into_iter()
    .enumerate()
    {
        stage.sql(breaks).await;
        let answer = deliver(&stage, 10 + number).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (503, "not kept; please send it again"),
            "57: {breaks}"
        );
        assert_eq!(answer.header("retry-after"), "1", "57: {breaks}");
        let garbage = stage.deliver(format!("garbage {number}").as_bytes()).await;
        let needs_it = !breaks.contains("events");
        assert_eq!(garbage.status, if needs_it { 503 } else { 200 }, "57: {breaks}");
        stage.sql(mends).await;
        assert_eq!(
            stage.count("SELECT COUNT(*) FROM events").await,
            1 + i64::try_from(number).unwrap(),
            "57: {breaks}"
        );
        assert_eq!(deliver(&stage, 10 + number).await.status, 200, "57: it came again after {mends}");
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 3);
    assert_eq!(stage.counted("bursar_webhook_not_kept_total"), 3);
}

#[tokio::test]
async fn a_mirror_that_is_broken_keeps_no_event_from_being_accepted() {
    let stage = Stage::open().await;
    stage.sql("ALTER TABLE objects RENAME TO lost").await;
    assert_eq!(deliver(&stage, 1).await.status, 200);
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 1);
    assert_eq!(
        stage.count("SELECT COUNT(*) FROM jobs WHERE kind = 'event'").await,
        1,
        "it is left to a worker"
    );
}

#[tokio::test]
async fn the_quarantine_that_cannot_keep_does_not_acknowledge() {
    let stage = Stage::open().await;
    stage.sql("ALTER TABLE quarantine RENAME TO lost").await;
    assert_eq!(stage.deliver(b"garbage").await.status, 503, "57");
    stage.sql("ALTER TABLE lost RENAME TO quarantine").await;
    assert_eq!(stage.deliver(b"garbage").await.status, 200);
    assert_eq!(stage.count("SELECT COUNT(*) FROM quarantine").await, 1);
}

#[tokio::test]
async fn a_full_line_turns_away_and_keeps_what_it_took() {
    let stage = Stage::open().await;
    // Somebody else holds the database: commits wait.
    let mut other = stage.database().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let mut waiting: FuturesUnordered<_> = (0..2_600).map(|number| deliver(&stage, number)).collect();
    let first =
        tokio::time::timeout(Duration::from_secs(4), waiting.next()).await.expect("somebody is turned away");
    let first = first.unwrap();
    assert_eq!((first.status, first.header("retry-after")), (503, "1"), "61");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let rest: Vec<u16> = waiting.map(|answer| answer.status).collect().await;
    let accepted = rest.iter().filter(|status| **status == 200).count();
    assert!(
        accepted >= 1_024 && rest.iter().all(|status| [200, 503].contains(status)),
        "{accepted} were kept"
    );
    assert_eq!(
        stage.count("SELECT COUNT(*) FROM events").await,
        i64::try_from(accepted).unwrap(),
        "61: kept is what was acknowledged"
    );
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let stage = Stage::open().await;
    let approval = stage.asked().await;
    let charge = stage.charge(5_000, "usd");
    stage.sql("ALTER TABLE audit RENAME TO lost").await;
    let path = format!("/api/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    let vote = json!({"digest": approval["digest"]});
    assert!(stage.post("carl", &path, &vote).await.status >= 500, "156");
    let asked = stage.post("sam", "/api/v1/refund_requests", &json!({"charge": charge, "reason": "x"})).await;
    assert!(asked.status >= 500, "156: {}", asked.text);
    let kill = json!({"scope": "all", "reason": "drill"});
    assert!(stage.post("olivia", "/api/v1/kill_switches", &kill).await.status >= 500, "156");
    stage.sql("ALTER TABLE lost RENAME TO audit").await;
    stage.settle().await;
    assert_eq!(stage.refunds(), 0, "156: nothing was sent");
    for table in ["votes", "kill_switches"] {
        assert_eq!(stage.count(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "156: {table}");
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM proposals").await, 1, "156");
    assert_eq!(stage.post("carl", &path, &vote).await.status, 200);
    stage.settle().await;
    assert_eq!(stage.refunds(), 1);
}

#[tokio::test]
async fn an_engine_that_stops_sends_senders_away() {
    let stage = Stage::open().await;
    assert_eq!(deliver(&stage, 1).await.status, 200);
    stage.engine.stop().await;
    for number in [1, 2] {
        let answer = deliver(&stage, number).await;
        assert_eq!((answer.status, answer.header("connection")), (503, "close"), "59");
    }
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 1);
}

#[tokio::test]
async fn an_event_in_fifty_deliveries_at_once_is_one_event() {
    let stage = Stage::open().await;
    let answers = join_all((0..50).map(|number| deliver(&stage, number % 5))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(stage.count("SELECT COUNT(*) FROM events").await, 5);
    assert_eq!(stage.counted("bursar_events_duplicate_total{source=\"webhook\"}"), 45);
}
