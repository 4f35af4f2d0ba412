//! Stripe over HTTP, for the engine alone. Reads are typed by kind; a write is the stored bytes of an intent and nothing
//! else can be sent.

mod answer;
mod call;
mod client;
mod form;
mod kinds;
mod limiter;
pub(crate) mod permissions;

pub(crate) use answer::{Answered, Meaning, SendError, meaning};
pub(crate) use client::{Client, Written};
pub(crate) use form::encode;
pub(crate) use limiter::Class;
