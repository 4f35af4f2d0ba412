//! The whole router with an engine and a Stripe that behaves behind it, and people of several roles before it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use bursar::fuzzing::{AppState, default_playbook_settings, hash_of, new_token, router};
use bursar_domain::actor::Actor;
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_engine::{Clocks, Connection, Engine, HomeMoney, NewPerson, Settings};
use bursar_fake_stripe::{FakeStripe, Options};
use bursar_store::people::Token;
use bursar_stripe::currency::Currency;
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Where every route of the API stands.
const ROUTES: &str = include_str!("../../crates/server/src/http/api/mod.rs");

pub struct Desk {
    runtime: tokio::runtime::Runtime,
    router: Router,
    stripe: FakeStripe,
    tokens: Vec<String>,
    paths: Vec<String>,
    charge: String,
}

impl Desk {
    /// With a new database.
    pub fn open() -> Desk {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let data = crate::folder("desk");
        std::fs::remove_dir_all(&data).expect("what the last desk left can be cleared");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stripe = FakeStripe::open(Options::default()).expect("in memory");
        let made = stripe.trigger("charge.succeeded", json!({"amount": 64_000})).expect("a charge");
        let objects = made["objects"].as_array().into_iter().flatten();
        let charge =
            objects.filter(|object| object["object"] == "charge").find_map(|object| object["id"].as_str());
        let charge = charge.expect("a charge was made").to_owned();
        let (router, tokens) = runtime.block_on(opened(data, &stripe));
        Desk { runtime, router, stripe, tokens, paths: paths(), charge }
    }

    /// A charge of 640.00 USD.
    pub fn charge(&self) -> &str {
        &self.charge
    }

    /// What was really given back of it.
    pub fn refunded(&self) -> i64 {
        let ledger = self.stripe.ledger().into_iter().filter(|effect| effect["kind"] == "refund.create");
        ledger.filter_map(|effect| effect["amount"].as_i64()).sum()
    }

    /// Posts a body to one of the routes that take one, as one of the people: status and document.
    pub fn post(&self, which: usize, key: &str, body: &[u8]) -> (u16, Value) {
        let path = &self.paths[which % self.paths.len()];
        let token = &self.tokens[which / self.paths.len() % self.tokens.len()];
        let request = Request::post(path)
            .header(header::HOST, "127.0.0.1:7171")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header("idempotency-key", key)
            .body(Body::from(body.to_vec()))
            .expect("a request");
        self.runtime.block_on(async {
            let (head, body) = self.router.clone().oneshot(request).await.expect("it answers").into_parts();
            let bytes = body.collect().await.expect("a whole answer").to_bytes();
            let document =
                serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{path}: {error}: {bytes:?}"));
            (head.status.as_u16(), document)
        })
    }
}

/// Every route that takes a body; where it has an id, one that nobody has.
fn paths() -> Vec<String> {
    let takes_body = |route: &&str| route.contains("post(");
    let routes =
        ROUTES.split(".route(\"").skip(1).filter(takes_body).filter_map(|route| route.split_once('"'));
    let part = |part: &str| if part.starts_with('{') { "x_1".to_owned() } else { part.to_owned() };
    let filled = |path: &str| path.split('/').map(part).collect::<Vec<_>>().join("/");
    routes.map(|(path, _)| format!("/api/v1{}", filled(path))).collect()
}

async fn opened(data: PathBuf, stripe: &FakeStripe) -> (Router, Vec<String>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let api_base = format!("http://{}", listener.local_addr().expect("bound"));
    let serving = stripe.clone();
    tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
    let engine = Engine::open(settings(data, api_base, stripe), Clocks::system()).await.expect("an engine");
    engine.start().await.expect("it starts");
    let mut tokens = Vec::new();
    for role in [Role::Operator, Role::Controller, Role::Platform, Role::Support] {
        tokens.push(token(&engine, role).await);
    }
    let state = AppState {
        engine,
        demo: None,
        hosts: Arc::default(),
        metrics: None,
        secure_cookies: false,
        in_flight: Arc::default(),
        shares: Default::default(),
        probed: Arc::default(),
    };
    (router(state), tokens)
}

/// A person of one role, by their token.
async fn token(engine: &Engine, role: Role) -> String {
    let email = format!("{}@northwind.example", role.as_str());
    let person =
        NewPerson { email: email.clone(), name: email.clone(), roles: vec![role], password_hash: None };
    engine.save_person(&Actor::Engine, person).await.expect("a person");
    let person = engine.person_by_email(&email).await.expect("readable").expect("there");
    let token = new_token(engine, "user");
    let row = Token {
        id: engine.new_token_id(),
        person: person.id,
        name: email,
        kind: "user".to_owned(),
        roles: person.roles,
        expires_at: None,
        revoked: false,
    };
    engine.add_token(&Actor::Engine, row, hash_of(&token)).await.expect("a token");
    token
}

fn settings(data: PathBuf, api_base: String, stripe: &FakeStripe) -> Settings {
    let connection = Connection {
        name: "northwind".to_owned(),
        api_base,
        key: SecretString::from(stripe.secret_key()),
        webhook_secrets: vec![SecretString::from("whsec_account")],
        connect_webhook_secrets: Vec::new(),
        connected: Vec::new(),
        poll: false,
        poll_interval: Duration::from_secs(60),
        first_poll_back: Duration::from_secs(60),
        webhook: true,
        mode: Mode::Automate,
        requests_per_second: 1_000,
    };
    Settings {
        store: bursar_store::Options::sqlite(data, "node_fuzz"),
        connections: vec![connection],
        policies: bursar_policy::default_set(),
        playbooks: default_playbook_settings().expect("the defaults are in order"),
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
