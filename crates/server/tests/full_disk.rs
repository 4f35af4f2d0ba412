//! A disk that is full, for real: the system refuses every write to a file. Nothing is acknowledged that is not kept,
//! nothing that was acknowledged is lost, and when there is room again everything goes on without a restart.

// What is not test code here is small and wants the freedoms of test code.
#![cfg(all(test, target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bursar_engine::Clocks;
use bursar_stripe::signature::sign;
use serde_json::{Value, json};

/// A demo in a process of its own.
struct Running {
    child: Child,
    told: Value,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        // A process that may not write is told so by the call, and by a signal that would end it.
        let words = "demo --headless --json --speed 0 --size small --listen 127.0.0.1:0 --stripe-listen 127.0.0.1:0 \
                     --proxy-listen 127.0.0.1:0 --data-dir data";
        let mut child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_bursar")])
            .args(words.split_whitespace())
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", folder.path())
            .env("BURSAR_LOG", "off")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it said {line:?}"));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        Self { child, told, http, _folder: folder }
    }

    /// How large a file it may write to, in bytes.
    fn may_write(&self, limit: &str) {
        let pid = self.child.id().to_string();
        let set =
            Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limit}:unlimited")]).status();
        assert!(set.expect("prlimit is part of util-linux").success());
    }

    fn text(&self, name: &str) -> &str {
        self.told[name].as_str().unwrap()
    }

    /// Status and `Retry-After`.
    async fn deliver(&self, number: usize) -> (u16, bool) {
        let at = Clocks::system().machine().unix_s();
        let event = json!({"id": format!("evt_full{number}"), "object": "event", "type": "customer.updated",
            "created": at, "livemode": false, "api_version": null,
            "data": {"object": {"id": "cus_full", "object": "customer"}}});
        let body = event.to_string().into_bytes();
        let signature = sign(self.text("webhook_secret"), at, &body);
        let request =
            self.http.post(self.text("ingest_url")).header("stripe-signature", signature).body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.text("api_url"));
        let token = self.told["tokens"]["operator"].as_str().unwrap();
        let answer = self.http.get(url).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_ends_nothing() {
    let demo = Running::start();
    assert_eq!(demo.deliver(0).await, (200, false));
    demo.may_write("0");
    for number in 1..=5 {
        assert_eq!(demo.deliver(number).await, (503, true), "58: {number}");
    }
    assert_eq!(
        demo.deliver(0).await,
        (200, false),
        "36: what is kept needs no room to be acknowledged again"
    );
    assert_eq!(demo.get("/events/evt_full0").await.0, 200, "58: what is there can be read");
    assert_eq!(demo.get("/events/evt_full1").await.0, 404, "58: what was not acknowledged is not there");
    demo.may_write("unlimited");
    for number in 0..=5 {
        assert_eq!(demo.deliver(number).await.0, 200, "58: {number} came again");
    }
    for number in 0..=5 {
        assert_eq!(demo.get(&format!("/events/evt_full{number}")).await.0, 200, "58: {number}");
    }
    let (status, report) = demo.get("/audit/verify").await;
    assert_eq!((status, &report["ok"]), (200, &json!(true)), "{report}");
}
