//! The simulator over real sockets: what a client sees.

mod billing;
mod company;
mod faults;
mod idempotency;
mod journal;
mod server;
mod webhooks;
mod wire;
