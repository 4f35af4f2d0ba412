//! HTTP as a script speaks it: one call, one answer, JSON where there is some.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

/// Longer than the program takes for anything, and shorter than a test run's patience.
const ANSWER: Duration = Duration::from_secs(20);

pub struct Web {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The document, or the text where it is none.
    pub body: Value,
}

/// What a call carries besides its address.
#[derive(Default)]
pub struct Load<'a> {
    pub bearer: Option<&'a str>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Vec<u8>>,
}

impl Web {
    pub fn new() -> Self {
        // The first of several tests in one process wins; all want the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Each call has its own connection: one that a killed process left behind would fail the next call.
        let http = reqwest::Client::builder()
            .timeout(ANSWER)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { runtime, http }
    }

    /// Fails only where no whole answer came.
    pub fn call(&self, method: Method, url: &str, load: Load<'_>) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, url);
        if let Some(token) = load.bearer {
            request = request.bearer_auth(token);
        }
        for (name, value) in load.headers {
            request = request.header(name, value);
        }
        if let Some(body) = load.body {
            request = request.header("content-type", "application/json").body(body);
        }
        self.runtime.block_on(async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let text = response.text().await?;
            Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
        })
    }
}

impl Answer {
    /// The document of an answer that succeeded.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.body);
        self.body
    }

    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}
