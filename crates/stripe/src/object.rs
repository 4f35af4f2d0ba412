//! Stripe's objects as tolerant views over JSON, one file each.
