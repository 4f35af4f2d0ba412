//! `bursar events`: Stripe's events as received, and those that nobody could work with.

mod backfill;
mod dead;
mod gaps;
mod list;
mod quarantine;

use super::Outcome;
use super::session::Session;

const EXAMPLES: &str = "\
Examples:
  bursar events tail --type invoice.payment_failed
  bursar events get evt_…
  bursar events backfill --since 30d
  bursar events quarantine list";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum EventsCommand {
    /// The newest, then new ones as they come, until Ctrl-C
    Tail(list::TailArgs),
    /// Events, newest first
    List(list::ListArgs),
    /// One event, whole
    Get(list::GetArgs),
    /// Ask Stripe for events that were missed
    Backfill(backfill::BackfillArgs),
    /// Holes that polling found and filled: how long each was, what it held
    Gaps(gaps::GapsArgs),
    /// What came from Stripe and cannot be used
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Work that failed for good and waits for a person
    Dead(dead::DeadArgs),
    /// Try one piece of dead work again
    Retry(dead::RetryArgs),
}

pub fn run(command: EventsCommand, session: &Session) -> Outcome {
    match command {
        EventsCommand::Tail(args) => list::tail(&args, session),
        EventsCommand::List(args) => list::list(&args, session),
        EventsCommand::Get(args) => list::get(&args, session),
        EventsCommand::Backfill(args) => backfill::run(&args, session),
        EventsCommand::Gaps(args) => gaps::run(&args, session),
        EventsCommand::Quarantine(command) => quarantine::run(command, session),
        EventsCommand::Dead(args) => dead::list(&args, session),
        EventsCommand::Retry(args) => dead::retry(&args, session),
    }
}
