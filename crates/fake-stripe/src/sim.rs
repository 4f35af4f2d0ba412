//! The handle that a process holds: open, ask, move time, look at what happened.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::api::{self, webhook_endpoints::NewEndpoint};
use crate::billing::{self, subscription::AfterRetries};
use crate::clock::{MachineTime, SimClock, machine_time_s};
use crate::control;
use crate::doc::Doc as _;
use crate::error::{ApiResult, Error};
use crate::seed::{self, Size};
use crate::webhooks::{self, Disorder};
use crate::wire::{self, Call, Faults, Outcome, Params, Rate};
use crate::world::{Cause, Kind, World, ids};

/// How a simulated Stripe is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where its journal is kept; without one nothing outlives the process.
    pub data_dir: Option<PathBuf>,
    pub seed: u64,
    /// Business time at the first start; later starts resume theirs.
    pub start_s: i64,
    pub livemode: bool,
    /// Calls an account may make in a second of machine time.
    pub rate_per_second: Option<u32>,
    pub after_retries: AfterRetries,
    pub disorder: Disorder,
    pub machine_time: MachineTime,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data_dir: None,
            seed: 1,
            // 21 November 2026, 00:00 UTC.
            start_s: 1_795_219_200,
            livemode: false,
            rate_per_second: None,
            after_retries: AfterRetries::default(),
            disorder: Disorder::default(),
            machine_time: machine_time_s,
        }
    }
}

type Hook = Box<dyn Fn(i64) + Send + Sync>;

pub(crate) struct State {
    pub world: World,
    pub faults: Faults,
    pub rate: Rate,
    pub disorder: Disorder,
}

pub(crate) struct Inner {
    state: Mutex<State>,
    clock: SimClock,
    machine_time: MachineTime,
    keys_in_use: Arc<Mutex<HashSet<(String, String)>>>,
    requests: AtomicU64,
    request_seed: u64,
    hooks: Mutex<Vec<Hook>>,
    /// Told whenever webhooks may be due.
    pub bell: Notify,
}

/// A simulated Stripe. Copies of the handle are the same Stripe.
#[derive(Clone)]
pub struct FakeStripe(pub(crate) Arc<Inner>);

impl std::fmt::Debug for FakeStripe {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("FakeStripe").field("now_s", &self.now_s()).finish_non_exhaustive()
    }
}

