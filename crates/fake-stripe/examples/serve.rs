//! Serves a fake Stripe and prints one line of JSON with its address and key, for scripts and for trying.
//!
//! `cargo run -p bursar-fake-stripe --example serve -- [--listen 127.0.0.1:0] [--data-dir DIR] [--seed N]
//! [--company small|medium|large] [--speed N]`

use std::time::Duration;

use bursar_fake_stripe::{FakeStripe, Options, Size};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let (mut listen, mut company, mut speed) = ("127.0.0.1:0".to_owned(), None, 0u32);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--listen" => listen = value,
            "--data-dir" => options.data_dir = Some(value.into()),
            "--seed" => options.seed = value.parse()?,
            "--speed" => speed = value.parse()?,
            "--company" => {
                company = Some(match value.as_str() {
                    "small" => Size::Small,
                    "large" => Size::Large,
                    _ => Size::Medium,
                });
            }
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    let stripe = FakeStripe::open(options)?;
    if let Some(size) = company {
        stripe.populate(size)?;
    }
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    let line = serde_json::json!({
        "url": format!("http://{}", listener.local_addr()?), "key": stripe.secret_key(), "now": stripe.now_s(),
    });
    announce(&line);
    if speed > 0 {
        let ticking = stripe.clone();
        tokio::spawn(async move {
            let mut second = tokio::time::interval(Duration::from_secs(1));
            loop {
                second.tick().await;
                if ticking.advance(speed).is_err() {
                    break;
                }
            }
        });
    }
    let shutdown = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    stripe.serve(listener, shutdown).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the line is what the caller waits for")]
fn announce(line: &serde_json::Value) {
    println!("{line}");
}
