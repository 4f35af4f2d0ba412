//! The whole audit, checked within a running engine, against the anchor outside the database.

use bursar_store::{anchor, audit};

use crate::start::Engine;
use crate::{Error, Result};

impl Engine {
    /// Checks the whole audit; one check at a time, for it reads everything at one moment.
    pub async fn verify_audit(&self) -> Result<audit::Report> {
        let Ok(_alone) = self.inner.verifying.try_lock() else {
            return Err(Error::Unavailable {
                on: "the check of the audit",
                why: "another one is under way".to_owned(),
                after: std::time::Duration::from_secs(10),
            });
        };
        // Before the database, which goes on meanwhile. A file that cannot be read was told when the engine started.
        let anchor = anchor::read(self.inner.store.anchor_path()).ok().flatten();
        Ok(audit::verify_against(&mut self.inner.store.read().await?, anchor.as_ref()).await?)
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::still::Still;

    #[tokio::test]
    async fn the_audit_is_checked_by_one_at_a_time() {
        let still = Still::open().await;
        let under_way = still.engine.inner.verifying.lock().await;
        let second = still.engine.verify_audit().await;
        assert!(matches!(second, Err(Error::Unavailable { .. })), "{second:?}");
        drop(under_way);
        assert!(still.engine.verify_audit().await.unwrap().ok, "and by the next when the first is done");
        assert!(still.engine.inner.verifying.try_lock().is_ok(), "which holds up nobody after that");
    }
}
