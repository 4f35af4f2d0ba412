//! A behavioural Stripe over HTTP for demos, tests and backtests.
//!
//! It speaks Stripe's v1 API of one version, keeps its own state, and lets nothing happen by chance: ids
//! follow from a seed, and business time moves only when it is moved. Everything that really happens is
//! in a ledger, which is what others are judged by.

// Documents are written as whole JSON literals, and an invoice has seventy fields.
#![recursion_limit = "256"]

mod api;
mod billing;
mod clock;
mod control;
mod doc;
mod error;
pub mod gate;
mod payments;
mod seed;
mod server;
mod sim;
mod webhooks;
mod wire;
mod world;

pub use billing::subscription::AfterRetries;
pub use clock::{MachineTime, SimClock, machine_time_s};
pub use error::Error;
pub use seed::Size;
pub use sim::{FakeStripe, Options};
pub use webhooks::Disorder;

/// The API version whose shapes are spoken.
pub const API_VERSION: &str = "2026-10-28.endive";
