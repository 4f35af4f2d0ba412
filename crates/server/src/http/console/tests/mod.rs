//! The console through the real router, over a real engine and a simulated Stripe.

mod decisions;
mod desk;
mod doubt;
mod forms;
mod pages;
mod sign_in;
