//! The task that sends what is due.

use std::time::Duration;

use super::{Letter, due, note};
use crate::error::Error;
use crate::sim::FakeStripe;

/// Sends webhooks until it is dropped. Each endpoint is asked at most this long.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 8;

/// Waits for the bell, and sends what is due.
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
    loop {
        stripe.0.bell.notified().await;
        loop {
            let letters = {
                let state = stripe.state();
                due(&state.world, stripe.now_s(), state.disorder)
            };
            if letters.is_empty() {
                break;
            }
            for batch in letters.chunks(AT_ONCE) {
                send_batch(&stripe, &client, batch).await?;
            }
        }
    }
}

/// Sends a few at once, and notes how each went.
async fn send_batch(stripe: &FakeStripe, client: &reqwest::Client, batch: &[Letter]) -> Result<(), Error> {
    let mut sent = tokio::task::JoinSet::new();
    for letter in batch {
        let (client, letter, at) = (client.clone(), letter.clone(), stripe.machine_now_s());
        sent.spawn(async move { (post(&client, &letter, at).await, letter.delivery) });
    }
    while let Some(joined) = sent.join_next().await {
        let (heard, delivery) = joined.map_err(|error| Error::Network(error.to_string()))?;
        stripe.change(|tx| note(tx, &delivery, heard))?;
    }
    Ok(())
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
