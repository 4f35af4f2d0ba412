//! Two clocks that never mix. Business time is Stripe's time (simulated in the demo): objects, schedules, expiry of
//! approvals, age of keys. Machine time is the wall: signatures, polling, transport backoff, sealing.
//! Both count microseconds since the Unix epoch, UTC.

use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! clock_time {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            pub const fn from_micros(micros: i64) -> Self {
                Self(micros)
            }

            /// Stripe speaks whole seconds; years beyond the range of microseconds saturate.
            pub const fn from_unix_s(seconds: i64) -> Self {
                Self(seconds.saturating_mul(1_000_000))
            }

            pub const fn micros(self) -> i64 {
                self.0
            }

            pub const fn unix_s(self) -> i64 {
                self.0.div_euclid(1_000_000)
            }

            #[must_use]
            pub fn plus(self, span: Duration) -> Self {
                Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
            }

            #[must_use]
            pub fn minus(self, span: Duration) -> Self {
                Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
            }

            /// The span from `earlier` to `self`; nothing when `earlier` is in fact later.
            pub fn since(self, earlier: Self) -> Duration {
                Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
            }
        }
    };
}

clock_time!(
    /// An instant of Stripe's time.
    BusinessTime
);
clock_time!(
    /// An instant of the wall.
    MachineTime
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down_before_the_epoch_too() {
        assert_eq!(BusinessTime::from_micros(-1).unix_s(), -1);
        assert_eq!(BusinessTime::from_unix_s(7).micros(), 7_000_000);
    }

    #[test]
    fn spans_never_go_negative_and_far_futures_saturate() {
        let (early, late) = (MachineTime::from_unix_s(10), MachineTime::from_unix_s(12));
        assert_eq!(late.since(early), Duration::from_secs(2));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(BusinessTime::from_unix_s(i64::MAX).plus(Duration::from_secs(1)).micros(), i64::MAX);
    }
}
