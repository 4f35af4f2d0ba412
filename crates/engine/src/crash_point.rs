//! Named places in an action's way where a test can let the engine stand still for ever, as if its process had been
//! killed there, or until it is let go, so that something else happens in between. Nobody is held where nothing was asked for.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::start::Engine;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// An event was understood; its effects are not written.
    EventTaken,
    /// A decision was made and is not written.
    Decided,
    /// A vote was understood and is not counted.
    Voting,
    /// An approval was found open past its time; its end is not written.
    Expiring,
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
    pub const ALL: [CrashPoint; 8] = [
        CrashPoint::EventTaken,
        CrashPoint::Decided,
        CrashPoint::Voting,
        CrashPoint::Expiring,
        CrashPoint::Intended,
        CrashPoint::Counted,
        CrashPoint::Answered,
        CrashPoint::Concluded,
    ];
}

/// The place that was asked for, whoever waits for somebody to come by, and what lets them go on, if anything does.
#[derive(Debug)]
struct Armed {
    point: CrashPoint,
    told: oneshot::Sender<()>,
    go_on: Option<oneshot::Receiver<()>>,
}

#[derive(Debug, Default)]
pub(crate) struct CrashPoints(Mutex<Option<Armed>>);

impl CrashPoints {
    fn arm(&self, armed: Armed) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(armed);
    }

    fn reached(&self, here: CrashPoint) -> Option<Armed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take_if(|armed| armed.point == here)
    }
}

impl Engine {
    /// The next job that comes by this place stands still there for ever; the answer says that one has.
    #[doc(hidden)]
    pub fn stand_still_at(&self, point: CrashPoint) -> oneshot::Receiver<()> {
        let (told, reached) = oneshot::channel();
        self.inner.crash_points.arm(Armed { point, told, go_on: None });
        reached
    }

    /// The next one that comes by this place waits there until the second answer is sent or dropped.
    #[doc(hidden)]
    pub fn pause_at(&self, point: CrashPoint) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let (told, reached) = oneshot::channel();
        let (let_go, go_on) = oneshot::channel();
        self.inner.crash_points.arm(Armed { point, told, go_on: Some(go_on) });
        (reached, let_go)
    }

    pub(crate) async fn pass(&self, here: CrashPoint) {
        let Some(armed) = self.inner.crash_points.reached(here) else { return };
        // Whoever asked may have gone; the place is reached all the same.
        let _ = armed.told.send(());
        match armed.go_on {
            Some(go_on) => drop(go_on.await),
            None => std::future::pending().await,
        }
    }
}
