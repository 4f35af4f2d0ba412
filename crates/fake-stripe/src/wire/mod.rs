//! The v1 wire: one way in for every call. Key, rate, route, permission and parameters are judged
//! before the idempotency layer; what is carried out commits together with its stored answer.

mod answer;
mod auth;
pub mod expand;
pub mod fault;
mod form;
pub mod idempotency;
pub mod list;
mod params;
mod rate;
mod route;

pub use self::answer::{Answer, Call, Desk, Outcome, answer};
pub use self::fault::Faults;
pub use self::params::Params;
pub use self::rate::Rate;
pub use self::route::{Args, Route};

/// Decodes a form or query, or says why not.
pub fn decode(encoded: &str) -> crate::error::ApiResult<Params> {
    let fields =
        form::decode(encoded).ok_or_else(|| crate::error::ApiError::invalid("Invalid request encoding."));
    fields.map(Params::new)
}
