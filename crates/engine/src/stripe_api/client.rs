//! The thin HTTP client of one lane: pinned version, no redirects, no retries of its own, one deadline, capped bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bursar_connectors::silence;
use bursar_store::planted::{Bug, planted};
use bursar_stripe::api_version::PINNED;
use bursar_stripe::event::mask_card_numbers_in_bytes;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tracing::{Instrument as _, Span};

use super::answer::{Answered, SendError};
use super::kinds::collection;
use super::limiter::{Class, Limiter};
use super::permissions::{self, ACCOUNT, Granted, Permission, Registers, Write};
use super::{call, encode};
use crate::{Error, Result};

/// An answer drips in for at most this long.
const DEADLINE: Duration = Duration::from_secs(80);
const BODY_MAX: usize = 16 * 1024 * 1024;
const PAGE: &str = "100";

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    key: SecretString,
    /// The connected account it acts for.
    account: Option<String>,
    limiter: Arc<Limiter>,
    /// Whether the last answer said that the key is not known. Shared by all that speak with it.
    refused: Arc<AtomicBool>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// A list as far as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    pub(crate) items: Vec<Value>,
    pub(crate) complete: bool,
}

/// The stored request of an intent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a> {
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) idempotency_key: &'a str,
    pub(crate) api_version: &'a str,
}

/// A turn in the account's rate limit, taken and not yet used.
#[derive(Debug)]
pub(crate) struct Turn(());

