//! Speaks to the API of a running installation: one address, one token, time-outs, no redirects.
//!
//! Promises: a token goes to the installation it was found for and nowhere else; a POST carries an idempotency key, so
//! that the caller may repeat it; every answer that is not a success becomes a `Failure` with its exit code.

mod refusal;
mod stream;

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::code::Code;
use super::failure::Failure;
use super::version::VERSION;

pub use stream::Wakes;

/// Longest for an answer; work that takes longer is started and followed.
const ANSWER: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(3);

/// What may stand in a part of a path as it is.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-');

pub struct Client {
    http: reqwest::Client,
    /// Ends in `/api/v1`.
    base: String,
    token: SecretString,
}

impl Client {
    pub fn new(api_url: &str, token: SecretString) -> Result<Self, Failure> {
        let root = api_url.trim_end_matches('/').trim_end_matches("/api/v1").trim_end_matches('/');
        Ok(Self { http: http(root)?, base: format!("{root}/api/v1"), token })
    }

    /// `path` begins with a slash; see [`part`] for ids in it. Empty values are left out of the query.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let given: Vec<_> = query.iter().filter(|(_, value)| !value.is_empty()).collect();
        let request = self.request(Method::GET, path).timeout(ANSWER).query(&given);
        self.answer(request).await
    }

    /// The same key with the same body does the same thing once.
    pub async fn post(&self, path: &str, body: &Value, idempotency_key: &str) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path).timeout(ANSWER).json(body);
        self.answer(request.header("Idempotency-Key", idempotency_key)).await
    }

    /// Like `post` for work that is answered when it is done.
    pub async fn post_long(&self, path: &str, body: &Value, idempotency_key: &str) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path).timeout(Duration::from_hours(1)).json(body);
        self.answer(request.header("Idempotency-Key", idempotency_key)).await
    }

    /// Tells when something happened. What it was is asked with `get`.
    pub async fn wakes(&self) -> Result<Wakes, Failure> {
        let request = self.request(Method::GET, "/stream").header("Accept", "text/event-stream");
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() { Ok(Wakes::new(response)) } else { Err(refused(response).await) }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.http.request(method, url).bearer_auth(self.token.expose_secret())
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        response.json().await.map_err(|_| {
            Failure::new(
                Code::AnswerNotUnderstood,
                format!("what answers at {} is not Bursar's API", self.base),
            )
            .help("is another program listening there? bursar status")
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        unreachable_at(&self.base, error)
    }
}

/// An id as a part of a path, so that no id can lead elsewhere.
pub fn part(id: &str) -> String {
    utf8_percent_encode(id, PART).to_string()
}

/// A client for `root`. A proxy of the environment is not asked for addresses of this machine.
pub fn http(root: &str) -> Result<reqwest::Client, Failure> {
    let host = root.split_once("://").map_or("", |(_, rest)| rest);
    let local = ["127.", "localhost", "[::1]"].iter().any(|start| host.starts_with(start));
    let builder = reqwest::Client::builder()
        .user_agent(format!("bursar/{VERSION}"))
        .connect_timeout(CONNECT)
        .redirect(redirect::Policy::none());
    let builder = if local { builder.no_proxy() } else { builder };
    builder
        .build()
        .map_err(|error| Failure::new(Code::NotRunning, format!("no HTTP on this machine: {error}")))
}

/// Nothing answered at `address`.
pub fn unreachable_at(address: &str, error: &reqwest::Error) -> Failure {
    let why = if error.is_timeout() { "did not answer in time" } else { "cannot be reached" };
    Failure::new(Code::NotRunning, format!("{address} {why}"))
        .note("cause", innermost(error))
        .help("is `bursar serve` running? See: bursar status")
}

/// The deepest cause says what happened; those around it say that something did.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn refused(response: Response) -> Failure {
    let status = response.status().as_u16();
    let header =
        response.headers().get("Request-Id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body: Value = response.json().await.unwrap_or_default();
    refusal::failure(status, &body, header.as_deref())
}

#[cfg(test)]
mod tests;
