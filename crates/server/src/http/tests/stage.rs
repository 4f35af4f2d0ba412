//! One installation for a test: its people with their tokens, a Stripe on loopback, a machine clock that stands still.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, header};
use bursar_domain::actor::Actor;
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_engine::{Clocks, Connection, Engine, HomeMoney, NewPerson, Settings};
use bursar_fake_stripe::{FakeStripe, Options};
use bursar_store::people::Token;
use bursar_stripe::currency::Currency;
use bursar_stripe::id::AccountId;
use bursar_stripe::signature::sign;
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tower::ServiceExt as _;

use crate::http::auth::{hash_of, new_token};
use crate::http::shares::Shares;
use crate::http::state::{AppState, Hosts};

pub(in crate::http) const HOST: &str = "127.0.0.1:7171";
/// Machine time, to the second, at every start.
pub(in crate::http) const NOW_S: i64 = 1_795_219_200;
pub(in crate::http) const SECRET: &str = "whsec_account";
pub(in crate::http) const ROLLED_SECRET: &str = "whsec_account_next";
pub(in crate::http) const CONNECT_SECRET: &str = "whsec_connect";
pub(in crate::http) const CONNECTED: &str = "acct_1Seller";
/// Where the platform's and where its sellers' events come in.
pub(in crate::http) const INGEST: &str = "/ingest/stripe";
pub(in crate::http) const INGEST_CONNECT: &str = "/ingest/stripe/connect";
/// Sam asks; Carl and Cora are controllers; Olivia is an operator and Priya runs the platform.
const PEOPLE: [(&str, Role); 5] = [
    ("sam", Role::Support),
    ("carl", Role::Controller),
    ("cora", Role::Controller),
    ("olivia", Role::Operator),
    ("priya", Role::Platform),
];

pub(in crate::http) struct Stage {
    pub(in crate::http) engine: Engine,
    pub(in crate::http) stripe: FakeStripe,
    pub(in crate::http) stripe_url: String,
    pub(in crate::http) router: Router,
    pub(in crate::http) shares: Shares,
    pub(in crate::http) data: tempfile::TempDir,
    tokens: BTreeMap<&'static str, String>,
    machine_s: Arc<AtomicI64>,
    numbers: metrics_exporter_prometheus::PrometheusHandle,
    _counting: metrics::LocalRecorderGuard<'static>,
}

/// What differs from the usual.
#[derive(Default)]
pub(in crate::http) struct Setup {
    pub(in crate::http) livemode: bool,
    /// A seller is configured whom Stripe no longer lets us act for.
    pub(in crate::http) lost_seller: bool,
    /// Approvals need two controllers instead of one.
    pub(in crate::http) quorum_of_two: bool,
}

impl Stage {
    pub(in crate::http) async fn open() -> Self {
        Self::open_as(Setup::default()).await
    }

    pub(in crate::http) async fn open_as(setup: Setup) -> Self {
        // TLS is never used here, and clients still want to know whose it would be.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let numbers = recorder.handle();
        // One thread runs a whole test, and its numbers are its own.
        let counting = metrics::set_default_local_recorder(Box::leak(Box::new(recorder)));
        let data = tempfile::tempdir().unwrap();
        let stripe =
            FakeStripe::open(Options { livemode: setup.livemode, start_s: NOW_S, ..Options::default() })
                .unwrap();
        let stripe_url = serve_stripe(&stripe).await;
        let machine_s = Arc::new(AtomicI64::new(NOW_S));
        let (business, machine) = (stripe.clock(), Arc::clone(&machine_s));
        let clocks = Clocks::given(
            move || BusinessTime::from_unix_s(business.now_s()),
            move || MachineTime::from_micros(machine.load(Ordering::Relaxed) * 1_000_000),
        );
        let mut settings = settings(data.path(), stripe_url.clone(), &stripe);
        if !setup.lost_seller {
            settings.connections[0].connected.clear();
        }
        if setup.quorum_of_two {
            for file in &mut settings.policies {
                file.text = file.text.replace("@ask(\"controller\")", "@ask(\"controller\")\n@quorum(\"2\")");
            }
        }
        let engine = Engine::open(settings, clocks).await.unwrap();
        engine.start().await.unwrap();
        let shares = Shares::default();
        let state = AppState {
            engine: engine.clone(),
            demo: None,
            hosts: Arc::new(Hosts::default()),
            metrics: Some(numbers.clone()),
            secure_cookies: false,
            in_flight: Arc::default(),
            shares: shares.clone(),
            probed: Arc::default(),
        };
        let router = crate::http::router(state);
        let mut stage = Self {
            engine,
            stripe,
            stripe_url,
            router,
            shares,
            data,
            tokens: BTreeMap::new(),
            machine_s,
            numbers,
            _counting: counting,
        };
        for (name, role) in PEOPLE {
            let person = NewPerson {
                email: format!("{name}@northwind.example"),
                name: name.to_owned(),
                roles: vec![role],
                password_hash: None,
            };
            stage.engine.save_person(&Actor::Engine, person).await.unwrap();
            let token = stage.token(name, "user", None).await;
            stage.tokens.insert(name, token);
        }
        stage
    }