impl Client {
    pub(crate) fn new(base: &str, key: SecretString, requests_per_second: u32) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(DEADLINE)
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("bursar/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build()
            .map_err(|error| Error::Broken(format!("the HTTP client cannot be built: {error}")))?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').into(),
            key,
            account: None,
            limiter: Arc::new(Limiter::new(requests_per_second)),
            refused: Arc::default(),
        })
    }

    /// The same connection on behalf of a connected account. Stripe limits each account by itself, and so do we: one that
    /// is told to slow down holds up no other.
    pub(crate) fn acting_for(&self, account: &str) -> Self {
        let limiter = Arc::new(self.limiter.another());
        Self { account: Some(account.to_owned()), limiter, ..self.clone() }
    }

    /// A turn to send an action, or how long there is none.
    pub(crate) async fn turn(&self) -> std::result::Result<Turn, Duration> {
        self.limiter.turn(Class::Action).await.map(Turn)
    }

    /// Whether the key says live.
    pub(crate) fn is_live(&self) -> bool {
        let key = self.key.expose_secret();
        key.starts_with("sk_live_") || key.starts_with("rk_live_")
    }

    /// Whether Stripe refused the key when it last answered.
    pub(crate) fn is_key_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    fn note_key(&self, status: u16) {
        match status {
            401 => self.refused.store(true, Ordering::Relaxed),
            200..=299 => self.refused.store(false, Ordering::Relaxed),
            _ => {}
        }
    }

    /// The account the key belongs to.
    pub(crate) async fn own_account(&self) -> Result<Value> {
        self.get("/v1/account", &[], Class::Interactive)
            .await?
            .ok_or_else(|| Error::not_found("account", "own"))
    }

    /// One object by kind; nothing when it does not exist.
    pub(crate) async fn object(&self, kind: &str, id: &str, class: Class) -> Result<Option<Value>> {
        let collection = readable(kind)?;
        if !is_plain(id) {
            return Err(Error::invalid(
                "id",
                format!("`{}` is no Stripe id", id.chars().take(40).collect::<String>()),
            ));
        }
        self.get(&format!("/v1/{collection}/{id}"), &[], class).await
    }

    /// A whole list, newest first, or its first `max` items.
    pub(crate) async fn list(
        &self,
        kind: &str,
        filter: &[(&str, &str)],
        max: usize,
        class: Class,
    ) -> Result<Listed> {
        let path = format!("/v1/{}", readable(kind)?);
        let mut listed = Listed::default();
        let mut after: Option<String> = None;
        loop {
            let mut query = filter.to_vec();
            query.push(("limit", PAGE));
            if let Some(after) = &after {
                query.push(("starting_after", after));
            }
            let page = self.get(&path, &query, class).await?.unwrap_or(Value::Null);
            let items = page.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
            let more = page.get("has_more").and_then(Value::as_bool).unwrap_or(false);
            after = items.last().and_then(|item| item.get("id")).and_then(Value::as_str).map(str::to_owned);
            listed.items.extend(items);
            if !more || after.is_none() {
                listed.complete = !more;
                return Ok(listed);
            }
            if listed.items.len() >= max {
                return Ok(listed);
            }
        }
    }

    /// One page of a list, newest first; nothing where what it names is not there.
    pub(crate) async fn page(
        &self,
        kind: &str,
        filter: &[(&str, &str)],
        class: Class,
    ) -> Result<Option<Value>> {
        let path = format!("/v1/{}", readable(kind)?);
        let mut query = filter.to_vec();
        query.push(("limit", PAGE));
        self.get(&path, &query, class).await
    }

    /// The newest object of a kind.
    pub(crate) async fn newest(&self, kind: &str, class: Class) -> Result<Option<Value>> {
        let path = format!("/v1/{}", readable(kind)?);
        let page = self.get(&path, &[("limit", "1")], class).await?;
        Ok(page.and_then(|page| page.pointer("/data/0").cloned()))
    }

    /// Sends the stored bytes of an intent.
    pub(crate) async fn send(
        &self,
        _turn: Turn,
        written: Written<'_>,
    ) -> std::result::Result<Answered, SendError> {
        let mut client = self.clone();
        if planted(Bug::AccountDropped) {
            client.account = None;
        }
        let request = client
            .request(Method::POST, written.path, written.api_version)
            .map_err(|error| SendError::NotSent(error.to_string()))?
            .header("content-type", "application/x-www-form-urlencoded")
            .header("idempotency-key", written.idempotency_key)
            .body(written.body.to_vec());
        let answered = exchange(request, call::span(&Method::POST, written.path)).await?;
        self.note_key(answered.status);
        if answered.status == 429 {
            self.limiter.slow_down(pause(&answered));
        }
        Ok(answered)
    }

    /// What the key may do. Nothing is changed by asking.
    pub(crate) async fn permissions(&self, registers: Registers) -> Result<Vec<Permission>> {
        let mut found = Vec::new();
        for (resource, needed_for) in permissions::reads() {
            let path = format!("/v1/{resource}");
            let one: &[(&str, &str)] = if resource == ACCOUNT { &[] } else { &[("limit", "1")] };
            let granted = granted(self.get(&path, one, Class::Interactive).await)?;
            let probed = format!("GET {path}");
            found.push(Permission { resource, access: "read", granted, needed_for, probed });
        }
        let endpoints = (registers == Registers::Endpoints).then_some(&permissions::ENDPOINTS);
        for write in permissions::WRITES.iter().chain(endpoints) {
            let granted = match self.setup(write.probe, Vec::new()).await {
                // Nothing can have been changed, and nothing is known.
                Ok(Some(_)) => Granted::Unknown,
                // There is no such object: whether it may be changed was asked first.
                Ok(None) | Err(Error::StripeRefused { status: 400, .. }) => Granted::Yes,
                Err(Error::PermissionMissing { .. }) => Granted::No,
                Err(error) => return Err(error),
            };
            let probed = format!("POST {} with nothing in it", write.probe);
            let Write { resource, needed_for, .. } = *write;
            found.push(Permission { resource, access: "write", granted, needed_for, probed });
        }
        Ok(found)
    }

    /// The webhook endpoints there are; Stripe allows sixteen.
    pub(crate) async fn webhook_endpoints(&self) -> Result<Vec<Value>> {
        let page = self.get("/v1/webhook_endpoints", &[("limit", PAGE)], Class::Interactive).await?;
        Ok(page.and_then(|page| page.get("data")?.as_array().cloned()).unwrap_or_default())
    }

    /// Registers a webhook endpoint for exactly these events. Setting Bursar up is the one write that is no action:
    /// a person runs it by hand with their own key at hand.
    pub(crate) async fn register_webhook(&self, url: &str, events: &[&str], connect: bool) -> Result<Value> {
        let mut pairs =
            vec![("url", url), ("api_version", PINNED), ("connect", if connect { "true" } else { "false" })];
        pairs.extend(events.iter().map(|event| ("enabled_events[]", *event)));
        let made = self.setup("/v1/webhook_endpoints", pairs).await?;
        made.ok_or_else(|| Error::not_found("webhook endpoint", url))
    }

    /// Has an endpoint that is there send exactly these events.
    pub(crate) async fn update_webhook(&self, id: &str, events: &[&str]) -> Result<Value> {
        let pairs = events.iter().map(|event| ("enabled_events[]", *event)).collect();
        let changed = self.setup(&format!("/v1/webhook_endpoints/{id}"), pairs).await?;
        changed.ok_or_else(|| Error::not_found("webhook endpoint", id))
    }

    /// A write of setting up, without an idempotency key: it is sent once and a person looks at what came of it.
    async fn setup(&self, path: &str, pairs: Vec<(&str, &str)>) -> Result<Option<Value>> {
        self.limiter.turn(Class::Interactive).await.map_err(rate_limited)?;
        let request = self
            .request(Method::POST, path, PINNED)?
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encode(pairs));
        let answered = exchange(request, call::span(&Method::POST, path)).await.map_err(no_answer)?;
        self.understand(&answered, ("write", path))
    }

    async fn get(&self, path: &str, query: &[(&str, &str)], class: Class) -> Result<Option<Value>> {
        self.limiter.turn(class).await.map_err(rate_limited)?;
        let query = encode(query.iter().copied());
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let request = self.request(Method::GET, &target, PINNED)?;
        let answered = exchange(request, call::span(&Method::GET, path)).await.map_err(no_answer);
        let read = answered.and_then(|answered| self.understand(&answered, ("read", path)));
        let ok = if read.is_ok() { "true" } else { "false" };
        metrics::counter!("bursar_stripe_reads_total", "class" => class.as_str(), "ok" => ok).increment(1);
        read
    }

    /// `asked` is what for and where: `("read", "/v1/charges/ch_1")`. Card numbers that strayed into a text are masked before
    /// anybody sees them.
    fn understand(&self, answered: &Answered, asked: (&'static str, &str)) -> Result<Option<Value>> {
        self.note_key(answered.status);
        let body: Option<Value> = bursar_stripe::json::read(&mask_card_numbers_in_bytes(&answered.body)).ok();
        match (answered.status, body) {
            (200..=299, Some(body)) if body.is_object() => Ok(Some(body)),
            (404, _) => Ok(None),
            (429, _) => {
                let after = pause(answered);
                self.limiter.slow_down(after);
                Err(rate_limited(after))
            }
            (400..=499, body) => {
                let text = |field: &str| {
                    let found = body.as_ref().and_then(|body| body.pointer(&format!("/error/{field}")));
                    found.and_then(Value::as_str).unwrap_or_default().chars().take(300).collect::<String>()
                };
                let code = text("code");
                // An account that left, or another's, is no matter of permissions.
                if answered.status == 403 && code != "account_invalid" {
                    return Err(Error::PermissionMissing {
                        access: asked.0,
                        resource: call::resource(asked.1),
                    });
                }
                Err(Error::StripeRefused { status: answered.status, code, message: text("message") })
            }
            (status, _) => Err(unavailable(format!("answered {status} with nothing that can be read"))),
        }
    }

    fn request(&self, method: Method, target: &str, api_version: &str) -> Result<reqwest::RequestBuilder> {
        let mut headers = HeaderMap::new();
        let broken = |_| Error::Broken("a header value cannot be sent".to_owned());
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", self.key.expose_secret())).map_err(broken)?;
        bearer.set_sensitive(true);
        headers.insert("authorization", bearer);
        headers.insert("stripe-version", HeaderValue::from_str(api_version).map_err(broken)?);
        if let Some(account) = &self.account {
            headers.insert("stripe-account", HeaderValue::from_str(account).map_err(broken)?);
        }
        Ok(self.http.request(method, format!("{}{target}", self.base)).headers(headers))
    }
}

