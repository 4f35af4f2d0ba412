//! `bursar sim`: a Stripe that behaves, alone or inside a demo, and the strings to pull on it.

mod control;
mod serve;

use super::Outcome;
use super::session::Session;

const EXAMPLES: &str = "\
Examples:
  bursar sim serve --listen 127.0.0.1:7173
  bursar sim serve --duplicate-percent 10 --reorder-percent 10
  bursar sim trigger invoice.payment_failed
  bursar sim clock advance 3d
  bursar sim fault add --route /v1/refunds --kind timeout_after";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum SimCommand {
    /// Run a fake Stripe by itself
    Serve(serve::ServeArgs),
    /// Make the objects and the event of a type
    Trigger(control::TriggerArgs),
    /// Look at business time, or move it
    #[command(subcommand)]
    Clock(control::ClockCommand),
    /// Make calls go wrong
    #[command(subcommand)]
    Fault(control::FaultCommand),
}

pub fn run(command: SimCommand, session: &Session) -> Outcome {
    match command {
        SimCommand::Serve(args) => serve::run(&args, session),
        SimCommand::Trigger(args) => control::trigger(&args, session),
        SimCommand::Clock(command) => control::clock(&command, session),
        SimCommand::Fault(command) => control::fault(command, session),
    }
}
