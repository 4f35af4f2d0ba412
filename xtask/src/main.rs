//! Chores of the repository, run as `cargo xtask <command>`.
//!
//! A chore is one line in [`COMMANDS`] and one module. Everything here may fail loudly: it runs on a developer's
//! machine and in CI, never where Bursar serves.
#![expect(clippy::print_stdout, reason = "a command line tells people what it did")]

mod bench;
mod prove;
mod release;
mod tidy;

use std::process::ExitCode;

/// A chore: what people type, what it promises, what it runs.
struct Command {
    name: &'static str,
    purpose: &'static str,
    run: fn() -> anyhow::Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "bench",
        purpose: "measure, beside something simpler: bench ingest|pipeline|backlog|memory [--json] [--quick]",
        run: bench::run,
    },
    Command {
        name: "prove",
        purpose: "break things on purpose and count: prove [--quick] [--json] [--seed N] [--goal G1]",
        run: prove::run,
    },
    Command {
        name: "release",
        purpose: "build what is shipped, with digests and a list of what is linked into it",
        run: release::run,
    },
    Command {
        name: "tidy",
        purpose: "prove the rules of the house: directions, purity, sizes, words, dependencies",
        run: tidy::run,
    },
];

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        println!("{}", usage());
        return ExitCode::SUCCESS;
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("error: no chore is called `{name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (command.run)() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let lines: Vec<String> =
        COMMANDS.iter().map(|command| format!("  {:<8} {}", command.name, command.purpose)).collect();
    format!("Usage: cargo xtask <command>\n\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_names_every_command() {
        let text = usage();
        for command in COMMANDS {
            assert!(text.contains(command.name), "{text}");
        }
    }
}
