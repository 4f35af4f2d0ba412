//! One installation for a test, and browsers that keep their cookies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use bursar_domain::actor::Actor;
use bursar_domain::id::ApprovalId;
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_domain::time::BusinessTime;
use bursar_engine::{Clocks, Connection, Engine, HomeMoney, NewPerson, RefundRequest, Settings, Submitted};
use bursar_fake_stripe::{FakeStripe, Options};
use bursar_stripe::currency::Currency;
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::http::console::password;
use crate::http::state::{AppState, Hosts};

pub(super) const HOST: &str = "127.0.0.1:7171";
pub(super) const PASSWORD: &str = "correct horse battery";

pub(super) struct Desk {
    pub(super) engine: Engine,
    pub(super) stripe: FakeStripe,
    router: Router,
    _data: tempfile::TempDir,
}

/// Sam asks, Carl and Cora are controllers, Olivia is an operator. Everybody has the same password.
const PEOPLE: [(&str, Role); 4] = [
    ("sam", Role::Support),
    ("carl", Role::Controller),
    ("cora", Role::Controller),
    ("olivia", Role::Operator),
];

impl Desk {
    pub(super) async fn open() -> Self {
        // TLS is never used here, and clients still want to know whose it would be.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let data = tempfile::tempdir().unwrap();
        let stripe = FakeStripe::open(Options::default()).unwrap();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = stripe.clone();
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        let clock = stripe.clock();
        let clocks = Clocks::simulated(move || BusinessTime::from_unix_s(clock.now_s()));
        let settings = settings(data.path(), &format!("http://{address}"), &stripe);
        let engine = Engine::open(settings, clocks).await.unwrap();
        engine.start().await.unwrap();
        let hash = password::hash(PASSWORD, [1; 16]);
        for (name, role) in PEOPLE {
            let new = NewPerson {
                email: format!("{name}@northwind.example"),
                name: name.to_owned(),
                roles: vec![role],
                password_hash: hash.clone(),
            };
            engine.save_person(&Actor::Engine, new).await.unwrap();
        }
        let state = AppState {
            engine: engine.clone(),
            demo: None,
            hosts: Arc::new(Hosts::default()),
            metrics: None,
            secure_cookies: false,
            in_flight: Arc::default(),
            shares: crate::http::shares::Shares::default(),
            probed: Arc::default(),
        };
        Self { engine, stripe, router: crate::http::router(state), _data: data }
    }

    pub(super) fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), cookies: BTreeMap::new() }
    }

    pub(super) async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser
            .post("/login", &[("email", &format!("{name}@northwind.example")), ("password", PASSWORD)])
            .await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser
    }

    /// A paid charge of a customer of this name.
    pub(super) fn charge(&self, amount: i64, customer: &str) -> String {
        let wish = json!({"amount": amount, "name": customer});
        let made = self.stripe.trigger("charge.succeeded", wish).unwrap();
        let objects = made["objects"].as_array().unwrap();
        let charge = objects.iter().find(|object| object["object"] == "charge").unwrap();
        charge["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn ask(&self, name: &str, charge: &str, reason: &str) -> Submitted {
        self.ask_for(name, charge, None, reason).await
    }

    /// The same for a part of it.
    pub(super) async fn ask_for(
        &self,
        name: &str,
        charge: &str,
        amount: Option<i64>,
        reason: &str,
    ) -> Submitted {
        let person =
            self.engine.person_by_email(&format!("{name}@northwind.example")).await.unwrap().unwrap();
        let actor = Actor::Person { id: person.id, name: person.name };
        let request = RefundRequest {
            charge: charge.to_owned(),
            amount,
            currency: None,
            reason: reason.to_owned(),
            lane: None,
        };
        self.engine.request_refund(actor, person.roles, request).await.unwrap()
    }

    /// A refund over the limit that Sam asked for.
    pub(super) async fn question(&self) -> ApprovalId {
        let charge = self.charge(64_000, "Lumen Labs");
        self.ask("sam", &charge, "ordered twice").await.approval.expect("a refund over the limit asks")
    }

    pub(super) async fn approval(&self, id: &ApprovalId) -> Value {
        self.engine.approval(id, None).await.unwrap()
    }

    /// Waits until the approval has this status, by what the engine tells.
    pub(super) async fn until(&self, id: &ApprovalId, status: &str) {
        let mut feed = self.engine.listen();
        let wait = async {
            while self.approval(id).await["status"] != status {
                let _ = feed.recv().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the status never came");
    }

    pub(super) fn refunds(&self) -> usize {
        self.stripe.ledger().iter().filter(|effect| effect["kind"] == "refund.create").count()
    }
}

fn settings(data_dir: &std::path::Path, api_base: &str, stripe: &FakeStripe) -> Settings {
    Settings {
        store: bursar_store::Options::sqlite(data_dir, "node_test"),
        connections: vec![Connection {
            name: "northwind".to_owned(),
            api_base: api_base.to_owned(),
            key: SecretString::from(stripe.secret_key()),
            webhook_secrets: Vec::new(),
            connect_webhook_secrets: Vec::new(),
            connected: Vec::new(),
            poll: false,
            poll_interval: Duration::from_mins(1),
            first_poll_back: Duration::from_mins(1),
            webhook: false,
            mode: Mode::Automate,
            requests_per_second: 200,
        }],
        policies: bursar_policy::default_set(),
        playbooks: crate::service::default_playbook_settings().unwrap(),
        home: HomeMoney { currency: Currency::USD, rates: BTreeMap::new() },
        assist_role: Role::Operator,
        approval_expiry: Duration::from_hours(24),
        mail: None,
        mirror_age_max: Duration::from_mins(10),
        workers: 2,
        zone: jiff::tz::TimeZone::UTC,
        separation: bursar_engine::Separation::AsInstalled,
        clock: bursar_engine::ClockTrust::Compared,
        node_silence: Duration::from_secs(8),
        alerts: None,
    }
}

/// Keeps its cookies and says where it comes from, as browsers do.
#[derive(Clone)]
pub(super) struct Browser {
    router: Router,
    pub(super) cookies: BTreeMap<String, String>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: axum::http::HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn leads_to(&self) -> &str {
        self.headers.get(header::LOCATION).and_then(|place| place.to_str().ok()).unwrap_or_default()
    }
}

impl Browser {
    pub(super) async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path).header(header::ACCEPT, "text/html");
        self.send(request, Body::empty()).await
    }

    /// A form of ours, without a token unless the fields hold one.
    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from(
            path,
            fields,
            &[("origin", "http://127.0.0.1:7171"), ("sec-fetch-site", "same-origin")],
        )
        .await
    }

    pub(super) async fn post_from(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        from: &[(&str, &str)],
    ) -> Answer {
        let mut request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in from {
            request = request.header(*name, *value);
        }
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", super::super::visit::encoded(value)))
            .collect();
        self.send(request, Body::from(pairs.join("&"))).await
    }

    /// The form of a page of ours, with the token that stands on it.
    pub(super) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf().await;
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }

    pub(super) async fn csrf(&mut self) -> String {
        let page = self.get("/health").await.text;
        let rest = page.split("name=\"csrf\" value=\"").nth(1).expect("a signed-in page carries the token");
        rest.split('"').next().unwrap().to_owned()
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Answer {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::HOST, HOST).header(header::COOKIE, cookies.join("; "));
        let response: Response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for set in parts.headers.get_all(header::SET_COOKIE) {
            let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}
