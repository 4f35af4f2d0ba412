//! Stripe as it is, data only: ids, money, events, signatures, tolerant objects.
//!
//! Pure: no clock, no randomness, no input or output; time is an argument. What Stripe may add to (statuses,
//! reasons, brands) is kept as text where we do not know it; what would make money wrong is refused.

pub mod api_version;
pub mod currency;
pub mod decline;
pub mod event;
pub mod id;
pub mod json;
pub mod money;
pub mod object;
pub mod signature;

pub use currency::Currency;
pub use event::{Event, EventObject};
pub use money::Money;
