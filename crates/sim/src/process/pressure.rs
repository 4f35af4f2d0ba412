//! Deliveries over many connections: as fast as answers come, or at a pace that waits for nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bursar_fake_stripe::FakeStripe;
use bursar_stripe::signature;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::by_hand::{Answered, Connection, post};
use super::site::now;

const ID: &str = "evt_BURSARPROVES";
const CUSTOMER: &str = "cus_BURSARPROVES";
/// What happens, happens to so many.
const CUSTOMERS: u64 = 200;

/// A Stripe account as it is heard: its secret, and an event of it with marks for its id and its customer.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    secret: &'static str,
    template: String,
    /// Counts events over all lanes, so that each is new.
    next: Arc<AtomicU64>,
}

impl Lane {
    pub(super) fn new(
        stripe: &FakeStripe,
        secret: &'static str,
        next: &Arc<AtomicU64>,
    ) -> anyhow::Result<Self> {
        let made =
            stripe.trigger("customer.updated", json!({})).map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut event = made["event"].clone();
        event["id"] = json!(ID);
        event["created"] = json!(now().1.unix_s());
        event["data"]["object"]["id"] = json!(CUSTOMER);
        Ok(Self { secret, template: event.to_string(), next: Arc::clone(next) })
    }

    /// An event that nobody has seen, and its delivery.
    pub(super) fn delivery(&self) -> (String, Vec<u8>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("evt_{}", letters(number));
        let customer = format!("cus_{}", letters(number % CUSTOMERS));
        let body = self.template.replace(ID, &id).replace(CUSTOMER, &customer);
        (id, self.signed(body.as_bytes()))
    }

    /// A delivery of these bytes, signed.
    pub(super) fn signed(&self, body: &[u8]) -> Vec<u8> {
        let signature = signature::sign(self.secret, now().1.unix_s(), body);
        let headers = format!("stripe-signature: {signature}\r\ncontent-length: {}\r\n", body.len());
        deliver(&headers, body)
    }
}

/// A post to the door for webhooks, as anybody may send it.
pub(super) fn deliver(headers: &str, body: &[u8]) -> Vec<u8> {
    post("127.0.0.1", "/ingest/stripe", headers, body)
}

/// Like Stripe's ids no long run of digits, which could be a card's.
fn letters(mut number: u64) -> String {
    let mut text = String::new();
    for _ in 0..14 {
        text.push(char::from(b'A' + u8::try_from(number % 26).unwrap_or(0)));
        number /= 26;
    }
    text
}

/// What came of a load. Times are from when a request was sent.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub took: Duration,
    /// Ids of events that were acknowledged, and how long each took.
    pub kept: Vec<(String, Duration)>,
    /// How long it took to be told to come again.
    pub put_off: Vec<Duration>,
    /// What was neither kept nor told to come again, in words.
    pub wrong: Vec<String>,
}

impl Seen {
    pub(super) fn note(&mut self, id: String, answered: &anyhow::Result<Answered>, sent: Instant) {
        match answered {
            Ok(answered) if answered.status == 200 => self.kept.push((id, sent.elapsed())),
            Ok(answered) if answered.is_put_off() => self.put_off.push(sent.elapsed()),
            Ok(answered) => self.wrong.push(format!("{id} was answered {}", answered.status)),
            Err(error) => self.wrong.push(format!("{id}: {error}")),
        }
    }

    pub(super) fn kept_per_s(&self) -> u64 {
        per_s(self.kept.len(), self.took)
    }

    /// How much was sent, a second.
    pub(super) fn offered_per_s(&self) -> u64 {
        per_s(self.kept.len() + self.put_off.len() + self.wrong.len(), self.took)
    }

    pub(super) fn times(&self) -> Vec<Duration> {
        self.kept.iter().map(|(_, took)| *took).collect()
    }

    /// Another stretch of the same.
    pub(super) fn join(&mut self, other: Seen) {
        self.took += other.took;
        self.kept.extend(other.kept);
        self.put_off.extend(other.put_off);
        self.wrong.extend(other.wrong);
    }
}

fn per_s(count: usize, took: Duration) -> u64 {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    count as u64 * 1_000 / ms
}

/// What so many of a hundred stayed within.
pub(super) fn within(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}

/// How a load is driven.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drive {
    pub connections: u32,
    pub lasts: Duration,
    /// Requests in a second over all connections; nothing for as fast as answers come.
    pub per_s: Option<u64>,
}

/// Sends deliveries of the lane, each new.
pub(super) async fn drive(address: &str, lane: &Lane, how: Drive) -> anyhow::Result<Seen> {
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for number in 0..how.connections {
        let (lane, address) = (lane.clone(), address.to_owned());
        senders.spawn(async move { send(&address, &lane, how, number).await });
    }
    let mut all = Seen::default();
    while let Some(seen) = senders.join_next().await {
        all.join(seen.context("a sender panicked")??);
    }
    all.took = began.elapsed();
    Ok(all)
}

async fn send(address: &str, lane: &Lane, how: Drive, number: u32) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let mut connection = Connection::open(address).await?;
    let end = Instant::now() + how.lasts;
    let mut tick = how.per_s.map(|per_s| {
        let pace = Duration::from_micros(1_000_000 * u64::from(how.connections) / per_s.max(1));
        let pace = pace.max(Duration::from_micros(1));
        // Not all of them at the same moment.
        let first = Instant::now() + pace * number / how.connections;
        let mut tick = tokio::time::interval_at(first, pace);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        tick
    });
    loop {
        if let Some(tick) = &mut tick {
            tick.tick().await;
        }
        if Instant::now() >= end {
            return Ok(seen);
        }
        let (id, delivery) = lane.delivery();
        // From when it is sent: waiting for this sender is no delay of the server's.
        let sent = Instant::now();
        let answered = connection.ask(&delivery).await;
        if answered.as_ref().map_or(true, Answered::closes) {
            connection = Connection::open(address).await?;
        }
        seen.note(id, &answered, sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_and_letters_differ() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(within(&times, 50), Duration::from_millis(100));
        assert_eq!(within(&times, 99), Duration::from_millis(198));
        assert_eq!(within(&[], 99), Duration::ZERO);
        let all: std::collections::BTreeSet<String> = (0..20_000).map(letters).collect();
        assert_eq!(all.len(), 20_000);
    }
}
