//! The outside that is not Stripe; each connector with its offline fake.
