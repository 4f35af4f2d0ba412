//! Every goal that is proved here, one line each: what it promises and what runs.

use crate::process;
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
    /// How often, where that is said.
    pub times: Option<u64>,
    /// Only trials that are called so: part of what is printed of one that failed.
    pub only: Vec<String>,
    /// What is planted, to see that a goal finds it.
    pub bug: Option<bursar_store::planted::Bug>,
    /// Where chance starts; printed, so that a failure can be had again.
    pub seed: u64,
    /// The built program, for goals about whole processes.
    pub bursar: std::path::PathBuf,
    /// A program of an older commit, where there is one to be upgraded from.
    pub older: Option<std::path::PathBuf>,
    /// `postgres://…` of a server for tests; without one the rows of that database are missing.
    pub postgres: Option<String>,
}

pub(crate) struct Goal {
    pub name: &'static str,
    pub promise: &'static str,
    pub run: fn(&Run) -> anyhow::Result<Vec<Row>>,
}

pub(crate) const GOALS: &[Goal] = &[
    Goal {
        name: "G1",
        promise: "killed at random instants under load: nothing acknowledged is lost, nothing happens twice",
        run: process::kills,
    },
    Goal {
        name: "G7",
        promise: "a node that is frozen past its lease and thaws does nothing twice",
        run: process::zombies,
    },
    Goal {
        name: "G8",
        promise: "whatever becomes of the way to PostgreSQL, or of the server, nothing is lost, and service comes back",
        run: process::partitions,
    },
    Goal {
        name: "G9",
        promise: "a full disk loses nothing, and a torn or changed log is never taken for a whole one",
        run: process::disk,
    },
    Goal {
        name: "G12",
        promise: "ten times what can be taken: nothing acknowledged is lost, people are served, no account drowns another",
        run: process::overload,
    },
    Goal {
        name: "G13",
        promise: "senders that are slow, large or malformed on purpose cost little and hold up nobody",
        run: process::hostile,
    },
    Goal {
        name: "G24",
        promise: "an upgrade that is killed is done by the next start; nodes of two versions share a database; an intent keeps its bytes",
        run: process::upgrade,
    },
    Goal {
        name: "G25",
        promise: "a backup that is put back has all that was acknowledged before it, and what was done since is not done again",
        run: process::backups,
    },
    Goal {
        name: "G27",
        promise: "told to end, it ends within ten seconds and loses nothing; told twice, at once",
        run: process::shutdown,
    },
    Goal { name: "NODES", promise: "any two of three nodes may be lost under load", run: process::survivors },
    Goal {
        name: "G2",
        promise: "whoever dies, fails or stands still at any named place, or dies at any two: nothing is lost or doubled",
        run: crate::world::points,
    },
    Goal {
        name: "G3",
        promise: "random lives with everything that may go wrong, and then nothing: all comes to its end, nothing twice",
        run: crate::world::lives,
    },
    Goal {
        name: "G3-bugs",
        promise: "each bug that is planted on purpose is found, and nothing where there is none",
        run: crate::world::planted,
    },
    Goal {
        name: "G4",
        promise: "whatever Stripe answers, at whichever send: the right end, and at most one effect",
        run: crate::world::matrix,
    },
    Goal {
        name: "G5",
        promise: "an outage longer than Stripe keeps a key doubles nothing",
        run: crate::world::old_keys,
    },
    Goal {
        name: "G6",
        promise: "events in any order, many times over, or never: in the end all is as if they had come in order",
        run: crate::world::disorder,
    },
    Goal {
        name: "G10",
        promise: "clocks that jump double nothing and make nothing live again",
        run: crate::world::clocks,
    },
    Goal {
        name: "G18",
        promise: "a day's budget holds, however many want the last of it",
        run: crate::world::caps,
    },
];
