//! An installation and its simulated Stripe, as a script sees the two: the API by role, the ledger, faults, time.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use bursar_engine::Clocks;
use reqwest::Method;
use serde_json::{Value, json};

use super::web::Load;
use super::{Answer, Web, until};

pub struct Site {
    pub web: Web,
    /// Ends in `/api/v1`.
    api: String,
    stripe: String,
    stripe_key: String,
    ingest: Option<(String, String)>,
    tokens: Value,
    /// Charges that a test has already taken for itself.
    used: RefCell<BTreeSet<String>>,
}

/// A charge that nothing has happened to yet.
#[derive(Clone, Debug)]
pub struct Charge {
    pub id: String,
    pub amount: i64,
}

impl Site {
    /// From what `bursar demo --json` printed.
    pub fn of_demo(told: &Value) -> Self {
        let text =
            |name: &str| told[name].as_str().unwrap_or_else(|| panic!("no {name} in {told}")).to_owned();
        Self::new(&text("api_url"), told["tokens"].clone(), (text("stripe_url"), text("stripe_key")))
            .taking_webhooks(&text("ingest_url"), &text("webhook_secret"))
    }

    #[must_use]
    pub fn taking_webhooks(self, url: &str, secret: &str) -> Self {
        Self { ingest: Some((url.to_owned(), secret.to_owned())), ..self }
    }

    /// One that hears from Stripe by polling only. `stripe` is its address and its key.
    pub fn new(api_url: &str, tokens: Value, stripe: (String, String)) -> Self {
        Self {
            web: Web::new(),
            api: format!("{api_url}/api/v1"),
            stripe: stripe.0,
            stripe_key: stripe.1,
            ingest: None,
            tokens,
            used: RefCell::default(),
        }
    }

    /// Makes further clients of the same installation.
    pub fn clients(&self) -> impl Fn() -> Site + Sync + use<> {
        let (api, tokens) = (self.api.trim_end_matches("/api/v1").to_owned(), self.tokens.clone());
        let (stripe, ingest) = ((self.stripe.clone(), self.stripe_key.clone()), self.ingest.clone());
        move || Site { ingest: ingest.clone(), ..Site::new(&api, tokens.clone(), stripe.clone()) }
    }

    /// The same installation, answering elsewhere.
    #[must_use]
    pub fn moved_to(self, api_url: &str) -> Self {
        Self { api: format!("{api_url}/api/v1"), ..self }
    }

    pub fn keep_used_charges_of(&mut self, other: &Site) {
        self.used = RefCell::new(other.used.borrow().clone());
    }

    pub fn token(&self, role: &str) -> &str {
        self.tokens[role].as_str().unwrap_or_else(|| panic!("no token of {role}"))
    }

    /// A call of the API that may be answered with anything, or not at all.
    pub fn try_call(
        &self,
        role: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let body = body.map(|body| body.to_string().into_bytes());
        let load = Load { bearer: Some(self.token(role)), body, ..Load::default() };
        self.web.call(method, &format!("{}{path}", self.api), load)
    }

    #[track_caller]
    pub fn get(&self, role: &str, path: &str) -> Value {
        self.try_call(role, Method::GET, path, None).unwrap().ok()
    }

