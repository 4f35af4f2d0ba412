//! `cargo xtask prove`: runs the goals and prints, for each database, how often it was tried, how often it failed, and
//! the 95 % bound. The exit code is not zero if anything failed.
//!
//! A goal is one line in [`goals::GOALS`] and one module. What judges is apart from what is judged: the fake Stripe's
//! ledger says what really happened.
#![expect(clippy::print_stdout, reason = "the figures are what the command is for")]
#![expect(clippy::print_stderr, reason = "progress is for the person who waits")]

mod checker;
mod goals;
mod process;
mod report;
mod world;

use std::process::ExitCode;

use anyhow::Context as _;
use bursar_store::planted::Bug;
use goals::{Effort, GOALS, Run};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == process::STOPPED) {
        return process::stop_in_upgrade(&words[1..]);
    }
    match prove(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing failed.
fn prove(words: &[String]) -> anyhow::Result<bool> {
    let has = |word: &str| words.iter().any(|given| given == word);
    let value = |word: &str| words.iter().position(|given| given == word).and_then(|at| words.get(at + 1));
    let only = value("--goal");
    let run = Run {
        effort: if has("--quick") { Effort::Quick } else { Effort::Full },
        times: value("--times").map(|times| times.parse()).transpose().context("--times takes a number")?,
        only: after(words, "--only"),
        bug: value("--bug").map(|name| bug(name)).transpose()?,
        seed: value("--seed").map_or(Ok(1), |seed| seed.parse()).context("--seed takes a number")?,
        bursar: value("--bursar").context("--bursar says where the program is")?.into(),
        older: value("--older").map(Into::into),
        postgres: value("--postgres").cloned(),
    };
    let mut rows = Vec::new();
    for goal in GOALS.iter().filter(|goal| only.is_none_or(|only| only == goal.name)) {
        eprintln!("{}: {}", goal.name, goal.promise);
        for row in (goal.run)(&run).with_context(|| goal.name)? {
            eprintln!(
                "  {:<9} n {:>8}  failures {:>4}  95 % bound {:.2e}",
                row.database, row.n, row.failures, row.bound_95
            );
            rows.push(row);
        }
    }
    anyhow::ensure!(!rows.is_empty(), "nothing was run");
    if has("--json") {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    }
    Ok(rows.iter().all(|row| row.failures == 0))
}

/// Every word that stands after this one.
fn after(words: &[String], name: &str) -> Vec<String> {
    words.windows(2).filter(|pair| pair[0] == name).map(|pair| pair[1].clone()).collect()
}

fn bug(name: &str) -> anyhow::Result<Bug> {
    let named = Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == name);
    named.with_context(|| format!("no bug is called {name}: they are {:?}", Bug::ALL))
}