impl FakeStripe {
    /// Opens a new Stripe, or the one that its data directory remembers.
    pub fn open(options: Options) -> Result<Self, Error> {
        let Options {
            data_dir,
            seed,
            start_s,
            livemode,
            rate_per_second,
            after_retries,
            disorder,
            machine_time,
        } = options;
        let (mut world, kept_now) = World::open(data_dir.as_deref(), seed, livemode)?;
        world.after_retries = after_retries;
        let now_s = kept_now.unwrap_or(start_s);
        let request_seed = ids::mix(seed ^ ids::mix(world.boots));
        begin_account(&mut world, now_s)?;
        let state = State { world, faults: Faults::default(), rate: Rate::new(rate_per_second), disorder };
        Ok(Self(Arc::new(Inner {
            state: Mutex::new(state),
            clock: SimClock::starting_at(now_s),
            machine_time,
            keys_in_use: Arc::default(),
            requests: AtomicU64::new(0),
            request_seed,
            hooks: Mutex::default(),
            bell: Notify::new(),
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock of business time. Move it with [`Self::advance`], or due work waits until somebody does.
    pub fn clock(&self) -> SimClock {
        self.0.clock.clone()
    }

    pub fn now_s(&self) -> i64 {
        self.0.clock.now_s()
    }

    pub(crate) fn machine_now_s(&self) -> i64 {
        (self.0.machine_time)()
    }

    /// Calls `hook` with the new time after every advance, so that another clock can move along. A hook must
    /// not advance the clock itself.
    pub fn on_advance(&self, hook: impl Fn(i64) + Send + Sync + 'static) {
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// Moves business time forward, carrying out what becomes due in its order, and gives the new time.
    pub fn advance(&self, seconds: u32) -> Result<i64, Error> {
        let until = {
            let mut state = self.state();
            let until = self.now_s() + i64::from(seconds);
            let world = &mut state.world;
            while let Some((due, _, account, id)) = world.agenda.first_due(None, until) {
                self.0.clock.set(due);
                let now_s = self.now_s();
                let Some(work) = world.get(&account, Kind::Work, &id).cloned() else { break };
                let mut tx = world.begin(&account, now_s, Cause::default());
                billing::run(&mut tx, &work);
                webhooks::address(&mut tx);
                tx.commit()?;
            }
            self.0.clock.set(until);
            forget_the_old(world, until)?;
            world.note_time(until)?;
            until
        };
        for hook in self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            hook(until);
        }
        self.0.bell.notify_one();
        Ok(until)
    }

    /// The platform's secret key: the same for as long as the data directory lives.
    pub fn secret_key(&self) -> String {
        let state = self.state();
        let keys = state.world.rows(&state.world.platform, Kind::ApiKey);
        let secret =
            keys.filter(|key| key["permissions"].is_null()).map(|key| key.text("id").to_owned()).next();
        secret.unwrap_or_default()
    }

    /// A restricted key with `read` or `write` for each resource named.
    pub fn restricted_key(&self, permissions: &[(&str, &str)]) -> Result<String, Error> {
        let granted: serde_json::Map<String, Value> =
            permissions.iter().map(|(resource, grant)| ((*resource).to_owned(), json!(grant))).collect();
        self.change(|tx| {
            let key = tx.world.ids.next(if tx.livemode() { "rk_live" } else { "rk_test" });
            tx.put(Kind::ApiKey, json!({"id": key, "permissions": granted}));
            key
        })
    }

    /// The platform's account id.
    pub fn account_id(&self) -> String {
        self.state().world.platform.clone()
    }

    /// Registers an endpoint for these event types (`*` for all) with a secret of the caller's.
    pub fn add_webhook(&self, url: &str, secret: &str, events: &[&str]) -> Result<String, Error> {
        self.register(url, secret, events, false)
    }

    /// Registers an endpoint for the events of connected accounts.
    pub fn add_connect_webhook(&self, url: &str, secret: &str, events: &[&str]) -> Result<String, Error> {
        self.register(url, secret, events, true)
    }

    fn register(&self, url: &str, secret: &str, events: &[&str], connect: bool) -> Result<String, Error> {
        self.change(|tx| {
            let same = tx.all(Kind::WebhookEndpoint).find(|endpoint| endpoint.text("url") == url);
            if let Some(id) = same.map(|endpoint| endpoint.text("id").to_owned()) {
                api::webhook_endpoints::keep_secret(tx, &id, secret, connect, "snapshot");
                return id;
            }
            let new = NewEndpoint { url, secret: Some(secret), enabled_events: events.to_vec(), connect };
            api::webhook_endpoints::make(tx, &new).text("id").to_owned()
        })
    }

    /// Everything that really happened, newest last.
    pub fn ledger(&self) -> Vec<Value> {
        let state = self.state();
        state.world.rows(&state.world.platform, Kind::LedgerEntry).cloned().collect()
    }

    /// The platform's charges, newest first: what a demonstration picks from.
    pub fn charges(&self) -> Vec<Value> {
        let state = self.state();
        let mut charges: Vec<Value> =
            state.world.rows(&state.world.platform, Kind::Charge).cloned().collect();
        charges.sort_by_key(|charge| std::cmp::Reverse(charge["created"].as_i64()));
        charges
    }

    /// Makes the objects and the event of a type, as Stripe's command line does.
    pub fn trigger(&self, kind: &str, overrides: Value) -> Result<Value, Value> {
        let platform = self.account_id();
        let account = overrides.maybe_text("account").map_or(platform, str::to_owned);
        let wish = Params::of(overrides);
        self.attempt(&account, |tx| control::trigger(tx, kind, &wish))
            .map_err(|error| json!({"error": error.error}))
    }

    /// Arms a fault from `{"route", "nth", "kind", "status", "times", "effect"}` and gives its id.
    pub fn arm_fault(&self, wish: Value) -> Result<Value, Value> {
        self.state().faults.arm(&Params::of(wish)).map_err(|error| json!({"error": error.error}))
    }

    /// Disarms a fault; says whether it was armed.
    pub fn disarm_fault(&self, id: &str) -> bool {
        self.state().faults.disarm(id)
    }

    /// Fills an empty Stripe with the months of a company's life. Does nothing to one that has customers.
    pub fn populate(&self, size: Size) -> Result<(), Error> {
        let now_s = self.now_s();
        let mut state = self.state();
        let platform = state.world.platform.clone();
        if state.world.rows(&platform, Kind::Customer).next().is_some() {
            return Ok(());
        }
        seed::populate(&mut state.world, now_s, size)
    }

    /// Runs a change on the platform account that cannot fail by itself.
    pub(crate) fn change<T>(&self, make: impl FnOnce(&mut crate::world::Tx<'_>) -> T) -> Result<T, Error> {
        let now_s = self.now_s();
        let mut state = self.state();
        let platform = state.world.platform.clone();
        let mut tx = state.world.begin(&platform, now_s, Cause::default());
        let made = make(&mut tx);
        webhooks::address(&mut tx);
        tx.commit()?;
        drop(state);
        self.0.bell.notify_one();
        Ok(made)
    }

    /// Runs a change that may refuse.
    pub(crate) fn attempt(
        &self,
        account: &str,
        make: impl FnOnce(&mut crate::world::Tx<'_>) -> ApiResult,
    ) -> ApiResult {
        let now_s = self.now_s();
        let mut state = self.state();
        let mut tx = state.world.begin(account, now_s, Cause::default());
        let made = make(&mut tx)?;
        webhooks::address(&mut tx);
        tx.commit().map_err(|error| {
            tracing::error!(%error, "a commit failed; nothing of the change stands");
            crate::error::ApiError::api(500)
        })?;
        drop(state);
        self.0.bell.notify_one();
        Ok(made)
    }

    /// Carries out one call from the wire.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Outcome {
        let number = self.0.requests.fetch_add(1, Ordering::Relaxed);
        let call = Call {
            method,
            path,
            query,
            headers,
            body,
            request: format!("req_{}", ids::letters(self.0.request_seed, number, 14)),
            now_s: self.now_s(),
            machine_now_s: self.machine_now_s(),
        };
        let mut guard = self.state();
        let state = &mut *guard;
        let desk = wire::Desk {
            world: &mut state.world,
            faults: &mut state.faults,
            rate: &mut state.rate,
            in_use: &self.0.keys_in_use,
        };
        let outcome = wire::answer(desk, &call);
        drop(guard);
        if method != "GET" {
            self.0.bell.notify_one();
        }
        outcome
    }
}

/// What every Stripe has from its first moment: its own account and a key.
fn begin_account(world: &mut World, now_s: i64) -> Result<(), Error> {
    let platform = world.platform.clone();
    if world.get(&platform, Kind::Account, &platform).is_some() {
        let mut keys = world.rows(&platform, Kind::ApiKey);
        let kept_live = keys.any(|key| key.text("id").starts_with("sk_live"));
        let kept = if kept_live { "live" } else { "test" };
        return if kept_live == world.livemode { Ok(()) } else { Err(Error::OtherMode { kept }) };
    }
    let mut tx = world.begin(&platform, now_s, Cause::default());
    let account = api::account::document(&tx, &platform, "Northwind SaaS", "US");
    tx.put(Kind::Account, account);
    let key = tx.world.ids.next(if tx.livemode() { "sk_live" } else { "sk_test" });
    tx.put(Kind::ApiKey, json!({"id": key, "permissions": null}));
    tx.commit()
}

/// Drops events and idempotency keys that Stripe no longer keeps.
fn forget_the_old(world: &mut World, now_s: i64) -> Result<(), Error> {
    let accounts: Vec<String> = world.accounts().cloned().collect();
    for account in accounts {
        let old = world.lane(&account).map(|lane| lane.events.older_than(now_s - api::events::KEPT_S));
        let mut tx = world.begin(&account, now_s, Cause::default());
        for event in old.into_iter().flatten() {
            tx.forget_event(&event);
        }
        wire::idempotency::prune(&mut tx);
        tx.commit()?;
    }
    Ok(())
}
