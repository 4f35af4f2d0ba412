//! Named places in an action's way where a test can let the engine stand still for ever, as if its process had been
//! killed there. Nobody is held where nothing was asked for.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::start::Engine;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// An event was understood; its effects are not written.
    EventTaken,
    /// A decision was made and is not written.
    Decided,
    /// The intent is on disk; nothing was counted as sent.
    Intended,
    /// A send was counted; no socket was opened.
    Counted,
    /// The answer came; its outcome is not written.
    Answered,
    /// The outcome is on disk; nobody was told.
    Concluded,
}

impl CrashPoint {
    pub const ALL: [CrashPoint; 6] = [
        CrashPoint::EventTaken,
        CrashPoint::Decided,
        CrashPoint::Intended,
        CrashPoint::Counted,
        CrashPoint::Answered,
        CrashPoint::Concluded,
    ];
}

/// The place that was asked for, and whoever waits for somebody to come by.
#[derive(Debug, Default)]
pub(crate) struct CrashPoints(Mutex<Option<(CrashPoint, oneshot::Sender<()>)>>);

impl CrashPoints {
    fn reached(&self, here: CrashPoint) -> Option<oneshot::Sender<()>> {
        let mut armed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        armed.take_if(|(point, _)| *point == here).map(|(_, told)| told)
    }
}

impl Engine {
    /// The next job that comes by this place stands still there for ever; the answer says that one has.
    #[doc(hidden)]
    pub fn stand_still_at(&self, point: CrashPoint) -> oneshot::Receiver<()> {
        let (told, reached) = oneshot::channel();
        *self.inner.crash_points.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((point, told));
        reached
    }

    pub(crate) async fn pass(&self, here: CrashPoint) {
        if let Some(told) = self.inner.crash_points.reached(here) {
            // Whoever asked may have gone; the place is reached all the same.
            let _ = told.send(());
            std::future::pending::<()>().await;
        }
    }
}
