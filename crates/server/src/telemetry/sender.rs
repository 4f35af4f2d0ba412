//! Posts batches of spans with the HTTP client that everything else here uses. The exporter's thread drives it, so that it
//! needs nothing of the engine's runtime and takes nothing from it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Runtime;

/// A collector's answer says how much it took; what is longer is cut off.
const ANSWER_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub struct Sender {
    http: reqwest::Client,
    runtime: Runtime,
    /// What the last attempt said, so that only a change is told.
    is_failing: AtomicBool,
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl Sender {
    /// An attempt takes at most `time`.
    pub fn new(time: Duration) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(time)
            .redirect(reqwest::redirect::Policy::none())
            // Nobody looks after connections between two batches.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("bursar/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build()
            .context("the HTTP client for spans cannot be built")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("no timers for sending spans")?;
        Ok(Self { http, runtime, is_failing: AtomicBool::new(false) })
    }

    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let mut answer = self.http.execute(request).await.map_err(reqwest::Error::without_url)?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = std::mem::take(answer.headers_mut());
        }
        let mut body = Vec::new();
        while body.len() < ANSWER_MAX
            && let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)?
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(ANSWER_MAX);
        Ok(response.body(body.into())?)
    }

    fn tell(&self, outcome: &Result<Response<Bytes>, HttpError>) {
        let why = match outcome {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the collector answered {}", response.status())),
            Err(error) => Some(chain(error.as_ref())),
        };
        let result = if why.is_none() { "sent" } else { "failed" };
        metrics::counter!("bursar_span_batches_total", "result" => result).increment(1);
        let failed_before = self.is_failing.swap(why.is_some(), Ordering::Relaxed);
        match why {
            Some(why) if !failed_before => {
                tracing::warn!(why, "the collector takes no spans; they are lost until it does");
            }
            None if failed_before => tracing::info!("the collector takes spans again"),
            _ => {}
        }
    }
}

impl HttpClient for Sender {
    /// Called on the exporter's own thread, which waits for the answer and does nothing else.
    fn send_bytes<'a, 'f>(&'a self, request: Request<Bytes>) -> Sending<'f>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let outcome = self.runtime.block_on(self.post(request));
            self.tell(&outcome);
            outcome
        })
    }
}

/// An error with what caused it, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
