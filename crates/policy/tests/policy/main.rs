//! Policy sets from outside: the defaults, refusals and explanations.

mod defaults;
mod explanations;
mod properties;
mod refusals;
mod scene;
