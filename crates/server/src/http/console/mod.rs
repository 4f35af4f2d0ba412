//! The console: pages for people, rendered on the server, live by server-sent events, whole without scripts.
//!
//! `view` holds what each page shows and is plain data; the files beside this one fill it from the engine's queries.
//! `assets` serves the stylesheet, scripts and pictures that lie in the binary. GET changes nothing, ever; what changes
//! something is a POST by a person, with their session's token, from this origin (`posted`).
//!
//! | method, path | file | shows or does |
//! | --- | --- | --- |
//! | GET, POST `/login` | `sign_in` | `LoginPage`; `email`, `password`, `next`; in the demo `sign_in_as` instead of the two |
//! | POST `/logout` | `sign_in` | ends the session |
//! | GET `/` | | leads to `/inbox` |
//! | GET `/inbox?view=&selected=&after=` | `inbox` | `InboxPage`; `selected` is a case or an approval |
//! | GET `/cases/{id}` | `case` | `CasePage` |
//! | POST `/cases/{id}/refund` | `refund` | asks for one: `charge`, `amount` (may be empty: what is left), `reason` |
//! | POST `/cases/{id}/tasks/{task}/done` | `case` | ticks a task off |
//! | POST `/cases/{id}/proposals/{proposal}/look_again` | `doubt` | looks once more for what is in doubt |
//! | POST `/cases/{id}/proposals/{proposal}/settle` | `doubt` | `truth` (`happened`, `did_not_happen`), `object`, `reason` |
//! | GET `/approvals` | | leads to the inbox |
//! | GET `/approvals/{id}` | `approval` | `ApprovalPage` |
//! | POST `/approvals/{id}/approve`, `…/reject` | `vote` | `digest`, `reason`, `return_to`; `password` for a second sign-in |
//! | GET `/mailbox?selected=&part=` | `mailbox` | `MailboxPage`, in the demo only |
//! | GET `/audit?actor=&object=&before=` | `audit` | `AuditPage` |
//! | POST `/audit/verify` | `audit` | checks the whole chain, and says so on the page |
//! | GET `/health` | `health` | `HealthPage` |
//! | POST `/health/dead_letters/{id}/retry` | `health` | tries a parked job again |
//! | GET `/help/errors/{code}` | `help` | what a public code means |
//!
//! `return_to` and `next` come back from the browser: they are followed only where they name a path of this console.
//!
//! Pages listen to `/api/v1/stream`. Its events are named `case`, `approval`, `mail`, `audit`, `health` and `clock`; their
//! data is JSON `{"id": "…"}`, and for `clock` `{"iso": "…", "text": "…"}` as in `view::Stamp`. A page reads again the
//! regions that show a thing of that name, so an event carries no content and needs no rendering of its own.

mod approval;
pub mod assets;
mod attempts;
mod audit;
mod case;
mod documents;
mod doubt;
mod health;
mod help;
mod inbox;
mod local_path;
mod mailbox;
mod notice;
pub mod password;
mod posted;
mod reading;
mod refund;
mod said;
mod sign_in;
#[cfg(test)]
mod tests;
pub mod view;
mod visit;
mod vote;
mod wording;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Extension, Router};

use super::state::AppState;
use attempts::Attempts;
use audit::LastCheck;
pub use notice::no_such_page;
pub use reading::clock_text;

/// Forms hold a few short fields.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// The console's pages. What they remember between requests (failed sign-ins, the last check of the audit) lives as long
/// as this router.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/inbox") }))
        .route("/login", get(sign_in::show).post(sign_in::enter))
        .route("/logout", post(sign_in::leave))
        .route("/inbox", get(inbox::show))
        .route("/cases", get(|| async { Redirect::to("/inbox?view=all") }))
        .route("/cases/{id}", get(case::show))
        .route("/cases/{id}/refund", post(refund::ask))
        .route("/cases/{id}/tasks/{task}/done", post(case::finish_task))
        .route("/cases/{id}/proposals/{proposal}/look_again", post(doubt::look_again))
        .route("/cases/{id}/proposals/{proposal}/settle", post(doubt::settle))
        .route("/approvals", get(|| async { Redirect::to("/inbox?view=approvals") }))
        .route("/approvals/{id}", get(approval::show))
        .route("/approvals/{id}/approve", post(vote::approve))
        .route("/approvals/{id}/reject", post(vote::reject))
        .route("/mailbox", get(mailbox::show))
        .route("/audit", get(audit::show))
        .route("/audit/verify", post(audit::verify))
        .route("/health", get(health::show))
        .route("/health/dead_letters/{id}/retry", post(health::retry))
        .route("/help/errors/{code}", get(help::show))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(Extension(Arc::new(Attempts::default())))
        .layer(Extension(Arc::new(LastCheck::default())))
        .route("/assets/{*name}", get(assets::serve))
}
