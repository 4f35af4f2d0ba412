//! Every goal that is proved here, one line each: what it promises and what runs.

use crate::report::Row;

/// How much is run: the sample that fits into every change, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    Quick,
    Full,
}

/// What a run is told.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub effort: Effort,
    /// Where chance starts; printed, so that a failure can be had again.
    pub seed: u64,
    /// The built program, for goals about whole processes.
    pub bursar: std::path::PathBuf,
    /// `postgres://…` of a server for tests; without one the rows of that database are missing.
    pub postgres: Option<String>,
}

pub(crate) struct Goal {
    pub name: &'static str,
    pub promise: &'static str,
    pub run: fn(&Run) -> anyhow::Result<Vec<Row>>,
}

pub(crate) const GOALS: &[Goal] = &[];
