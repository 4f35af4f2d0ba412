//! A collector that is not there, and one that never answers: the program serves and ends as if nothing were.

use reqwest::Method;
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant};

use crate::installation::Installation;

/// The last attempt to send takes three seconds; all else is the program's own end on a busy machine.
const END_MAX: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_stops_nothing_and_is_told_once() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let installation = serves_and_ends(&format!("http://{gone}")).await;
    let log = installation.log();
    assert_eq!(log.matches("the collector takes no spans").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_stops_nothing() {
    // It takes connections and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serves_and_ends(&format!("http://{}", silent.local_addr().unwrap())).await;
}

async fn serves_and_ends(collector: &str) -> Installation {
    let mut installation = Installation::serve(Some(collector), "info").await;
    for _ in 0..3 {
        installation.api("operator", Method::GET, "/status", None).await;
    }
    let began = Instant::now();
    installation.end().await;
    assert!(began.elapsed() < END_MAX, "{:?}", began.elapsed());
    installation
}
