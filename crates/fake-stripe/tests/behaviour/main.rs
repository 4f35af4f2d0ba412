//! The simulator over real sockets: what a client sees.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

mod billing;
mod collection;
mod company;
mod currencies;
mod faults;
mod idempotency;
mod journal;
mod reading;
mod server;
mod webhooks;
mod wire;
