//! The generator: as fast as answers come on a fixed number of connections, or at a steady pace that waits for nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::wire::Connection;

pub const CONNECTIONS: usize = 64;

/// How long everything took, and each answer.
pub struct Load {
    pub took: Duration,
    /// Microseconds from request to answer, ascending.
    answers_us: Vec<u32>,
}

impl Load {
    /// The answer that so many of a thousand were faster than or as fast as.
    pub fn per_mille(&self, share: usize) -> f64 {
        let last = self.answers_us.len().saturating_sub(1);
        let place = (self.answers_us.len() * share).div_ceil(1000).saturating_sub(1).min(last);
        self.answers_us.get(place).copied().map_or(0.0, |us| f64::from(us) / 1000.0)
    }

    fn new(took: Duration, mut answers_us: Vec<u32>) -> Self {
        answers_us.sort_unstable();
        Self { took, answers_us }
    }
}

/// Every request once, over all connections at a time; each sends its next when the last is answered.
pub async fn as_fast_as_answered(address: SocketAddr, requests: &Arc<Vec<Vec<u8>>>) -> anyhow::Result<Load> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(address).await.context("no connection")?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for mut connection in connections {
        let (next, requests) = (Arc::clone(&next), Arc::clone(requests));
        senders.spawn(async move {
            let mut answers_us = Vec::new();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sent = Instant::now();
                accepted(connection.send(request).await?)?;
                answers_us.push(micros(sent.elapsed()));
            }
            anyhow::Ok(answers_us)
        });
    }
    let mut answers_us = Vec::with_capacity(requests.len());
    while let Some(sender) = senders.join_next().await {
        answers_us.extend(sender.context("a sender panicked")??);
    }
    Ok(Load::new(began.elapsed(), answers_us))
}

/// Every request once, so many a second whether or not earlier ones are answered. A request's time counts from when it
/// was due to be sent, so that waiting for a free connection is part of it.
pub async fn at_a_pace(
    address: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    per_second: u32,
) -> anyhow::Result<Load> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Arc::new(Mutex::new(Connection::open(address).await.context("no connection")?)));
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for place in 0..requests.len() {
        tick.tick().await;
        let due = Instant::now();
        let (requests, connection) = (Arc::clone(requests), Arc::clone(&connections[place % CONNECTIONS]));
        senders.spawn(async move {
            let status = connection.lock().await.send(&requests[place]).await?;
            accepted(status)?;
            anyhow::Ok(micros(due.elapsed()))
        });
    }
    let mut answers_us = Vec::with_capacity(requests.len());
    while let Some(sender) = senders.join_next().await {
        answers_us.push(sender.context("a sender panicked")??);
    }
    Ok(Load::new(began.elapsed(), answers_us))
}

fn accepted(status: u16) -> anyhow::Result<()> {
    anyhow::ensure!(status == 200, "an event was answered {status}");
    Ok(())
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
