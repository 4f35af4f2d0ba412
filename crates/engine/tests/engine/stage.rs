//! Stripe's side of a scene: charges, invoices that failed, cards that work, and what really happened.

use bursar_fake_stripe::{FakeStripe, Options};
use serde_json::{Value, json};

use bursar_fake_stripe::gate::{Gate, Written};

/// 21 November 2026, 00:00 UTC.
pub const NOW_S: i64 = 1_795_219_200;

pub struct Stage {
    pub stripe: FakeStripe,
    pub gate: Gate,
    client: reqwest::Client,
}

/// An invoice whose payment failed.
#[derive(Clone, Debug)]
pub struct Failed {
    pub event: Value,
    pub invoice: String,
    pub customer: String,
    /// The connected account it is on, if it is on one.
    pub account: Option<String>,
}

impl Stage {
    pub async fn new() -> Stage {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stripe =
            FakeStripe::open(Options { start_s: NOW_S, machine_time: || NOW_S, ..Options::default() })
                .unwrap();
        let gate = Gate::open(stripe.clone()).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Stage { stripe, gate, client }
    }

    /// Objects of a kind that a trigger made.
    fn of_kind(made: &Value, kind: &str) -> Value {
        let objects = made["objects"].as_array().unwrap();
        objects
            .iter()
            .find(|object| object["object"] == kind)
            .unwrap_or_else(|| panic!("no {kind} in {made}"))
            .clone()
    }

    pub fn trigger(&self, kind: &str, overrides: Value) -> Value {
        self.stripe.trigger(kind, overrides).unwrap()
    }

    /// A paid charge in dollars.
    pub fn charge(&self, amount: i64) -> String {
        self.charge_on(None, amount)
    }

    /// The same on a connected account.
    pub fn charge_on(&self, account: Option<&str>, amount: i64) -> String {
        let made = self.trigger("payment_intent.succeeded", json!({"amount": amount, "account": account}));
        Self::of_kind(&made, "charge")["id"].as_str().unwrap().to_owned()
    }

    pub fn failed_invoice(&self, decline_code: &str) -> Failed {
        self.failed_invoice_on(None, decline_code)
    }

    /// The same on a connected account.
    pub fn failed_invoice_on(&self, account: Option<&str>, decline_code: &str) -> Failed {
        let wish = json!({"decline_code": decline_code, "account": account});
        let made = self.trigger("invoice.payment_failed", wish);
        let id = |kind| Self::of_kind(&made, kind)["id"].as_str().unwrap().to_owned();
        Failed {
            invoice: id("invoice"),
            customer: id("customer"),
            event: made["event"].clone(),
            account: account.map(str::to_owned),
        }
    }

    /// A call as somebody else with a key would make it, past the gate's eyes.
    pub async fn call(&self, method: &str, path: &str, form: &[(&str, &str)]) -> Value {
        self.call_on(None, method, path, form).await
    }

    /// The same on a connected account.
    pub async fn call_on(
        &self,
        account: Option<&str>,
        method: &str,
        path: &str,
        form: &[(&str, &str)],
    ) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method.clone(), format!("{}{path}", self.gate.url()));
        let request = if method == "GET" { request.query(form) } else { request.form(form) };
        let request = match account {
            Some(account) => request.header("stripe-account", account),
            None => request,
        };
        request.bearer_auth(self.stripe.secret_key()).send().await.unwrap().json().await.unwrap()
    }

    /// The customer gives a card that works, and the invoice is to be paid with it.
    pub async fn give_working_card(&self, failed: &Failed) -> String {
        self.give_card(failed, "pm_card_visa").await
    }

    /// The same with any of Stripe's test cards.
    pub async fn give_card(&self, failed: &Failed, card: &str) -> String {
        let (attach, on) = (format!("/v1/payment_methods/{card}/attach"), failed.account.as_deref());
        let card = self.call_on(on, "POST", &attach, &[("customer", &failed.customer)]).await;
        let card = card["id"].as_str().unwrap_or_else(|| panic!("{card}")).to_owned();
        let path = format!("/v1/invoices/{}", failed.invoice);
        let changed = self.call_on(on, "POST", &path, &[("default_payment_method", &card)]).await;
        assert_eq!(changed["default_payment_method"], card.as_str(), "{changed}");
        card
    }

    /// The newest event of a type.
    pub async fn newest_event(&self, kind: &str) -> Value {
        let events = self.call("GET", "/v1/events", &[("type", kind), ("limit", "1")]).await;
        events["data"][0].clone()
    }

    /// Effects of a kind that really happened.
    pub fn effects(&self, kind: &str) -> Vec<Value> {
        self.stripe.ledger().into_iter().filter(|entry| entry["kind"] == kind).collect()
    }

    /// What we asked for and got: effects of the kinds that actions have, under keys of ours.
    pub fn our_effects(&self) -> Vec<Value> {
        let asked = ["refund.create", "invoice.pay", "portal_session.create"];
        let ours =
            |entry: &Value| entry["idempotency_key"].as_str().is_some_and(|key| key.starts_with("bursar_"));
        let entries = self.stripe.ledger().into_iter().filter(ours);
        entries.filter(|entry| asked.iter().any(|kind| entry["kind"] == *kind)).collect()
    }

    /// What the engine wrote, retries included.
    pub fn our_writes(&self) -> Vec<Written> {
        self.gate.written().into_iter().filter(|written| written.key.starts_with("bursar_")).collect()
    }
}
