//! What a run found: how often something was tried, how often it went wrong, and how much that proves.

use serde::Serialize;

/// One goal on one database.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    /// As the table of goals calls it: `G1`.
    pub goal: &'static str,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// How often it was tried.
    pub n: u64,
    pub failures: u64,
    /// With 95 % confidence the true share of failures is no greater.
    pub bound_95: f64,
}

impl Row {
    pub(crate) fn new(goal: &'static str, database: &'static str, n: u64, failures: u64) -> Self {
        Self { goal, database, n, failures, bound_95: bound_95(n, failures) }
    }
}

/// The upper end of the one-sided 95 % interval of Clopper and Pearson (1934) for a share of which `failures` in `n`
/// were seen: the share at which so few would be seen one time in twenty. None in `n` gives about 3/n.
pub(crate) fn bound_95(n: u64, failures: u64) -> f64 {
    if n == 0 || failures >= n {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_most(n, failures, middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

/// The probability of at most `failures` in `n` when each fails with probability `share`, strictly between 0 and 1.
fn at_most(n: u64, failures: u64, share: f64) -> f64 {
    let mut log_term = count(n) * (-share).ln_1p();
    let mut sum = log_term.exp();
    for seen in 1..=failures {
        log_term += (count(n - seen + 1) / count(seen)).ln() + share.ln() - (-share).ln_1p();
        sum += log_term.exp();
    }
    sum
}

/// Counts of trials stay far below where a float skips whole numbers.
#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 trials")]
fn count(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against published tables: 3/n for none (the rule of three), and R's `binom.test(…, alternative = "less")`.
    #[test]
    fn the_bound_is_that_of_clopper_and_pearson() {
        for (n, failures, bound) in [
            (1, 0, 0.95),
            (10, 0, 0.258_866),
            (1_000, 0, 0.002_991_2),
            (10, 1, 0.394_163),
            (100, 3, 0.075_710_8),
        ] {
            let found = bound_95(n, failures);
            assert!((found - bound).abs() < 1e-4 * bound.max(0.1), "{n} {failures}: {found}");
        }
        assert!((bound_95(0, 0) - 1.0).abs() < f64::EPSILON, "nothing tried proves nothing");
        assert!((bound_95(5, 5) - 1.0).abs() < f64::EPSILON);
    }
}
