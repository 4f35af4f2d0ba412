//! The rate limit of an account: so many calls in each second of machine time.

use std::collections::HashMap;

use crate::error::{ApiError, ApiResult};

/// Counts calls by account; without a limit it counts nothing.
#[derive(Debug)]
pub struct Rate {
    per_second: Option<u32>,
    counted: HashMap<String, (i64, u32)>,
}

impl Rate {
    pub fn new(per_second: Option<u32>) -> Self {
        Self { per_second, counted: HashMap::new() }
    }

    /// The calls an account may make in a second, if they are limited.
    pub fn limit(&self) -> Option<u32> {
        self.per_second
    }

    /// Counts a call, or answers 429.
    pub fn admit(&mut self, account: &str, machine_now_s: i64) -> ApiResult<()> {
        let Some(limit) = self.per_second else { return Ok(()) };
        let (second, count) = self.counted.entry(account.to_owned()).or_insert((machine_now_s, 0));
        if *second != machine_now_s {
            (*second, *count) = (machine_now_s, 0);
        }
        *count += 1;
        if *count > limit { Err(ApiError::too_many()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_has_its_own_second() {
        let mut rate = Rate::new(Some(2));
        let admitted: Vec<bool> = [("a", 5), ("a", 5), ("a", 5), ("b", 5), ("a", 6)]
            .into_iter()
            .map(|(account, now)| rate.admit(account, now).is_ok())
            .collect();
        assert_eq!(admitted, [true, true, false, true, true]);
    }
}