    /// A new token of a person.
    pub(in crate::http) async fn token(&self, name: &str, kind: &str, expires_at: Option<i64>) -> String {
        let person =
            self.engine.person_by_email(&format!("{name}@northwind.example")).await.unwrap().unwrap();
        let token = new_token(&self.engine, kind);
        let row = Token {
            id: self.engine.new_token_id(),
            person: person.id,
            name: format!("{name}'s {kind}"),
            kind: kind.to_owned(),
            roles: person.roles,
            expires_at,
            revoked: false,
        };
        self.engine.add_token(&Actor::Engine, row, hash_of(&token)).await.unwrap();
        token
    }

    pub(in crate::http) fn bearer(&self, name: &str) -> String {
        format!("Bearer {}", self.tokens[name])
    }

    /// Moves the machine's clock.
    pub(in crate::http) fn set_machine_s(&self, second: i64) {
        self.machine_s.store(second, Ordering::Relaxed);
    }

    /// A connection of our own to the database, to look where no route leads and to break what should not break.
    pub(in crate::http) async fn database(&self) -> SqliteConnection {
        sqlx::sqlite::SqliteConnectOptions::new()
            .filename(bursar_store::open::database_path(self.data.path()))
            .connect()
            .await
            .unwrap()
    }

    pub(in crate::http) async fn sql(&self, statement: &'static str) {
        let mut database = self.database().await;
        sqlx::query(statement).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }

