//! A behavioural Stripe over HTTP for demos, tests and backtests.
