//! The mail connector against servers on loopback, honest and otherwise.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails where it stands")]

mod fake;
mod listener;
mod outcomes;
mod protection;
mod wire;
