//! The task that sends what is due. Each endpoint has a lane of its own, so that one that does not answer
//! keeps nobody else waiting.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Disorder, Letter, due, note};
use crate::error::Error;
use crate::sim::FakeStripe;

/// Each endpoint is given this long to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Letters under way to one endpoint at the same time.
const AT_ONCE: usize = 8;

/// A wished disorder is kept to by sending one by one: what is under way together arrives as it likes.
fn at_once(disorder: Disorder) -> usize {
    if disorder.reorder_percent > 0 { 1 } else { AT_ONCE }
}

/// Sends webhooks until it is dropped: whenever the bell rings, what is due to endpoints that are free.
pub async fn run(stripe: FakeStripe) -> Result<(), Error> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may install one at this very moment; theirs will do as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let client = reqwest::Client::builder()
        .timeout(ANSWER_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| Error::Network(error.to_string()))?;
    let mut lanes: JoinSet<Result<String, Error>> = JoinSet::new();
    let mut busy = HashSet::new();
    loop {
        for (endpoint, letters) in sorted(&stripe, &busy) {
            busy.insert(endpoint.clone());
            lanes.spawn(lane(stripe.clone(), client.clone(), endpoint, letters));
        }
        tokio::select! {
            () = stripe.0.bell.notified() => {}
            Some(ended) = lanes.join_next(), if !lanes.is_empty() => {
                let endpoint = ended.map_err(|error| Error::Network(error.to_string()))??;
                busy.remove(&endpoint);
            }
        }
    }
}

/// What is due, by endpoint, those left out that are being told already.
fn sorted(stripe: &FakeStripe, busy: &HashSet<String>) -> BTreeMap<String, Vec<Letter>> {
    let state = stripe.state();
    let mut sorted: BTreeMap<String, Vec<Letter>> = BTreeMap::new();
    for letter in due(&state.world, stripe.now_s(), state.disorder, busy) {
        sorted.entry(letter.endpoint.clone()).or_default().push(letter);
    }
    sorted
}

/// Sends the letters of one endpoint, a few at once, and notes how each went.
async fn lane(
    stripe: FakeStripe,
    client: reqwest::Client,
    endpoint: String,
    letters: Vec<Letter>,
) -> Result<String, Error> {
    let width = at_once(stripe.state().disorder);
    for batch in letters.chunks(width) {
        let mut sent = JoinSet::new();
        for letter in batch {
            let (client, letter, at) = (client.clone(), letter.clone(), stripe.machine_now_s());
            sent.spawn(async move { (post(&client, &letter, at).await, letter.delivery) });
        }
        while let Some(joined) = sent.join_next().await {
            let (heard, delivery) = joined.map_err(|error| Error::Network(error.to_string()))?;
            stripe.change(|tx| note(tx, &delivery, heard))?;
        }
    }
    Ok(endpoint)
}

/// Posts a letter, and its copies; only a 2xx counts as heard.
async fn post(client: &reqwest::Client, letter: &Letter, machine_now_s: i64) -> bool {
    let mut heard = false;
    for _ in 0..letter.copies {
        let signature = bursar_stripe::signature::sign(&letter.secret, machine_now_s, letter.body.as_bytes());
        let answer = client
            .post(&letter.url)
            .header("content-type", "application/json; charset=utf-8")
            .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
            .header("stripe-signature", signature)
            .body(letter.body.clone())
            .send()
            .await;
        heard |= answer.is_ok_and(|answer| answer.status().is_success());
    }
    heard
}
