//! Stripe as it is, data only: ids, money, events, signatures, tolerant objects.
