//! How many events are kept, without counting them all each time somebody asks: what came in long ago was counted before.

use std::sync::{Mutex, PoisonError};

use bursar_store::{Db, events};

use crate::Result;

/// Ten minutes: acceptance commits within seconds of the receipt, so that nothing more comes in from before.
const SETTLED_US: i64 = 600_000_000;

/// A number that was counted, and the receipt up to which.
#[derive(Clone, Copy, Debug)]
struct Counted {
    events: i64,
    up_to: i64,
}

#[derive(Debug)]
pub(crate) struct KeptEvents(Mutex<Counted>);

impl Default for KeptEvents {
    fn default() -> Self {
        Self(Mutex::new(Counted { events: 0, up_to: i64::MIN }))
    }
}

impl KeptEvents {
    /// How many there are, and when the newest came in (machine time).
    pub(crate) async fn count(&self, db: &mut Db) -> Result<(i64, Option<i64>)> {
        let Some(newest) = events::newest_receipt(db).await? else { return Ok((0, None)) };
        let mut counted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = newest - SETTLED_US;
        if settled > counted.up_to {
            counted.events += events::count_received(db, counted.up_to, settled).await?;
            counted.up_to = settled;
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.up_to < settled {
                *known = counted;
            }
        }
        let recent = events::count_received(db, counted.up_to, i64::MAX).await?;
        Ok((counted.events + recent, Some(newest)))
    }
}
