//! Killed at random instants under load, started again, over and over: nothing that was acknowledged is lost, nothing is
//! done twice. The instants come from a seed; a run that fails names it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::oracle::Oracle;
use crate::stage::{Charge, Demo, Pair, Site, until};

const SEED: u64 = 7;
const CYCLES: u64 = 8;
const LOADS: u64 = 3;
/// Shared by all loads, so that they are in one another's way.
const CHARGES: usize = 8;
/// Between the start of the load and the kill.
const LIFE_MS: std::ops::Range<u64> = 150..1_600;

/// A number from the seed and its place in the sequence.
fn draw(place: u64, below: u64) -> u64 {
    let mut state = SEED.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (state ^ (state >> 31)) % below
}

/// What a load has to work with, and what came of it.
struct Load {
    /// Which of several at once.
    number: u64,
    template: Value,
    charges: Vec<Charge>,
    sent: u64,
    acknowledged: BTreeSet<String>,
    requests: u64,
}

impl Load {
    /// One event that from now on must be kept: posted and acknowledged, or made by a Stripe that is polled.
    fn event(&self, site: &Site) -> Result<Option<String>, reqwest::Error> {
        if !site.takes_webhooks() {
            let made = site.trigger("customer.updated", &json!({}));
            return Ok(made["event"]["id"].as_str().map(str::to_owned));
        }
        let id = format!("evt_load{}n{}", self.number, self.sent);
        let mut event = self.template.clone();
        event["id"] = json!(id);
        Ok((site.try_post_event(&event)? == 200).then_some(id))
    }

    /// One round: a signed event, a small refund that needs nobody, a large one that is asked for and approved. Fails as
    /// soon as an answer does not come: the program was killed.
    fn round(&mut self, site: &Site) -> Result<(), reqwest::Error> {
        self.sent += 1;
        self.acknowledged.extend(self.event(site)?);
        let place = self.number * 100_000 + self.sent;
        let charge = &self.charges[usize::try_from(draw(place, self.charges.len() as u64)).unwrap()];
        let large = self.sent.is_multiple_of(3);
        let amount = if large { 10_001 } else { 100 } + self.sent.cast_signed();
        let body = json!({"charge": charge.id, "amount": amount, "reason": "duplicate"});
        let asked = site.try_call("operator", Method::POST, "/refund_requests", Some(&body))?;
        self.requests += u64::from(asked.status < 300);
        let Some(approval) = asked.body["approval"].as_str() else { return Ok(()) };
        let shown = site.try_call("controller", Method::GET, &format!("/approvals/{approval}"), None)?;
        let vote = json!({"digest": shown.body["digest"]});
        site.try_call("controller", Method::POST, &format!("/approvals/{approval}/approve"), Some(&vote))?;
        Ok(())
    }
}

/// Loads the installation until `life` is over, then has it killed in the middle of whatever it is doing. `site` makes a
/// client of its own for each load: clients do not travel between threads.
fn live_and_die(loads: &mut [Load], life_ms: u64, site: impl Fn() -> Site + Sync, kill: impl FnOnce()) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for load in loads {
            scope.spawn(|| {
                let site = site();
                while load.round(&site).is_ok() && !over.load(Ordering::Relaxed) {}
            });
        }
        std::thread::sleep(Duration::from_millis(life_ms));
        kill();
        over.store(true, Ordering::Relaxed);
    });
}

fn loads(site: &Site) -> Vec<Load> {
    let template = site.trigger("customer.updated", &json!({}))["event"].clone();
    let charges: Vec<Charge> = (0..CHARGES).map(|_| site.charge(40_000..=i64::MAX)).collect();
    let load = |number| Load {
        number,
        template: template.clone(),
        charges: charges.clone(),
        sent: 0,
        acknowledged: BTreeSet::new(),
        requests: 0,
    };
    (0..LOADS).map(load).collect()
}

/// When each cycle ends.
fn lives_ms() -> impl Iterator<Item = u64> {
    (0..CYCLES).map(|cycle| LIFE_MS.start + draw(1_000 + cycle, LIFE_MS.end - LIFE_MS.start))
}

/// Waits until what was approved has come to its end, also where a lost answer has to be looked for.
fn settled(site: &Site) {
    until("every execution to end", || {
        site.quiet();
        let cases = site.all("operator", "/cases?playbook=refunds");
        cases.iter().all(|case| case["state"] != "acting" && case["state"] != "open").then_some(())
    });
}

/// What was acknowledged, having made sure that this was a load.
fn acknowledged(site: &Site, loads: &[Load]) -> BTreeSet<String> {
    let acknowledged: BTreeSet<String> =
        loads.iter().flat_map(|load| load.acknowledged.iter().cloned()).collect();
    let requests: u64 = loads.iter().map(|load| load.requests).sum();
    let refunds = site.ledger("refund.create").len();
    eprintln!(
        "seed {SEED}: {CYCLES} kills, {} events acknowledged, {requests} requests answered, {refunds} refunds",
        acknowledged.len()
    );
    assert!(acknowledged.len() > 20 && refunds > 10, "a load that is none proves nothing");
    acknowledged
}

#[test]
fn everything_is_killed_at_random_instants_under_load() {
    let mut demo = Demo::start();
    let mut loads = loads(&demo);
    for life_ms in lives_ms() {
        let clients = demo.clients();
        live_and_die(&mut loads, life_ms, clients, || demo.program.kill());
        demo = demo.again();
    }
    settled(&demo);
    let audit = demo.bursar("audit verify --json");
    Oracle::of(&demo, audit).acknowledged(acknowledged(&demo, &loads)).check();
}

/// Its Stripe goes on: it carries out calls whose answers nobody hears, and makes events that nobody is told of.
#[test]
fn the_engine_alone_is_killed_at_random_instants_under_load() {
    let mut pair = Pair::start("");
    let mut loads = loads(&pair.site);
    for life_ms in lives_ms() {
        let clients = pair.site.clients();
        live_and_die(&mut loads, life_ms, clients, || pair.serve.kill());
        pair = pair.serve_again();
    }
    settled(&pair.site);
    let acknowledged = acknowledged(&pair.site, &loads);
    until("every event to be polled", || {
        let kept = pair.site.all("operator", "/events?type=customer.updated");
        let kept: BTreeSet<&str> = kept.iter().map(|event| event["id"].as_str().unwrap()).collect();
        acknowledged.iter().all(|id| kept.contains(id.as_str())).then_some(())
    });
    let audit = pair.bursar("audit verify --json");
    Oracle::of(&pair.site, audit).acknowledged(acknowledged).check();
}
