//! Events read again because a person asks for them.

use super::{KEPT_S, fetch};
use crate::Result;
use crate::start::Engine;

/// A part of the past, in seconds before a moment: from `since_s` ago to `until_s` ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackfillSpan {
    pub since_s: i64,
    pub until_s: i64,
    /// The moment, in seconds since 1970 of business time; now when it is not said. Who asks for one part after the other
    /// names it, so that the parts meet.
    pub as_of_s: Option<i64>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backfilled {
    pub new_events: i64,
    /// The moment that the span was counted from.
    pub as_of_s: i64,
}

impl BackfillSpan {
    fn as_of_s(self, now_s: i64) -> i64 {
        self.as_of_s.map_or(now_s, |as_of_s| as_of_s.clamp(0, now_s))
    }

    /// Seconds since 1970 of its beginning and its end, no further back than Stripe keeps events.
    fn around(self, now_s: i64) -> (i64, i64) {
        let as_of_s = self.as_of_s(now_s);
        let since_s = self.since_s.clamp(0, KEPT_S);
        let until_s = self.until_s.clamp(0, since_s);
        ((as_of_s - since_s).max(0), (as_of_s - until_s).max(0))
    }
}

impl Engine {
    /// Reads the events of a span again, on every lane.
    pub async fn backfill_events(&self, span: BackfillSpan) -> Result<Backfilled> {
        let now_s = self.inner.clocks.business().unix_s() + 1;
        let (from_s, to_s) = span.around(now_s);
        let mut new_events = 0;
        for open in self.inner.lanes.all() {
            let found = fetch(self, &open, from_s, to_s, "backfill").await?;
            new_events += i64::try_from(found.len()).unwrap_or(i64::MAX);
        }
        Ok(Backfilled { new_events, as_of_s: span.as_of_s(now_s) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_lies_in_the_past_that_stripe_keeps() {
        let now_s = 1_795_219_200;
        for (since_s, until_s, as_of_s, from_s, to_s) in [
            (60, 0, None, now_s - 60, now_s),
            (60, 20, None, now_s - 60, now_s - 20),
            (60, 90, None, now_s - 60, now_s - 60),
            (60, 20, Some(now_s - 5), now_s - 65, now_s - 25),
            (60, 0, Some(now_s + 5), now_s - 60, now_s),
            (60, 20, Some(i64::MIN), 0, 0),
            (i64::MAX, i64::MIN, Some(i64::MAX), now_s - KEPT_S, now_s),
            (i64::MIN, i64::MAX, None, now_s, now_s),
        ] {
            let span = BackfillSpan { since_s, until_s, as_of_s };
            assert_eq!(span.around(now_s), (from_s, to_s), "{span:?}");
        }
    }
}
