//! Faults that somebody asked for: answers that never come, come late, or lie about what happened.

use serde_json::{Value, json};

use super::Params;
use crate::error::{ApiError, ApiResult};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Nothing happens, and the connection closes without an answer.
    TimeoutBefore,
    /// It happens, and the connection closes without an answer.
    TimeoutAfter,
    /// This status is answered; with `effect` it happens all the same. Nobody can tell from a 500 whether it did, so
    /// that a 500 has its effect unless the wish says otherwise, and every other status has none unless it does.
    Status { status: u16, effect: bool },
    /// Nothing happens and no answer ever comes; the key counts as in use meanwhile.
    Hang,
    /// Nothing happens, and the connection is reset.
    Drop,
}

#[derive(Debug)]
struct Fault {
    id: String,
    method: String,
    segments: Vec<String>,
    /// Matching calls that still pass unharmed.
    pass: u64,
    times: u64,
    harm: Harm,
}

/// The faults that are armed, oldest first.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Vec<Fault>,
    made: u64,
}

impl Faults {
    /// Arms a fault from `{"route", "nth", "kind", "status", "times", "effect"}`.
    pub fn arm(&mut self, params: &Params) -> ApiResult {
        const KINDS: [&str; 5] = ["timeout_before", "timeout_after", "status", "hang", "drop"];
        let route = params.need("route")?;
        let (method, path) = route.split_once(' ').unwrap_or(("*", route));
        params.need("kind")?;
        let harm = match params.one_of("kind", &KINDS)?.unwrap_or_default() {
            "timeout_before" => Harm::TimeoutBefore,
            "timeout_after" => Harm::TimeoutAfter,
            "hang" => Harm::Hang,
            "drop" => Harm::Drop,
            _ => {
                let status = params.int("status")?.unwrap_or(500);
                let status = u16::try_from(status).ok().filter(|status| (400..600).contains(status));
                let status =
                    status.ok_or_else(|| ApiError::invalid("status must be 400 to 599").param("status"))?;
                Harm::Status { status, effect: params.flag("effect")?.unwrap_or(status == 500) }
            }
        };
        self.made += 1;
        let id = format!("fault_{}", self.made);
        let count = |name: &str| -> ApiResult<u64> {
            Ok(params.int_from(name, 1)?.and_then(|count| u64::try_from(count).ok()).unwrap_or(1))
        };
        self.armed.push(Fault {
            id: id.clone(),
            method: method.to_owned(),
            segments: path.split('/').map(str::to_owned).collect(),
            pass: count("nth")? - 1,
            times: count("times")?,
            harm,
        });
        Ok(json!({"id": id}))
    }

    /// Disarms a fault; says whether it was armed.
    pub fn disarm(&mut self, id: &str) -> bool {
        let before = self.armed.len();
        self.armed.retain(|fault| fault.id != id);
        self.armed.len() < before
    }

    /// What this call must suffer, if anything. Counts the call.
    pub fn strike(&mut self, method: &str, path: &str) -> Option<Harm> {
        let index = self.armed.iter_mut().position(|fault| {
            if !fault.matches(method, path) {
                return false;
            }
            if fault.pass > 0 {
                fault.pass -= 1;
                return false;
            }
            true
        })?;
        let fault = &mut self.armed[index];
        let harm = fault.harm;
        fault.times -= 1;
        if fault.times == 0 {
            self.armed.remove(index);
        }
        Some(harm)
    }

    /// The armed faults, for those who look.
    pub fn show(&self) -> Value {
        let shown: Vec<Value> = self
            .armed
            .iter()
            .map(|fault| {
                let route = format!("{} {}", fault.method, fault.segments.join("/"));
                json!({"id": fault.id, "route": route, "after": fault.pass, "times": fault.times})
            })
            .collect();
        json!({"data": shown})
    }
}

impl Fault {
    /// `*` and `{id}` stand for any one segment; a last `**` for the rest.
    fn matches(&self, method: &str, path: &str) -> bool {
        if self.method != "*" && !self.method.eq_ignore_ascii_case(method) {
            return false;
        }
        let given: Vec<&str> = path.split('/').collect();
        for (index, wanted) in self.segments.iter().enumerate() {
            let matched = match (wanted.as_str(), given.get(index)) {
                ("**", _) => return true,
                ("*", Some(_)) => true,
                (wanted, Some(_)) if wanted.starts_with('{') || wanted.starts_with(':') => true,
                (wanted, Some(have)) => wanted == *have,
                (_, None) => false,
            };
            if !matched {
                return false;
            }
        }
        given.len() == self.segments.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_from_the_nth_matching_call_on() {
        let mut faults = Faults::default();
        let wish = json!({"route": "POST /v1/invoices/*/pay", "nth": 2, "times": 2, "kind": "drop"});
        faults.arm(&Params::of(wish)).unwrap();
        let struck: Vec<bool> =
            (0..5).map(|_| faults.strike("POST", "/v1/invoices/in_1/pay").is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
    }

    #[test]
    fn other_calls_pass() {
        let mut faults = Faults::default();
        faults
            .arm(&Params::of(json!({"route": "POST /v1/refunds", "kind": "status", "status": 503})))
            .unwrap();
        assert_eq!(faults.strike("GET", "/v1/refunds"), None);
        assert_eq!(faults.strike("POST", "/v1/refunds/re_1"), None);
        assert_eq!(faults.strike("POST", "/v1/refunds"), Some(Harm::Status { status: 503, effect: false }));
    }

    #[test]
    fn a_500_has_its_effect_unless_the_wish_says_otherwise() {
        for (wish, effect) in
            [(json!({}), true), (json!({"effect": false}), false), (json!({"effect": true}), true)]
        {
            let mut faults = Faults::default();
            let mut whole = json!({"route": "POST /v1/refunds", "kind": "status", "status": 500});
            whole.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
            faults.arm(&Params::of(whole)).unwrap();
            assert_eq!(faults.strike("POST", "/v1/refunds"), Some(Harm::Status { status: 500, effect }));
        }
    }

    #[test]
    fn a_wish_that_makes_no_sense_is_refused() {
        let mut faults = Faults::default();
        assert!(faults.arm(&Params::of(json!({"route": "POST /v1/refunds", "kind": "explode"}))).is_err());
        assert!(faults.arm(&Params::of(json!({"kind": "drop"}))).is_err());
        assert!(!faults.disarm("fault_1"));
    }
}