    /// Listens to what happens, as an open page does, until dropped.
    #[track_caller]
    pub fn watch(&self) -> TcpStream {
        let address = self.api.trim_start_matches("http://").trim_end_matches("/api/v1");
        let mut stream = TcpStream::connect(address).unwrap();
        let token = self.token("operator");
        let request = format!(
            "GET /api/v1/stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        stream
    }

    #[track_caller]
    pub fn post(&self, role: &str, path: &str, body: &Value) -> Answer {
        self.try_call(role, Method::POST, path, Some(body)).unwrap()
    }

    /// Every row of a list, page by page.
    #[track_caller]
    pub fn all(&self, role: &str, path: &str) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let after = rows.last().map(|row| format!("&starting_after={}", row["id"].as_str().unwrap()));
            let page = self.get(role, &format!("{path}{joint}limit=100{}", after.unwrap_or_default()));
            rows.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] != true {
                return rows;
            }
        }
    }

    /// A read of Stripe's API.
    #[track_caller]
    pub fn stripe(&self, path: &str) -> Value {
        let load = Load { bearer: Some(&self.stripe_key), ..Load::default() };
        self.web.call(Method::GET, &format!("{}{path}", self.stripe), load).unwrap().ok()
    }

    /// The strings of the simulated Stripe.
    #[track_caller]
    pub fn sim(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(|body| body.to_string().into_bytes());
        let url = format!("{}/_sim{path}", self.stripe);
        self.web.call(method, &url, Load { body, ..Load::default() }).unwrap().ok()
    }

    /// What really happened, of one kind.
    #[track_caller]
    pub fn ledger(&self, kind: &str) -> Vec<Value> {
        let ledger = self.sim(Method::GET, "/ledger", None);
        ledger["data"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind).cloned().collect()
    }

    /// Refunds of one charge that really happened.
    #[track_caller]
    pub fn refunds_of(&self, charge: &str) -> Vec<Value> {
        let refund_of = |entry: &Value| entry["charge"] == charge || entry["metadata"]["charge"] == charge;
        self.ledger("refund.create").into_iter().filter(refund_of).collect()
    }

    #[track_caller]
    pub fn trigger(&self, kind: &str, overrides: &Value) -> Value {
        self.sim(Method::POST, "/trigger", Some(&json!({"type": kind, "overrides": overrides})))
    }

    #[track_caller]
    pub fn advance(&self, seconds: u32) {
        self.sim(Method::POST, "/clock", Some(&json!({"advance_s": seconds})));
    }

    /// The armed fault's id.
    #[track_caller]
    pub fn arm(&self, fault: &Value) -> String {
        self.sim(Method::POST, "/faults", Some(fault))["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn disarm(&self, fault: &str) {
        self.sim(Method::DELETE, &format!("/faults/{fault}"), None);
    }

    /// Whether a fault on this route still waits for its call.
    #[track_caller]
    pub fn is_armed(&self, route: &str) -> bool {
        let armed = self.sim(Method::GET, "/faults", None);
        armed["data"].as_array().unwrap().iter().any(|fault| fault["route"] == route)
    }

    pub fn takes_webhooks(&self) -> bool {
        self.ingest.is_some()
    }

    /// Posts an event as Stripe does, signed now; fails where no whole answer came.
    pub fn try_post_event(&self, event: &Value) -> Result<u16, reqwest::Error> {
        let (_, secret) = self.ingest.as_ref().expect("this installation takes webhooks");
        self.try_post_signed(event, secret)
    }

    /// Posts an event, signed now with this secret.
    pub fn try_post_signed(&self, event: &Value, secret: &str) -> Result<u16, reqwest::Error> {
        let (url, _) = self.ingest.as_ref().expect("this installation takes webhooks");
        let body = event.to_string().into_bytes();
        let at = Clocks::system().machine().unix_s();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let signature = ring::hmac::sign(&key, &[format!("{at}.").as_bytes(), &body].concat());
        let header = format!("t={at},v1={}", hex::encode(signature));
        let load = Load { headers: vec![("stripe-signature", header)], body: Some(body), ..Load::default() };
        Ok(self.web.call(Method::POST, url, load)?.status)
    }

    /// A paid and untouched charge in USD of an amount in between, taken for the caller alone.
    #[track_caller]
    pub fn charge(&self, amounts: std::ops::RangeInclusive<i64>) -> Charge {
        let charges = self.stripe("/v1/charges?limit=100");
        let asked: BTreeSet<String> = self
            .all("operator", "/cases?playbook=refunds")
            .iter()
            .map(|case| case["about"]["id"].as_str().unwrap().to_owned())
            .collect();
        let found = charges["data"].as_array().unwrap().iter().find(|charge| {
            let id = charge["id"].as_str().unwrap();
            charge["paid"] == true
                && charge["amount_refunded"] == 0
                && charge["disputed"] == false
                && charge["currency"] == "usd"
                && amounts.contains(&charge["amount"].as_i64().unwrap())
                && !asked.contains(id)
                && !self.used.borrow().contains(id)
        });
        let found = found.unwrap_or_else(|| panic!("no charge of {amounts:?}"));
        let charge = Charge {
            id: found["id"].as_str().unwrap().to_owned(),
            amount: found["amount"].as_i64().unwrap(),
        };
        self.used.borrow_mut().insert(charge.id.clone());
        charge
    }

    /// Asks as operator for this amount of a charge, above the limit; the question that came of it, as a controller sees it.
    #[track_caller]
    pub fn ask(&self, charge: &Charge) -> Value {
        let body = json!({"charge": charge.id, "amount": charge.amount, "reason": "requested_by_customer"});
        let asked = self.post("operator", "/refund_requests", &body).ok();
        assert_eq!(asked["status"], "pending_approval", "{asked}");
        self.approval(asked["approval"].as_str().unwrap())
    }

    #[track_caller]
    pub fn approval(&self, id: &str) -> Value {
        self.get("controller", &format!("/approvals/{id}"))
    }

    /// Votes on what `approval` showed.
    #[track_caller]
    pub fn vote(&self, role: &str, approval: &Value, choice: &str) -> Answer {
        let path = format!("/approvals/{}/{choice}", approval["id"].as_str().unwrap());
        self.post(role, &path, &json!({"digest": approval["digest"], "reason": "looked at it"}))
    }

    /// The approval once it is in this state.
    #[track_caller]
    pub fn approval_once(&self, approval: &Value, status: &str) -> Value {
        let id = approval["id"].as_str().unwrap();
        until(&format!("{id} to be {status}"), || {
            let now = self.approval(id);
            (now["status"] == status).then_some(now)
        })
    }

    /// The one case about an object, once it is there and `fits`.
    #[track_caller]
    pub fn case_about(&self, object: &str, fits: impl Fn(&Value) -> bool) -> Value {
        until(&format!("a case about {object}"), || {
            let cases = self.all("operator", &format!("/cases?object={object}"));
            assert!(cases.len() <= 1, "several cases: {cases:?}");
            cases.into_iter().find(&fits)
        })
    }

    /// Waits until nobody has anything to do at this moment of business time.
    #[track_caller]
    pub fn quiet(&self) {
        until("the queue to be empty", || {
            let queue = self.get("operator", "/status")["queue"].clone();
            (queue["due"] == 0 && queue["leased"] == 0).then_some(())
        });
    }
}
