//! A server on loopback and a plain client for it.

use bursar_fake_stripe::{FakeStripe, Options};
use serde_json::{Value, json};

/// 21 November 2026, 00:00 UTC: also what a signature carries, so that nothing depends on the wall clock.
pub const NOW_S: i64 = 1_795_219_200;

pub struct Server {
    pub stripe: FakeStripe,
    pub url: String,
    key: String,
    client: reqwest::Client,
}

/// A status, the body, and whether it was a replay.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub replayed: bool,
}

impl Answer {
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.body)).to_owned()
    }

    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn ids(&self) -> Vec<String> {
        let data = self.body["data"].as_array().unwrap_or_else(|| panic!("no list in {}", self.body));
        data.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn options() -> Options {
    Options { start_s: NOW_S, machine_time: || NOW_S, ..Options::default() }
}

pub async fn start() -> Server {
    start_with(options()).await
}

pub async fn start_with(options: Options) -> Server {
    serve(FakeStripe::open(options).unwrap()).await
}

pub async fn serve(stripe: FakeStripe) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = stripe.clone();
    tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Server { key: stripe.secret_key(), stripe, url, client }
}

impl Server {
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).bearer_auth(&self.key)).await.unwrap()
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.try_post(path, form, None).await.unwrap()
    }

    pub async fn post_keyed(&self, path: &str, form: &[(&str, &str)], key: &str) -> Answer {
        self.try_post(path, form, Some(key)).await.unwrap()
    }

    /// A connection that breaks is an error here.
    pub async fn try_post(
        &self,
        path: &str,
        form: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.request("POST", path).bearer_auth(&self.key).form(form);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request).await
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let replayed = response.headers().contains_key("idempotent-replayed");
        let text = response.text().await?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), replayed })
    }

    /// A paid charge of so many US cents, with its customer.
    pub fn charge(&self, amount: i64) -> (String, String) {
        let made = self.stripe.trigger("charge.succeeded", json!({"amount": amount})).unwrap();
        let charge = &made["event"]["data"]["object"];
        (charge["id"].as_str().unwrap().to_owned(), charge["customer"].as_str().unwrap().to_owned())
    }

    /// How often an effect happened.
    pub fn effects(&self, kind: &str) -> usize {
        self.stripe.ledger().iter().filter(|entry| entry["kind"] == kind).count()
    }

    /// Types of all events, oldest first.
    pub async fn event_types(&self) -> Vec<String> {
        let page = self.get("/v1/events?limit=100").await;
        let data = page.body["data"].as_array().unwrap();
        data.iter().rev().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}
