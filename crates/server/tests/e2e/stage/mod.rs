//! What the tests play on: processes, an HTTP client, an installation with its Stripe, and patience.

mod clockwork;
mod demo;
mod pair;
mod patience;
mod program;
mod ran;
mod site;
mod web;

pub use clockwork::Clockwork;
pub use demo::Demo;
pub use pair::Pair;
pub use patience::until;
pub use program::{Program, Wish};
pub use ran::Ran;
pub use site::{Charge, Site};
pub use web::{Answer, Load, Web};
