//! What must hold after any run, whatever happened in it: the program's word against the ledger's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::stage::{Ran, Site};

/// States in which nothing more will happen by itself.
const TERMINAL: [&str; 9] =
    ["done", "refused", "no_effect", "in_doubt", "denied", "rejected", "expired", "void", "observed"];

pub struct Oracle<'a> {
    site: &'a Site,
    /// Of `bursar audit verify --json`.
    audit: Ran,
    /// Ids of events that were answered with 2xx.
    acknowledged: BTreeSet<String>,
}

impl<'a> Oracle<'a> {
    pub fn of(site: &'a Site, audit: Ran) -> Self {
        Self { site, audit, acknowledged: BTreeSet::new() }
    }

    pub fn acknowledged(self, acknowledged: BTreeSet<String>) -> Self {
        Self { acknowledged, ..self }
    }

    #[track_caller]
    pub fn check(&self) {
        let proposals = self.proposals();
        self.each_acknowledged_event_is_kept_once();
        self.what_is_done_is_in_the_ledger_once(&proposals);
        self.what_is_done_was_allowed(&proposals);
        self.no_charge_is_refunded_beyond_what_it_took();
        Self::everything_has_come_to_an_end(&proposals);
        let report = self.audit.json(0);
        assert_eq!(report["ok"], true, "{report}");
    }

    /// With the id of their case.
    fn proposals(&self) -> Vec<Value> {
        let cases = self.site.all("operator", "/cases");
        let whole =
            |case: &Value| self.site.get("operator", &format!("/cases/{}", case["id"].as_str().unwrap()));
        cases.iter().flat_map(|case| whole(case)["proposals"].as_array().unwrap().clone()).collect()
    }

    fn each_acknowledged_event_is_kept_once(&self) {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for event in self.site.all("operator", "/events") {
            *times.entry(event["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        for id in &self.acknowledged {
            assert_eq!(times.get(id), Some(&1), "{id} was acknowledged");
        }
        assert!(times.values().all(|times| *times == 1));
    }

    /// Both ways: nothing is done that did not happen, nothing happened that is not done, nothing happened twice.
    fn what_is_done_is_in_the_ledger_once(&self, proposals: &[Value]) {
        let key = |entry: &Value| entry["idempotency_key"].as_str().map(str::to_owned);
        let of_verb = |verb: &str, state: &str| {
            let fits = move |proposal: &&Value| proposal["verb"] == verb && proposal["state"] == state;
            proposals.iter().filter(fits).cloned().collect::<Vec<_>>()
        };
        let mut effects: BTreeMap<String, Value> = BTreeMap::new();
        for entry in self.site.ledger("refund.create") {
            let Some(key) = key(&entry).filter(|key| key.starts_with("bursar_")) else { continue };
            assert!(effects.insert(key, entry.clone()).is_none(), "twice: {entry}");
        }
        let account = self.site.stripe("/v1/account")["id"].clone();
        for proposal in of_verb("refund.create", "done") {
            let key = key(&proposal["execution"]).unwrap();
            let effect =
                effects.remove(&key).unwrap_or_else(|| panic!("done and not in the ledger: {proposal}"));
            assert_eq!(effect["metadata"]["bursar_action"], proposal["id"]);
            assert_eq!(effect["amount"], proposal["params"]["amount"]["amount"], "{effect}");
            assert_eq!(effect["object"], proposal["execution"]["object"]);
            assert_eq!((&effect["account"], &effect["livemode"]), (&account, &Value::Bool(false)));
        }
        let parked = of_verb("refund.create", "in_doubt").len();
        assert!(effects.len() <= parked, "happened and not known: {effects:?}");
    }

    /// An effect had a durable intent, and policy allowed it or people did, voting on that very digest.
    fn what_is_done_was_allowed(&self, proposals: &[Value]) {
        for proposal in proposals.iter().filter(|proposal| !proposal["execution"].is_null()) {
            if proposal["verdict"]["ruling"] == "allow" {
                continue;
            }
            assert_eq!(proposal["verdict"]["ruling"], "ask", "{proposal}");
            let approval = self.site.approval(proposal["approval"].as_str().unwrap());
            assert_eq!(approval["digest"], proposal["digest"]);
            let votes = approval["votes"].as_array().unwrap();
            assert!(votes.iter().any(|vote| vote["choice"] == "approve"), "{approval}");
        }
    }

    fn no_charge_is_refunded_beyond_what_it_took(&self) {
        let mut back: BTreeMap<String, i64> = BTreeMap::new();
        for refund in self.site.ledger("refund.create") {
            *back.entry(refund["charge"].as_str().unwrap().to_owned()).or_default() +=
                refund["amount"].as_i64().unwrap();
        }
        for (charge, sum) in back {
            let taken =
                self.site.stripe(&format!("/v1/charges/{charge}"))["amount_captured"].as_i64().unwrap();
            assert!(sum <= taken, "{charge}: {sum} of {taken}");
        }
    }

    fn everything_has_come_to_an_end(proposals: &[Value]) {
        for proposal in proposals {
            let state = proposal["state"].as_str().unwrap();
            // People may take their time, and a letter that cannot leave says so.
            let waits = proposal["verb"] == "mail.send"
                && (proposal["execution"]["code"] == "not_sent" || proposal["execution"]["sends"] == 0);
            assert!(TERMINAL.contains(&state) || state == "asking" || waits, "{proposal}");
        }
    }
}
