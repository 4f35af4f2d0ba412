//! The real binary with its own Stripe beside it, listening to webhooks and polling, its secrets in files.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bursar_fake_stripe::{FakeStripe, Options, machine_time_s};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Looks of 50 ms: a minute, many times what anything here takes.
const LOOKS_MAX: usize = 1_200;
pub const WEBHOOK_SECRET: &str = "whsec_5f2a9c1d7e3b8640";
pub const COLLECTOR_TOKEN: &str = "collector-3c1f9a7d";

pub struct Installation {
    folder: tempfile::TempDir,
    child: Child,
    pub url: String,
    pub stripe: FakeStripe,
    people: Value,
    http: reqwest::Client,
}

impl Installation {
    /// Serves with spans going to `collector`, where there is one, and logs at `log`.
    pub async fn serve(collector: Option<&str>, log: &str) -> Self {
        // The first of several tests in one process wins; all want the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let (stripe, stripe_url) = stripe().await;
        let ran = command(&folder).args(["init", "--yes", "--data-dir", "data"]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("stripe.key", &stripe.secret_key());
        write("webhook.secret", WEBHOOK_SECRET);
        write("bursar.toml", &settings(&stripe_url, collector, log));
        let people = std::fs::read_to_string(folder.path().join("data/people.json")).unwrap();
        let errors = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut child = command(&folder)
            .args(["serve", "--json", "--data-dir", "data", "--listen", "127.0.0.1:0"])
            .env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer {COLLECTOR_TOKEN}"))
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("{line}: {}", std::fs::read_to_string(folder.path().join("log")).unwrap())
        });
        let url = told["api_url"].as_str().unwrap().to_owned();
        stripe.add_webhook(told["ingest_url"].as_str().unwrap(), WEBHOOK_SECRET, &["*"]).unwrap();
        let people = serde_json::from_str(&people).unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { folder, child, url, stripe, people, http }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub fn token(&self, role: &str) -> &str {
        self.people["tokens"][role].as_str().unwrap()
    }

    /// A call of the API that succeeds.
    pub async fn api(&self, role: &str, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.request(method, &format!("/api/v1{path}")).bearer_auth(self.token(role));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Posts an event with this signature; answers the status.
    pub async fn post_event(&self, event: &Value, secret: &str) -> u16 {
        let body = event.to_string();
        let signature = bursar_stripe::signature::sign(secret, machine_time_s(), body.as_bytes());
        let request =
            self.request(Method::POST, "/ingest/stripe").header("stripe-signature", signature).body(body);
        request.send().await.unwrap().status().as_u16()
    }

    /// Asks for a refund that policy allows, and waits until it really happened.
    pub async fn refund_a_charge(&self) {
        self.stripe.trigger("charge.succeeded", json!({"amount": 2_500})).unwrap();
        let charge =
            self.stripe.charges().into_iter().find(|charge| charge["paid"] == true).expect("a paid charge");
        let wish = json!({"charge": charge["id"], "amount": 1_000, "reason": "requested_by_customer"});
        self.api("support", Method::POST, "/refund_requests", Some(wish)).await;
        let refunded =
            async || self.stripe.ledger().iter().any(|entry| entry["kind"] == "refund.create").then_some(());
        until("the refund", refunded).await;
    }

    pub async fn metrics(&self) -> String {
        self.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap()
    }

    /// Everything that was ever secret here.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets =
            vec![self.stripe.secret_key(), WEBHOOK_SECRET.to_owned(), COLLECTOR_TOKEN.to_owned()];
        for person in self.people["people"].as_array().unwrap() {
            secrets.extend(["token", "password"].map(|name| person[name].as_str().unwrap().to_owned()));
        }
        secrets
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Asks it to end and waits until it has: what was left has been sent then.
    pub async fn end(&mut self) {
        let asked =
            Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().unwrap();
        assert!(asked.success());
        let child = &mut self.child;
        let status = until("the end of the program", async || child.try_wait().unwrap()).await;
        assert!(status.success(), "{status}");
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `find` finds, once it does.
pub async fn until<T>(what: &str, mut find: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = find().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited a minute for {what}");
}

async fn stripe() -> (FakeStripe, String) {
    // Business time of a real installation is the wall's.
    let options = Options { start_s: machine_time_s(), ..Options::default() };
    let stripe = FakeStripe::open(options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = stripe.clone();
    tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
    (stripe, url)
}

fn command(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    command
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .env("TZ", "UTC")
        .stdin(Stdio::null());
    command
}

fn settings(stripe: &str, collector: Option<&str>, log: &str) -> String {
    let text = |value: &str| json!(value).to_string();
    let endpoint = collector.map(|url| format!("otlp_endpoint = {}\n", text(url))).unwrap_or_default();
    format!(
        "[storage]\nurl = \"sqlite://data/bursar.db\"\n\n\
         [stripe.main]\napi_key = {{ file = \"stripe.key\" }}\nwebhook_secrets = [{{ file = \"webhook.secret\" }}]\n\
         api_base = {}\nmode = \"assist\"\ningest = [\"poll\", \"webhook\"]\npoll_interval = \"1s\"\n\n\
         [telemetry]\n{endpoint}log = {}\n",
        text(stripe),
        text(log)
    )
}
