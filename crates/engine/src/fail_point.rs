//! Named places in an action's way where a test can let things go wrong: [`bursar_store::fail_point`], as the engine and
//! its tests reach them.

use bursar_store::fail_point::{FailPoint, Fault};
use tokio::sync::oneshot;

use crate::Result;
use crate::start::{Engine, store_error};

impl Engine {
    /// The next one that comes by this place stands still there for ever; the answer says that one has.
    #[doc(hidden)]
    pub fn stand_still_at(&self, point: FailPoint) -> oneshot::Receiver<()> {
        self.inner.store.fail_points().arm(point, 0, Fault::Stop)
    }

    /// The next one that comes by this place waits there until the second answer is sent or dropped.
    #[doc(hidden)]
    pub fn pause_at(&self, point: FailPoint) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let (let_go, go_on) = oneshot::channel();
        (self.inner.store.fail_points().arm(point, 0, Fault::Wait(go_on)), let_go)
    }

    /// After so many came by unharmed, the next one suffers this.
    #[doc(hidden)]
    pub fn harm_at(&self, point: FailPoint, pass: usize, fault: Fault) -> oneshot::Receiver<()> {
        self.inner.store.fail_points().arm(point, pass, fault)
    }

    /// Nothing goes wrong any more.
    #[doc(hidden)]
    pub fn harm_nothing(&self) {
        self.inner.store.fail_points().disarm();
    }

    /// A clock was moved: whoever rests looks at once whether something is due, and not at the next tick.
    #[doc(hidden)]
    pub fn look_now(&self) {
        self.inner.work.notify_one();
    }

    pub(crate) async fn pass(&self, here: FailPoint) -> Result<()> {
        self.inner.store.pass(here).await.map_err(store_error)
    }
}