    pub(in crate::http) async fn count(&self, query: &str) -> i64 {
        let mut database = self.database().await;
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut database).await.unwrap();
        database.close().await.unwrap();
        count
    }

    /// The value of a counter, with its labels as they are printed; zero where nothing was counted.
    pub(in crate::http) fn counted(&self, series: &str) -> u64 {
        let printed = self.numbers.render();
        let line = printed.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    pub(in crate::http) async fn send(&self, mut request: Request<Body>) -> Answer {
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, HOST.parse().unwrap());
        }
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(in crate::http) async fn get(&self, name: &str, path: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, self.bearer(name));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(in crate::http) async fn post(&self, name: &str, path: &str, body: &Value) -> Answer {
        self.post_text(name, path, &body.to_string()).await
    }

    pub(in crate::http) async fn post_text(&self, name: &str, path: &str, body: &str) -> Answer {
        let request = Request::post(path).header(header::AUTHORIZATION, self.bearer(name));
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// The same under an `Idempotency-Key`.
    pub(in crate::http) async fn post_once(&self, name: &str, path: &str, key: &str, body: &Value) -> Answer {
        let key = axum::http::HeaderValue::from_bytes(key.as_bytes()).unwrap();
        let request = Request::post(path)
            .header(header::AUTHORIZATION, self.bearer(name))
            .header("idempotency-key", key);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A refund that Sam asked for and that a controller must decide: its approval.
    pub(in crate::http) async fn asked(&self) -> Value {
        let charge = self.charge(64_000, "usd");
        let body = json!({"charge": charge, "reason": "ordered twice"});
        let answer = self.post("sam", "/api/v1/refund_requests", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let path = format!("/api/v1/approvals/{}", answer.json()["approval"].as_str().unwrap());
        self.get("carl", &path).await.json()
    }

    /// A body as Stripe would deliver it to the platform's endpoint.
    pub(in crate::http) async fn deliver(&self, body: &[u8]) -> Answer {
        self.send(signed(INGEST, SECRET, body)).await
    }

    /// Waits until nothing is left to do.
    pub(in crate::http) async fn settle(&self) {
        let idle = async {
            loop {
                let queue = self.engine.health().await.unwrap().queue;
                if queue.due == 0 && queue.leased == 0 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), idle).await.expect("work was left after 20 s");
    }

    /// A paid charge.
    pub(in crate::http) fn charge(&self, amount: i64, currency: &str) -> String {
        self.made("charge.succeeded", json!({"amount": amount, "currency": currency}), "charge")
    }

    /// The id of the object of this kind that a trigger made.
    pub(in crate::http) fn made(&self, trigger: &str, wish: Value, kind: &str) -> String {
        let made = self.stripe.trigger(trigger, wish).unwrap();
        let objects = made["objects"].as_array().unwrap();
        let object =
            objects.iter().find(|object| object["object"] == kind).expect("the trigger makes such an object");
        object["id"].as_str().unwrap().to_owned()
    }

    /// What really happened at Stripe.
    pub(in crate::http) fn refunds(&self) -> usize {
        self.stripe.ledger().iter().filter(|effect| effect["kind"] == "refund.create").count()
    }

    /// The audit's entries of a kind, newest first.
    pub(in crate::http) async fn audited(&self, kind: &str) -> Vec<Value> {
        let mut entries = self.engine.audit_entries(1_000, None).await.unwrap().items;
        entries.retain(|entry| entry["kind"] == kind);
        entries
    }
}

pub(in crate::http) struct Answer {
    pub(in crate::http) status: u16,
    pub(in crate::http) headers: HeaderMap,
    pub(in crate::http) text: String,
}

impl Answer {
    async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Self { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub(in crate::http) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(in crate::http) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Status and code of an error.
    pub(in crate::http) fn refusal(&self) -> (u16, String) {
        let code = self.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        (self.status, code)
    }
}

/// A delivery signed now.
pub(in crate::http) fn signed(path: &str, secret: &str, body: &[u8]) -> Request<Body> {
    let request = Request::post(path).header("stripe-signature", sign(secret, NOW_S, body));
    request.header(header::HOST, HOST).body(Body::from(body.to_vec())).unwrap()
}

/// An event about a customer, in test mode and in the version that is pinned.
pub(in crate::http) fn event(id: &str) -> Value {
    json!({
        "id": id, "object": "event", "type": "customer.updated", "created": NOW_S, "livemode": false,
        "api_version": bursar_stripe::api_version::PINNED, "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null},
        "data": {"object": {"id": "cus_A", "object": "customer", "created": NOW_S, "currency": "usd",
            "email": "a@example.com", "description": null}},
    })
}

pub(in crate::http) fn bytes(event: &Value) -> Vec<u8> {
    serde_json::to_vec(event).unwrap()
}

async fn serve_stripe(stripe: &FakeStripe) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = stripe.clone();
    tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
    format!("http://{address}")
}

fn settings(data_dir: &Path, api_base: String, stripe: &FakeStripe) -> Settings {
    let secrets = |all: &[&str]| all.iter().map(|secret| SecretString::from(*secret)).collect();
    let connection = Connection {
        name: "northwind".to_owned(),
        api_base,
        key: SecretString::from(stripe.secret_key()),
        webhook_secrets: secrets(&[SECRET, ROLLED_SECRET]),
        connect_webhook_secrets: secrets(&[CONNECT_SECRET]),
        connected: vec![AccountId::parse(CONNECTED).unwrap()],
        poll: false,
        poll_interval: Duration::from_secs(60),
        first_poll_back: Duration::from_secs(60),
        webhook: true,
        mode: Mode::Automate,
        requests_per_second: 1_000,
    };
    Settings {
        store: bursar_store::Options::sqlite(data_dir, "node_test"),
        connections: vec![connection],
        policies: bursar_policy::default_set(),
        playbooks: crate::service::default_playbook_settings().unwrap(),
        home: HomeMoney { currency: Currency::USD, rates: BTreeMap::new() },
        assist_role: Role::Operator,
        approval_expiry: Duration::from_secs(86_400),
        mail: None,
        mirror_age_max: Duration::from_secs(600),
        workers: 4,
        zone: jiff::tz::TimeZone::UTC,
        separation: bursar_engine::Separation::AsInstalled,
        clock: bursar_engine::ClockTrust::Compared,
        node_silence: Duration::from_secs(8),
        alerts: None,
    }
}
