//! `bursar demo`: what it takes on the command line.

use super::Outcome;
use super::code::Code;
use super::failure::Failure;
use super::session::Session;
use crate::config::value::ListenAddress;

const EXAMPLES: &str = "\
Examples:
  bursar demo
  bursar demo --headless --json --data-dir ./demo --listen 127.0.0.1:0
  bursar demo --speed 0                       time stands until it is moved: bursar sim clock advance 1d";

/// What is not given is as it was when this demo last ran, else the default.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Open no browser and draw no live feed
    #[arg(long)]
    pub headless: bool,
    /// What the company is made from; the same seed makes the same company
    #[arg(long)]
    pub seed: Option<u64>,
    /// Seconds of business time in a second [default: 60]; 0 stops it
    #[arg(long)]
    pub speed: Option<u32>,
    /// Console and API [default: 127.0.0.1:7171]; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<ListenAddress>,
    /// The governed proxy [default: 127.0.0.1:7172]
    #[arg(long, value_name = "ADDRESS")]
    pub proxy_listen: Option<ListenAddress>,
    /// The fake Stripe [default: 127.0.0.1:7173]
    #[arg(long, value_name = "ADDRESS")]
    pub stripe_listen: Option<ListenAddress>,
}

impl DemoArgs {
    pub const SEED: u64 = 42;
    pub const SPEED: u32 = 60;
    pub const LISTEN: ListenAddress = ListenAddress::loopback(7171);
    pub const PROXY_LISTEN: ListenAddress = ListenAddress::loopback(7172);
    pub const STRIPE_LISTEN: ListenAddress = ListenAddress::loopback(7173);
}

pub fn run(args: DemoArgs, session: &Session) -> Outcome {
    let _ = (args, session);
    Err(Failure::new(Code::NotInThisVersion, "the demo is not built in this version"))
}
