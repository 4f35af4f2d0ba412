//! For tests: an engine that is open and does nothing by itself, so that its steps are taken one by one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bursar_domain::case::{CaseKey, CaseState};
use bursar_domain::id::{CaseId, JobId};
use bursar_domain::mode::Mode;
use bursar_domain::role::Role;
use bursar_domain::time::{BusinessTime, MachineTime};
use bursar_store::cases::{self, Case, Details};
use bursar_store::jobs::{self, Claim, Clock, Job, NewJob};
use bursar_stripe::currency::Currency;
use bursar_stripe::event::Event;
use futures_util::FutureExt as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::HomeMoney;
use crate::clock::Clocks;
use crate::settings::{Connection, Settings};
use crate::start::Engine;

pub(crate) const LANE: &str = "acct_1/test";
pub(crate) const CUSTOMER: &str = "cus_A";
const NOW_S: i64 = 1_795_219_200;
pub(crate) const NOW: i64 = NOW_S * 1_000_000;

/// An engine and the directory it lives in.
pub(crate) struct Still {
    pub(crate) engine: Engine,
    _dir: TempDir,
}

pub(crate) fn connection(name: &str) -> Connection {
    Connection {
        name: name.to_owned(),
        api_base: "http://127.0.0.1:1".to_owned(),
        key: SecretString::from("sk_test_1"),
        webhook_secrets: Vec::new(),
        connect_webhook_secrets: Vec::new(),
        connected: Vec::new(),
        poll: false,
        poll_interval: Duration::from_mins(1),
        first_poll_back: Duration::ZERO,
        webhook: true,
        mode: Mode::Observe,
        requests_per_second: 10,
    }
}

/// An event as Stripe sends it.
pub(crate) fn event(id: &str, kind: &str, object: &Value) -> (Event, Vec<u8>) {
    let body = json!({"id": id, "object": "event", "type": kind, "created": NOW_S, "livemode": false,
        "api_version": bursar_stripe::api_version::PINNED, "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null}, "data": {"object": object}});
    let body = serde_json::to_vec(&body).unwrap();
    (Event::parse(&body).unwrap(), body)
}

/// A job in somebody's hands.
pub(crate) fn job(lane: &str, number: u8) -> Job {
    Job {
        id: JobId::from_entropy([number; 16]),
        lane: lane.to_owned(),
        kind: "decide".to_owned(),
        key: format!("key {number}"),
        payload: json!({}),
        attempts: 1,
        fence: 1,
        created_at: NOW,
        due_at: NOW,
        clock: Clock::Machine,
    }
}

impl Still {
    pub(crate) async fn open() -> Still {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            store: bursar_store::Options::sqlite(dir.path(), "node-1"),
            node_silence: Duration::from_secs(8),
            alerts: None,
            connections: Vec::new(),
            policies: bursar_policy::default_set(),
            playbooks: BTreeMap::new(),
            home: HomeMoney { currency: Currency::USD, rates: BTreeMap::default() },
            assist_role: Role::Operator,
            approval_expiry: Duration::from_hours(24),
            mail: None,
            mirror_age_max: Duration::from_mins(10),
            workers: 4,
            zone: jiff::tz::TimeZone::UTC,
            separation: crate::Separation::AsInstalled,
            clock: crate::ClockTrust::Compared,
        };
        let clocks = Clocks::given(|| BusinessTime::from_unix_s(NOW_S), || MachineTime::from_micros(NOW));
        Still { engine: Engine::open(settings, clocks).await.unwrap(), _dir: dir }
    }

    /// Keeps an event and leaves the job that takes it.
    pub(crate) async fn receive(&self, kind: &str, object: Value) -> JobId {
        let id = format!("evt_{}", kind.replace('.', "_"));
        let (event, body) = event(&id, kind, &object);
        self.engine.offer(&LANE.parse().unwrap(), &event, "webhook", &body).await.unwrap();
        self.queue(crate::schedule::EVENT, &id, json!({"event": id})).await
    }

    pub(crate) async fn queue(&self, kind: &'static str, key: &str, payload: Value) -> JobId {
        let new = self.new_job(kind, key, payload);
        let id = new.id.clone();
        let written =
            self.engine.inner.store.write(move |tx| async move { jobs::add(tx, &new).await }.boxed());
        written.await.map_err(crate::start::store_error).unwrap();
        id
    }

    pub(crate) fn new_job(&self, kind: &'static str, key: &str, payload: Value) -> NewJob {
        NewJob {
            id: JobId::from_entropy(self.engine.inner.entropy.id()),
            lane: LANE.to_owned(),
            kind,
            key: key.to_owned(),
            payload,
            clock: Clock::Machine,
            due_at: NOW,
            created_at: NOW,
        }
    }

    /// Everything that is due.
    pub(crate) async fn claim(&self) -> Vec<Job> {
        self.claim_at(NOW).await
    }

    pub(crate) async fn claim_at(&self, now: i64) -> Vec<Job> {
        let claim =
            Claim { business_now: now, machine_now: now, since: None, lease_us: 60_000_000, limit: 99 };
        let claimed =
            self.engine.inner.store.write(move |tx| async move { jobs::claim(tx, claim).await }.boxed());
        claimed.await.map_err(crate::start::store_error).unwrap()
    }

    /// A case of the customer that sleeps.
    pub(crate) async fn add_case(&self, invoice: &str) -> Case {
        let case = Case {
            id: CaseId::from_entropy(self.engine.inner.entropy.id()),
            lane: LANE.to_owned(),
            key: CaseKey {
                playbook: "recovery".to_owned(),
                object_kind: "invoice".to_owned(),
                object_id: invoice.to_owned(),
            },
            customer: Some(CUSTOMER.to_owned()),
            state: CaseState::Waiting { until: BusinessTime::from_unix_s(NOW_S + 3_600) },
            class: None,
            amount: None,
            due_at: None,
            opened_at: NOW,
            updated_at: NOW,
            subject: CUSTOMER.to_owned(),
            details: Details::default(),
        };
        let (keyring, row) = (Arc::clone(self.engine.inner.store.keyring()), case.clone());
        let store = &self.engine.inner.store;
        let saved = store.write(move |tx| async move { cases::save(tx, &keyring, &row, NOW).await }.boxed());
        saved.await.map_err(crate::start::store_error).unwrap();
        case
    }
}