/// One request and its whole answer, within its span.
async fn exchange(request: reqwest::RequestBuilder, span: Span) -> std::result::Result<Answered, SendError> {
    let exchanged = async {
        let response = request.send().await.map_err(|error| {
            let why = silence::why(&error);
            if error.is_connect() || error.is_builder() {
                SendError::NotSent(why)
            } else {
                SendError::Lost(why)
            }
        })?;
        read(response).await.map_err(SendError::Lost)
    };
    let exchanged = exchanged.instrument(span.clone()).await;
    call::answered(&span, exchanged.as_ref().ok().map(|answered| answered.status));
    exchanged
}

fn readable(kind: &str) -> Result<&'static str> {
    collection(kind).ok_or_else(|| Error::invalid("kind", format!("objects of kind `{kind}` cannot be read")))
}

fn is_plain(id: &str) -> bool {
    (1..=255).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// What the answer to a harmless read says about the permission to read.
fn granted(read: Result<Option<Value>>) -> Result<Granted> {
    match read {
        Ok(_) => Ok(Granted::Yes),
        Err(Error::PermissionMissing { .. }) => Ok(Granted::No),
        Err(Error::StripeRefused { status: 400, .. }) => Ok(Granted::Unknown),
        Err(error) => Err(error),
    }
}

/// For a read it does not matter whether the request arrived.
fn no_answer(error: SendError) -> Error {
    let (SendError::NotSent(why) | SendError::Lost(why)) = error;
    unavailable(why)
}

/// How long nobody asks after a 429: at least a second, also where Stripe says at once.
fn pause(answered: &Answered) -> Duration {
    super::answer::retry_after(answered).unwrap_or_default().max(Duration::from_secs(1))
}

fn rate_limited(after: Duration) -> Error {
    Error::Unavailable { on: "Stripe", why: "rate limit".to_owned(), after }
}

fn unavailable(why: String) -> Error {
    Error::Unavailable { on: "Stripe", why, after: Duration::from_secs(2) }
}

async fn read(mut response: Response) -> std::result::Result<Answered, String> {
    let header =
        |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut answered = Answered {
        status: response.status().as_u16(),
        request_id: header("request-id"),
        replayed: header("idempotent-replayed").as_deref() == Some("true"),
        retry_after: header("retry-after"),
        body: Vec::new(),
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| silence::why(&error))? {
        if answered.body.len() + chunk.len() > BODY_MAX {
            return Err("the answer is too large".to_owned());
        }
        answered.body.extend_from_slice(&chunk);
    }
    Ok(answered)
}

#[cfg(test)]
mod tests;
