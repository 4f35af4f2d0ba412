//! The whole router over a real engine, a store on disk and a Stripe that behaves. Every row of the table of bad inputs
//! that a webhook can meet stands here with its answer; the API's rows stand beside the API.

mod body;
mod broken;
mod crowded;
mod lanes;
mod names;
mod pages;
mod signature;
pub(super) mod stage;
mod transport;
