//! Everything that answers HTTP. One page lists the routes; what a handler may do is what the engine's verbs allow.

pub mod api;
pub mod auth;
pub mod console;
mod denial;
pub mod headers;
mod heads;
pub mod ingest;
pub mod probes;
pub mod problem;
pub mod serve;
pub mod state;
#[cfg(test)]
mod tests;
pub mod trace;
mod troubles;

use axum::Router;

pub use state::AppState;

/// The whole server.
pub fn router(state: AppState) -> Router {
    Router::new()
        .merge(ingest::routes())
        .nest("/api/v1", api::routes())
        .merge(probes::routes())
        .merge(console::routes())
        .fallback(console::no_such_page)
        .layer(axum::middleware::from_fn_with_state(state.clone(), headers::guard))
        .layer(axum::middleware::from_fn(trace::follow))
        .with_state(state)
}
