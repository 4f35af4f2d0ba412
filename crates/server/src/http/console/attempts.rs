//! Failed sign-ins, remembered so that guessing becomes slow: after a few failures for one account, or more from one
//! address, the next try must wait, twice as long each time. In memory only: a restart forgives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bursar_domain::time::MachineTime;
use tokio::sync::Semaphore;

/// Failures that cost nothing but the answer.
const ACCOUNT_FREE: u32 = 5;
/// Several people may sit behind one address, or behind one proxy.
const ADDRESS_FREE: u32 = 20;
const WAIT_MAX_S: u64 = 15 * 60;
/// A key is forgotten this long after its last failure.
const MEMORY: Duration = Duration::from_hours(1);
const KEYS_MAX: usize = 10_000;

pub(super) struct Attempts {
    failed: Mutex<HashMap<Key, Failures>>,
    /// Hashing a password takes memory: at most these at once.
    pub(super) hashing: Semaphore,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { failed: Mutex::default(), hashing: Semaphore::new(2) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: MachineTime,
}

impl Failures {
    fn wait_until(self, free: u32) -> Option<MachineTime> {
        let over = self.count.checked_sub(free)?;
        let wait_s = 1_u64.checked_shl(over).map_or(WAIT_MAX_S, |wait| wait.min(WAIT_MAX_S));
        Some(self.last.plus(Duration::from_secs(wait_s)))
    }
}

/// Whose try it is.
pub(super) struct Try {
    keys: Vec<(Key, u32)>,
}

impl Try {
    pub(super) fn of(account: &str, address: Option<IpAddr>) -> Self {
        let account = account.trim().to_lowercase().chars().take(200).collect();
        let mut keys = vec![(Key::Account(account), ACCOUNT_FREE)];
        keys.extend(address.map(|address| (Key::Address(address), ADDRESS_FREE)));
        Self { keys }
    }
}

impl Attempts {
    /// How long this try must wait, if at all.
    pub(super) fn must_wait(&self, attempt: &Try, now: MachineTime) -> Option<Duration> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let until = attempt.keys.iter().filter_map(|(key, free)| failed.get(key)?.wait_until(*free)).max()?;
        Some(until.since(now)).filter(|left| !left.is_zero())
    }

    pub(super) fn failed(&self, attempt: &Try, now: MachineTime) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= KEYS_MAX {
            failed.retain(|_, failures| now.since(failures.last) < MEMORY);
        }
        if failed.len() >= KEYS_MAX {
            // Whoever fills the memory does not get to empty it of themselves: the oldest go.
            let mut ages: Vec<MachineTime> = failed.values().map(|failures| failures.last).collect();
            ages.sort_unstable();
            let middle = ages[ages.len() / 2];
            failed.retain(|_, failures| failures.last > middle);
        }
        for (key, _) in &attempt.keys {
            let failures = failed.entry(key.clone()).or_insert(Failures { count: 0, last: now });
            if now.since(failures.last) >= MEMORY {
                failures.count = 0;
            }
            *failures = Failures { count: failures.count.saturating_add(1), last: now };
        }
    }

    /// The account is forgiven; the address is not, or one known password would pay for guessing others.
    pub(super) fn succeeded(&self, attempt: &Try) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|key, _| {
            !matches!(key, Key::Account(_)) || attempt.keys.iter().all(|(own, _)| own != key)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> MachineTime {
        MachineTime::from_unix_s(second)
    }

    #[test]
    fn after_five_failures_the_wait_doubles_and_success_forgives() {
        let attempts = Attempts::default();
        let carl = Try::of("Carl@northwind.example", None);
        for _ in 0..4 {
            attempts.failed(&carl, at(0));
            assert_eq!(attempts.must_wait(&carl, at(0)), None);
        }
        for wait in [1, 2, 4, 8] {
            attempts.failed(&carl, at(0));
            assert_eq!(attempts.must_wait(&carl, at(0)), Some(Duration::from_secs(wait)));
        }
        assert_eq!(
            attempts.must_wait(&Try::of(" carl@NORTHWIND.example", None), at(7)),
            Some(Duration::from_secs(1))
        );
        assert_eq!(attempts.must_wait(&Try::of("olivia@northwind.example", None), at(0)), None);
        attempts.succeeded(&carl);
        assert_eq!(attempts.must_wait(&carl, at(0)), None);
    }

    #[test]
    fn an_address_that_tries_many_accounts_waits_too() {
        let attempts = Attempts::default();
        let address = Some(IpAddr::from([192, 0, 2, 1]));
        for account in 0..20 {
            attempts.failed(&Try::of(&format!("a{account}"), address), at(0));
        }
        assert!(attempts.must_wait(&Try::of("new", address), at(0)).is_some());
        assert!(attempts.must_wait(&Try::of("new", Some(IpAddr::from([192, 0, 2, 2]))), at(0)).is_none());
    }

    #[test]
    fn memory_has_an_end() {
        let attempts = Attempts::default();
        for account in 0..(KEYS_MAX + 50) {
            attempts.failed(&Try::of(&account.to_string(), None), at(i64::try_from(account).unwrap()));
        }
        assert!(attempts.failed.lock().unwrap().len() <= KEYS_MAX);
    }
}
