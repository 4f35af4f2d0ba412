//! Killed at random instants under load, started again, over and over: nothing that was acknowledged is lost, nothing is
//! done twice. The instants come from a seed; a run that fails names it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::oracle::Oracle;
use crate::stage::{Charge, Demo, Site, until};

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
    /// One round: a signed event, a small refund that needs nobody, a large one that is asked for and approved. Fails as
    /// soon as an answer does not come: the program was killed.
    fn round(&mut self, site: &Site) -> Result<(), reqwest::Error> {
        self.sent += 1;
        let id = format!("evt_load{}n{}", self.number, self.sent);
        let mut event = self.template.clone();
        event["id"] = json!(id);
        if site.try_post_event(&event)? == 200 {
            self.acknowledged.insert(id);
        }
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

/// Loads the demo until `life` is over, then kills it in the middle of whatever it is doing.
fn live_and_die(mut demo: Demo, loads: &mut [Load], life: Duration) -> Demo {
    let over = AtomicBool::new(false);
    // A site of its own for each load: clients do not travel between threads.
    let told = demo.program.told.clone();
    std::thread::scope(|scope| {
        for load in loads {
            scope.spawn(|| {
                let site = Site::of_demo(&told);
                while load.round(&site).is_ok() && !over.load(Ordering::Relaxed) {}
            });
        }
        std::thread::sleep(life);
        demo.program.kill();
        over.store(true, Ordering::Relaxed);
    });
    demo.again()
}

#[test]
fn killed_at_random_instants_under_load() {
    let mut demo = Demo::start();
    let template = demo.trigger("customer.updated", &json!({}))["event"].clone();
    let charges: Vec<Charge> = (0..CHARGES).map(|_| demo.charge(40_000..=i64::MAX)).collect();
    let load = |number| Load {
        number,
        template: template.clone(),
        charges: charges.clone(),
        sent: 0,
        acknowledged: BTreeSet::new(),
        requests: 0,
    };
    let mut loads: Vec<Load> = (0..LOADS).map(load).collect();
    for cycle in 0..CYCLES {
        let life = LIFE_MS.start + draw(1_000 + cycle, LIFE_MS.end - LIFE_MS.start);
        demo = live_and_die(demo, &mut loads, Duration::from_millis(life));
    }
    // What was approved comes to its end, also where a lost answer has to be looked for twice.
    until("every execution to end", || {
        demo.quiet();
        let cases = demo.all("operator", "/cases?playbook=refunds");
        cases.iter().all(|case| case["state"] != "acting" && case["state"] != "open").then_some(())
    });
    let refunds = demo.ledger("refund.create").len();
    let acknowledged: BTreeSet<String> =
        loads.iter().flat_map(|load| load.acknowledged.iter().cloned()).collect();
    let requests: u64 = loads.iter().map(|load| load.requests).sum();
    eprintln!(
        "seed {SEED}: {CYCLES} kills, {} events acknowledged, {requests} requests answered, {refunds} refunds",
        acknowledged.len()
    );
    assert!(acknowledged.len() > 20 && refunds > 10, "a load that is none proves nothing");
    Oracle::of(&demo).acknowledged(acknowledged).check();
}
