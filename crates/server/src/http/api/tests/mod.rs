//! The API over the real router, row by row: who may call, what may be asked, who may decide, and what Stripe's bad days
//! look like from here.

mod approvals;
mod callers;
mod envelope;
mod keys;
mod lists;
mod live;
mod operations;
mod portal_sessions;
mod proposals;
mod records;
mod refunds;
mod restore;
mod routes;
mod stripe_down;

use crate::http::tests::stage::{self, Answer, Stage};
