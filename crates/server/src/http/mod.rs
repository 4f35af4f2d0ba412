//! Everything that answers HTTP. One page lists the routes; what a handler may do is what the engine's verbs allow.

pub mod api;
mod arriving;
pub mod auth;
pub mod console;
mod crowd;
mod denial;
pub mod headers;
mod heads;
pub mod ingest;
pub mod limits;
pub mod probes;
pub mod problem;
pub mod serve;
pub mod shares;
pub mod state;
#[cfg(test)]
mod tests;
pub mod trace;
mod troubles;
mod wire;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

pub use state::AppState;

/// The whole server.
pub fn router(state: AppState) -> Router {
    let shares = &state.shares;
    Router::new()
        .merge(ingest::routes().layer(from_fn_with_state(shares.clone(), shares::of_webhooks)))
        .nest("/api/v1", api::routes().layer(from_fn_with_state(shares.clone(), shares::of_api)))
        .merge(console::routes().layer(from_fn_with_state(shares.clone(), shares::of_console)))
        .merge(probes::routes())
        .fallback(console::no_such_page)
        .layer(from_fn(arriving::judge))
        .layer(from_fn_with_state(state.clone(), headers::guard))
        .layer(from_fn(trace::follow))
        .with_state(state)
}
