//! The command line: one file for each command, its arguments beside what it does.
//!
//! Promises: standard output carries data and nothing else; `--json` gives one document; exit codes are those of
//! [`exit::Exit`]; a command that moves money shows what it will do and wants a clear yes.

mod alerts;
mod amount;
mod approvals;
mod ask;
mod audit;
mod backfill;
mod card;
mod case;
mod client;
pub mod code;
mod completion;
mod config_command;
mod connect;
mod db;
pub mod demo;
mod doctor;
mod events;
pub mod exit;
mod explain;
pub mod failure;
mod fields;
mod follow;
mod idempotency;
mod inert;
mod init;
mod installation;
mod instant;
mod mode;
mod output;
mod progress;
mod refund;
mod runtime;
pub mod serve;
mod session;
mod sim;
mod status;
mod table;
mod version;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::Environment;
use exit::Exit;
use failure::Failure;
use output::Output;
use session::Session;

/// What every command gives back.
type Outcome = Result<Exit, Failure>;

const EXAMPLES: &str = "\
Examples:
  bursar demo                       a whole company, made up, on this machine
  bursar init && bursar doctor && bursar serve
  bursar approvals approve apreq_… --amount 640.00usd --yes

Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 not allowed,
  5 denied by policy, 8 waits for approval, 9 conflict, 10 rejected or expired,
  11 doctor found problems, 12 Stripe unavailable, 78 configuration,
  130 interrupted";

/// Turns Stripe events into governed next actions.
#[derive(Debug, Parser)]
#[command(name = "bursar", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Globals {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the installation keeps its data
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// One JSON document instead of tables
    #[arg(long, global = true)]
    pub json: bool,
    /// Colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    pub color: Colour,
    /// Only data and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a made-up company with its own Stripe, console and all
    Demo(demo::DemoArgs),
    /// Write a configuration and the default policies; overwrites nothing
    Init(init::InitArgs),
    /// Connect something outside: stripe
    #[command(subcommand)]
    Connect(connect::ConnectCommand),
    /// Run the engine, the console and the API
    Serve(serve::ServeArgs),
    /// Find out what is wrong, and what fixes it
    Doctor(doctor::DoctorArgs),
    /// How the running installation is doing
    Status(status::StatusArgs),
    /// Show or change how far playbooks may go
    Mode(mode::ModeArgs),
    /// Questions that wait for people
    #[command(subcommand)]
    Approvals(approvals::ApprovalsCommand),
    /// Problems under way
    #[command(subcommand)]
    Case(case::CaseCommand),
    /// Refunds
    #[command(subcommand)]
    Refund(refund::RefundCommand),
    /// What happened, in a chain that can be checked offline
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The database: upgrade, copies, checks
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Stripe's events as received
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// What operators are told when something is wrong here
    #[command(subcommand)]
    Alerts(alerts::AlertsCommand),
    /// Read Stripe's objects from before Bursar came
    Backfill(backfill::BackfillArgs),
    /// A Stripe that behaves, for trying things out
    #[command(subcommand)]
    Sim(sim::SimCommand),
    /// The configuration in force
    #[command(subcommand)]
    Config(config_command::ConfigCommand),
    /// A completion script for a shell
    Completion(completion::CompletionArgs),
    /// The version
    Version,
    /// What an error code means and what to try
    Explain(explain::ExplainArgs),
}

/// Reads the command line of this process, does what it says, reports, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(&cli.globals);
    let session = Session::new(cli.globals, Environment::of_process(), output);
    let outcome = cli.command.run(&session);
    let exit = outcome.unwrap_or_else(|failure| {
        session.output.failure(&failure);
        failure.exit()
    });
    exit.into()
}

impl Command {
    fn run(self, session: &Session) -> Outcome {
        match self {
            Command::Demo(args) => demo::run(&args, session),
            Command::Init(args) => init::run(&args, session),
            Command::Connect(command) => connect::run(command, session),
            Command::Serve(args) => serve::run(args, session),
            Command::Doctor(args) => doctor::run(&args, session),
            Command::Status(args) => status::run(&args, session),
            Command::Mode(args) => mode::run(&args, session),
            Command::Approvals(command) => approvals::run(command, session),
            Command::Case(command) => case::run(command, session),
            Command::Refund(command) => refund::run(command, session),
            Command::Audit(command) => audit::run(command, session),
            Command::Db(command) => db::run(command, session),
            Command::Events(command) => events::run(command, session),
            Command::Alerts(command) => alerts::run(command, session),
            Command::Backfill(args) => backfill::run(&args, session),
            Command::Sim(command) => sim::run(command, session),
            Command::Config(command) => config_command::run(command, session),
            Command::Completion(args) => completion::run(&args, session),
            Command::Version => version::run(session),
            Command::Explain(args) => explain::run(&args, session),
        }
    }
}

#[cfg(test)]
mod tests;
