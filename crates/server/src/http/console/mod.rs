//! The console: pages for people, rendered on the server, live by server-sent events, whole without scripts.
//!
//! `view` holds what each page shows and is plain data: handlers fill it from the engine's queries and answer
//! `view::page(&InboxPage { .. })`. `assets` serves the stylesheet, scripts and pictures that lie in the binary.
//!
//! | method, path | fills | form fields |
//! | --- | --- | --- |
//! | GET `/login` | `LoginPage` | |
//! | POST `/login` | 303 to `next` | `csrf`, `email`, `password`, `next`; in the demo `sign_in_as` instead of the two |
//! | POST `/logout` | 303 to `/login` | `csrf` |
//! | GET `/inbox?view=needs-me&selected=case_…` | `InboxPage` | |
//! | GET `/cases/{id}` | `CasePage` | |
//! | POST `/cases/{id}/refund` | 303 to the case or its approval | `csrf`, `charge`, `amount` (may be empty: what is left), `reason` |
//! | GET `/approvals/{id}` | `ApprovalPage` | |
//! | POST `/approvals/{id}/approve` | 303 to `return_to` | `csrf`, `digest`, `return_to`; `password` where `second_sign_in` |
//! | POST `/approvals/{id}/reject` | 303 to `return_to` | `csrf`, `digest`, `reason`, `return_to` |
//! | GET `/mailbox?selected=…&part=html` | `MailboxPage` | |
//! | GET `/audit?actor=&object=&before=` | `AuditPage` | |
//! | GET `/health` | `HealthPage` | |
//! | POST `/health/dead_letters/{id}/retry` | 303 to `/health` | `csrf` |
//!
//! `return_to` and `next` come back from the browser: a handler follows them only when they name a path of this console
//! (they begin with one `/` and not with two).
//!
//! The pages listen to `/api/v1/stream`. Its events are named `case`, `approval`, `mail`, `audit`, `health` and `clock`;
//! their data is JSON `{"id": "…"}`, and for `clock` `{"iso": "…", "text": "…"}` as in `view::Stamp`. A page reads again
//! the regions that show a thing of that name, so an event carries no content and needs no rendering of its own.

pub mod assets;
pub mod view;

use axum::Router;
use axum::routing::get;

use super::state::AppState;

/// The console's pages.
pub fn routes() -> Router<AppState> {
    Router::new().route("/assets/{*name}", get(assets::serve))
}
